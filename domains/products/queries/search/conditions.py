"""What is asked of a product, as SQL over its row `l` of the listing.

Some of it is asked of its variants: it has to be true of one and the same, a row `v`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from domains.products.queries.search.port import Criteria, Range
from domains.products.queries.search.understanding import Understood

# sold_out is a product of which each variant is that otherwise fits; partly_out, of which any is.
Kind = Literal[
    "words",
    "category",
    "within",
    "price",
    "choice",
    "number",
    "variant_choice",
    "variant_number",
    "available",
    "sold_out",
    "partly_out",
]

# Two forms of each: `index` for Postgres to find the products by, `check` for one product that is
# at hand already. Those of variants are true of a product where any variant fits.
_INDEX: dict[Kind, str] = {
    "words": "l.document @@ %s::tsquery",
    "category": "l.category_ids && %s::uuid[]",
    # Of WITHIN, which goes before it in the statement.
    "within": "l.category_ids && (SELECT ids FROM within)",
    "available": "l.available",
    "sold_out": "NOT l.available",
    "partly_out": "(l.partly OR NOT l.available)",
    "choice": "l.tokens && %s::text[]",
    "price": (
        "l.product_id IN (SELECT p.product_id FROM products_listingprice p WHERE p.currency = %s"
        " AND p.amount_minor >= %s::bigint AND p.amount_minor <= %s::bigint)"
    ),
    "number": (
        "l.product_id IN (SELECT n.product_id FROM products_listingnumber n WHERE n.code = %s"
        " AND n.value >= %s::double precision AND n.value <= %s::double precision)"
    ),
}
_INDEX |= {"variant_choice": _INDEX["choice"], "variant_number": _INDEX["number"]}
_CHECK = _INDEX | {
    "price": (
        "(SELECT true FROM products_listingprice p WHERE p.product_id = l.product_id"
        " AND p.currency = %s AND p.amount_minor >= %s::bigint AND p.amount_minor <= %s::bigint"
        " LIMIT 1)"
    ),
    "number": (
        "(SELECT true FROM products_listingnumber n WHERE n.product_id = l.product_id"
        " AND n.code = %s AND n.value >= %s::double precision AND n.value <= %s::double precision"
        " LIMIT 1)"
    ),
}
_CHECK["variant_number"] = _CHECK["number"]
# What is said of a variant itself.
_SAID: dict[Kind, str] = {
    "variant_choice": "v.tokens && %s::text[]",
    "variant_number": (
        "(v.numbers ->> %s::text)::double precision"
        " BETWEEN %s::double precision AND %s::double precision"
    ),
}
_LEFT: frozenset[Kind] = frozenset({"available", "sold_out"})
_LEAST_MINOR, _MOST_MINOR = 0, 2**62


@dataclass(frozen=True, slots=True)
class Condition:
    """code: of the attribute that it is about, or empty."""

    kind: Kind
    params: tuple[Any, ...]
    code: str = ""


def conditions_of(criteria: Criteria, meant: Understood) -> tuple[Condition, ...]:
    found = []
    if meant.words is not None:
        found.append(Condition("words", (meant.words,)))
    if meant.subtree is not None:
        found.append(Condition("category", (list(meant.subtree),)))
    elif criteria.category is not None:
        found.append(Condition("within", ()))
    for code, values in sorted(criteria.choices.items()):
        choice: Kind = "variant_choice" if code in meant.of_variants else "choice"
        found.append(Condition(choice, ([f"{code}={value}" for value in values],), code))
    for code, wanted in sorted(criteria.ranges.items()):
        number: Kind = "variant_number" if code in meant.of_variants else "number"
        bounds = _bounds(wanted, -float("inf"), float("inf"))
        found.append(Condition(number, (code, *bounds), code))
    if criteria.lowest_minor is not None:
        bounds = _bounds(criteria.lowest_minor, _LEAST_MINOR, _MOST_MINOR)
        found.append(Condition("price", (criteria.currency, *bounds)))
    if criteria.available is not None:
        found.append(Condition("available" if criteria.available else "sold_out", ()))
    return tuple(found)


def where(kinds: Sequence[Kind], *, by: Literal["index", "check"]) -> str:
    """The conditions of these kinds together. Takes `params_of` them."""
    texts = _INDEX if by == "index" else _CHECK
    # Something may be left of a product of which nothing is left that fits.
    sold_out: Kind = "partly_out" if says_more(kinds) else "sold_out"
    parts = [texts[sold_out if kind == "sold_out" else kind] for kind in kinds]
    if _are_of_one(kinds):
        # Looked at per product that all else has found; Postgres is not to read all variants.
        if "sold_out" in kinds:
            parts.append(f"(SELECT NOT bool_or(v.available) {variants_of(kinds)})")
        else:
            left = " AND v.available" if "available" in kinds else ""
            parts.append(f"(SELECT true {variants_of(kinds)}{left} LIMIT 1)")
    return " AND ".join(parts) or "true"


def params_of(conditions: Sequence[Condition]) -> list[Any]:
    params = [value for condition in conditions for value in condition.params]
    if _are_of_one([condition.kind for condition in conditions]):
        params += variants_params(conditions)
    return params


def says_more(kinds: Sequence[Kind]) -> bool:
    """Whether anything is asked of a variant but whether it is left."""
    return not _SAID.keys().isdisjoint(kinds)


def variants_of(kinds: Sequence[Kind]) -> str:
    """FROM and WHERE: the variants `v` of `l` that fit, whether they are left or not. Takes
    `variants_params`."""
    said = [_SAID[kind] for kind in kinds if kind in _SAID]
    found = " AND ".join(["v.product_id = l.product_id", *said])
    return f"FROM products_listingvariant v WHERE {found}"


def variants_params(conditions: Sequence[Condition]) -> list[Any]:
    return [value for c in conditions if c.kind in _SAID for value in c.params]


def _are_of_one(kinds: Sequence[Kind]) -> bool:
    """Whether several things are asked of one variant. One alone is true of a product where it is
    of any variant."""
    return sum(kind in _SAID or kind in _LEFT for kind in kinds) > 1


def _bounds(wanted: Range, least: float, most: float) -> tuple[float, float]:
    return (
        least if wanted.least is None else wanted.least,
        most if wanted.most is None else wanted.most,
    )
