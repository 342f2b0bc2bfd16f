"""What is asked of a product, as SQL over its row `l` of the listing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from domains.products.queries.search.port import Criteria, Range
from domains.products.queries.search.understanding import Understood

Kind = Literal["words", "category", "within", "available", "choice", "price", "number"]

# Two forms of each: `index` for Postgres to find the products by, `check` for one product that is
# at hand already.
_INDEX: dict[Kind, str] = {
    "words": "l.document @@ %s::tsquery",
    "category": "l.category_ids && %s::uuid[]",
    # Of WITHIN, which goes before it in the statement.
    "within": "l.category_ids && (SELECT ids FROM within)",
    "available": "l.available = %s",
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
        found.append(Condition("choice", ([f"{code}={value}" for value in values],), code))
    for code, wanted in sorted(criteria.ranges.items()):
        bounds = _bounds(wanted, -float("inf"), float("inf"))
        found.append(Condition("number", (code, *bounds), code))
    if criteria.lowest_minor is not None:
        bounds = _bounds(criteria.lowest_minor, _LEAST_MINOR, _MOST_MINOR)
        found.append(Condition("price", (criteria.currency, *bounds)))
    if criteria.available is not None:
        found.append(Condition("available", (criteria.available,)))
    return tuple(found)


def where(kinds: Sequence[Kind], *, by: Literal["index", "check"]) -> str:
    """The conditions of these kinds together."""
    texts = _INDEX if by == "index" else _CHECK
    return " AND ".join(texts[kind] for kind in kinds) or "true"


def params_of(conditions: Sequence[Condition]) -> list[Any]:
    return [value for condition in conditions for value in condition.params]


def _bounds(wanted: Range, least: float, most: float) -> tuple[float, float]:
    return (
        least if wanted.least is None else wanted.least,
        most if wanted.most is None else wanted.most,
    )
