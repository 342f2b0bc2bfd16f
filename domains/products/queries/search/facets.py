"""How many products there are per value, as SQL: exact, under all that was chosen.

What is chosen in a facet does not narrow that facet, or nobody could choose a second value of it.
So each is counted under all conditions but its own. Of a product only the variants count that fit
what is asked of variants.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from domains.products.queries.search.conditions import (
    Condition,
    Kind,
    params_of,
    says_more,
    variants_of,
    variants_params,
    where,
)
from domains.products.queries.search.port import (
    CountedAttribute,
    CountedPrices,
    CountedRange,
    CountedValue,
    Facets,
    FacetsWanted,
)

# What is counted of a product, a row `l` of the listing.
COUNTED = "l.product_id, l.tokens, l.category_ids, l.available, l.partly"

# The most values of one attribute that are told; those that most products have.
MOST_VALUES = 100

# From so many products on it is quicker to read all prices.
MANY = 5_000

_BOUNDS = tuple(step * 10**power for power in range(8) for step in (1, 2, 5))

Chosen = tuple[tuple[Kind, str], ...]
# What may be chosen in each of the facets.
_PRICE: tuple[Kind, ...] = ("price",)
_LEFT: tuple[Kind, ...] = ("available", "sold_out")
_CHOICES: tuple[Kind, ...] = ("choice", "variant_choice")

# Plans are made without knowing how much is found, and several conditions are taken to find next to
# nothing. So what was found is never joined with what was made of it, which Postgres would compare
# row by row: categories take their products along on the way up. Tables are joined by their keys.
# Takes the slug of the chosen category and the locale.
_CATEGORIES = """
    WITH RECURSIVE chosen AS MATERIALIZED (
        SELECT (SELECT s.category_id FROM products_categoryslug s WHERE s.slug = %s::text) AS id
    ), found AS MATERIALIZED (
        SELECT each.id, array_agg(each.product_id) AS products FROM (
            SELECT unnest(l.category_ids) AS id, l.product_id FROM matched l
        ) each GROUP BY each.id
    ), up AS (
        SELECT f.products, c.id, c.parent_id
        FROM found f JOIN products_category c ON c.id = f.id
        UNION ALL
        SELECT up.products, c.id, c.parent_id
        FROM up JOIN products_category c ON c.id = up.parent_id
        WHERE up.parent_id IS DISTINCT FROM (SELECT id FROM chosen)
    ), counted AS MATERIALIZED (
        SELECT each_once.id, count(*) AS n FROM (
            SELECT DISTINCT up.id, unnest(up.products) AS product_id FROM up
            WHERE up.parent_id IS NOT DISTINCT FROM (SELECT id FROM chosen)
        ) each_once GROUP BY each_once.id
    )
    SELECT coalesce(json_agg(
        json_build_array(c.slug, coalesce(nullif(t.name, ''), c.name), k.n)
        ORDER BY c.position, c.id
    ), '[]'::json)
    FROM counted k JOIN products_category c ON c.id = k.id
    LEFT JOIN products_categorytext t ON t.category_id = c.id AND t.locale = %s
"""


def facets_text(conditions: Sequence[Condition], wanted: FacetsWanted) -> str:
    """A scalar subquery of one JSON object, as text, behind a CTE `matched` of the products under
    all conditions with the columns COUNTED. Takes `facets_params`."""
    return _text(tuple((c.kind, c.code) for c in conditions), wanted)


def matched_text(kinds: Sequence[Kind], *, name: str = "matched") -> str:
    return f"""
        {name} AS MATERIALIZED (
            SELECT {COUNTED} FROM products_listing l WHERE {where(kinds, by="index")}
        )
    """


def facets_params(
    conditions: Sequence[Condition],
    wanted: FacetsWanted,
    *,
    category: str | None,
    currency: str,
    digits: int,
    locale: str,
) -> list[Any]:
    params: list[Any] = []
    if wanted.price:
        params += _params_without(conditions, _PRICE)
    if wanted.available:
        params += _params_without(conditions, _LEFT)
    if wanted.categories:
        params += [category, locale]
    if wanted.price:
        params += [[bound * 10**digits for bound in _BOUNDS], currency]
    if wanted.available:
        params += variants_params(conditions)
    if wanted.attributes:
        codes = None if wanted.attributes is True else sorted(wanted.attributes)
        chosen = [c.code for c in conditions if c.kind in _CHOICES]
        params += [*_counted_params(conditions, is_matched=True), chosen, codes]
        for code in chosen:
            others = [c for c in conditions if c.code != code]
            params += [*_counted_params(others), code, codes]
        params += [MOST_VALUES, locale, locale]
    return params


def facets_of(text: str, *, digits: int) -> Facets:
    """What the subquery found."""
    found = msgspec.json.decode(text)
    attributes = found.get("attributes")
    return Facets(
        count=found["count"],
        categories=_values(found.get("categories")),
        price=_prices(found["price"], digits) if found.get("price") else None,
        available=None if "available" not in found else dict(found["available"]),
        attributes=None
        if attributes is None
        else tuple(
            CountedAttribute(code=code, name=name, values=_values(values) or ())
            for code, name, values in attributes
        ),
    )


def _values(rows: Sequence[Any] | None) -> tuple[CountedValue, ...] | None:
    if rows is None:
        return None
    return tuple(CountedValue(value=value, name=name, count=n) for value, name, n in rows)


def _prices(found: Sequence[Any], digits: int) -> CountedPrices:
    lowest, highest, buckets = found
    bounds = [0, *(bound * 10**digits for bound in _BOUNDS), None]
    return CountedPrices(
        lowest_minor=lowest,
        highest_minor=highest,
        ranges=tuple(
            CountedRange(least_minor=bounds[b] or 0, most_minor=bounds[b + 1], count=n)
            for b, n in buckets
        ),
    )


def _params_without(conditions: Sequence[Condition], kinds: Collection[Kind]) -> list[Any]:
    """Those of `_source`."""
    others = [condition for condition in conditions if condition.kind not in kinds]
    return params_of(others) if len(others) < len(conditions) else []


# Callers choose the filters, so there are more combinations than are worth keeping.
@lru_cache(maxsize=256)
def _text(chosen: Chosen, wanted: FacetsWanted) -> str:
    parts = ["'count', (SELECT count(*) FROM matched)"]
    if wanted.categories:
        parts.append(f"'categories', ({_CATEGORIES})")
    sources: list[str] = []
    if wanted.price:
        parts.append(f"'price', ({_price(_source(chosen, _PRICE, sources))})")
    if wanted.available:
        source = _source(chosen, _LEFT, sources)
        parts.append(f"'available', ({_available(source, [kind for kind, _ in chosen])})")
    if wanted.attributes:
        parts.append(f"'attributes', ({_attributes(chosen)})")
    ctes = f"WITH {', '.join(sources)}" if sources else ""
    return f"{ctes} SELECT json_build_object({', '.join(parts)})::text"


def _source(chosen: Chosen, kinds: Sequence[Kind], sources: list[str]) -> str:
    """The products under all conditions but those of these kinds, as rows `l`. Adds to `sources`
    what is none yet."""
    others = [other for other, _ in chosen if other not in kinds]
    if len(others) == len(chosen):
        return "matched l"
    name = f"without_{kinds[0]}"
    sources.append(matched_text(others, name=name))
    return f"{name} l"


def _price(source: str) -> str:
    """Prices of few products are looked up one by one, those of many all at once. Takes the bounds
    and the currency."""
    few = f"(SELECT count(*) FROM {source}) < {MANY}"
    return f"""
        SELECT CASE WHEN count(*) > 0 THEN json_build_array(
            min(k.lowest), max(k.highest),
            json_agg(json_build_array(k.bucket, k.n) ORDER BY k.bucket)
        ) END
        FROM (
            SELECT width_bucket(p.amount_minor, w.bounds) AS bucket, count(*) AS n,
                min(p.amount_minor) AS lowest, max(p.amount_minor) AS highest
            FROM (SELECT %s::bigint[] AS bounds, %s::text AS currency) w CROSS JOIN LATERAL (
                SELECT o.amount_minor FROM {source} CROSS JOIN LATERAL (
                    SELECT o.amount_minor FROM products_listingprice o
                    WHERE o.product_id = l.product_id AND o.currency = w.currency LIMIT 1
                ) o
                WHERE {few}
                UNION ALL
                SELECT o.amount_minor FROM {source}
                JOIN products_listingprice o ON o.product_id = l.product_id
                WHERE o.currency = w.currency AND NOT {few}
            ) p
            GROUP BY 1
        ) k
    """


def _available(source: str, kinds: Sequence[Kind]) -> str:
    """Takes `variants_params`."""
    available = "l.available"
    if says_more(kinds):
        # Of the variants that are asked for.
        available = f"""CASE WHEN l.partly THEN (
            SELECT bool_or(v.available) {variants_of(kinds)}
        ) ELSE l.available END"""
    return f"""
        SELECT coalesce(json_agg(json_build_array(k.available, k.n)), '[]'::json) FROM (
            SELECT {available} AS available, count(*) AS n FROM {source} GROUP BY 1
        ) k
    """


def _attributes(chosen: Chosen) -> str:
    """Values of all attributes under all conditions; those of a chosen one without its own.

    Takes `_counted_params`, the chosen codes and those that are asked for; per chosen one
    `_counted_params` of the others, its code and those that are asked for; MOST_VALUES; the locale
    twice.
    """
    own = [code for kind, code in chosen if kind in _CHOICES]
    kinds = [kind for kind, _ in chosen]
    parts = [_counted(kinds, "<> ALL(%s::text[])", is_matched=True)]
    for code in own:
        parts.append(_counted([kind for kind, other in chosen if other != code], "= %s"))
    return f"""
        WITH counted AS MATERIALIZED ({" UNION ALL ".join(parts)}),
        ranked AS (
            SELECT code, value, n,
                row_number() OVER (PARTITION BY code ORDER BY n DESC, value) AS place
            FROM counted
        ), shown AS MATERIALIZED (
            SELECT code, array_agg(value ORDER BY place) AS values, array_agg(n ORDER BY place) AS n
            FROM ranked WHERE place <= %s GROUP BY code
        )
        SELECT coalesce(json_agg(
            json_build_array(s.code, coalesce(a.name, o.name, s.code), (
                SELECT json_agg(
                    json_build_array(u.value, coalesce(l.names ->> u.value, u.value), u.n)
                    ORDER BY u.place
                )
                FROM unnest(s.values, s.n) WITH ORDINALITY u (value, n, place)
            ))
            ORDER BY a.position, s.code
        ), '[]'::json)
        FROM shown s
        CROSS JOIN LATERAL (
            -- Of two attributes the older one comes last, and so wins.
            SELECT jsonb_object_agg(
                c.choice ->> 'code', coalesce(c.choice -> 'names' ->> %s::text, c.choice ->> 'name')
                ORDER BY a.id DESC
            ) AS names
            FROM products_attribute a
            CROSS JOIN LATERAL jsonb_array_elements(a.choices) c (choice)
            WHERE a.code = s.code AND a.filterable
        ) l
        LEFT JOIN LATERAL (
            SELECT coalesce(a.names ->> %s::text, a.name) AS name, a.position
            FROM products_attribute a WHERE a.code = s.code AND a.filterable ORDER BY a.id LIMIT 1
        ) a ON true
        LEFT JOIN products_listingoption o ON o.code = s.code
    """


def _counted(kinds: Sequence[Kind], codes: str, *, is_matched: bool = False) -> str:
    """is_matched: whether `matched` has the products under these conditions. Takes
    `_counted_params`, and codes twice."""
    source = "matched l"
    if not is_matched or "sold_out" in kinds:
        source = f"products_listing l WHERE {where(_with_one_more(kinds), by='index')}"
    return f"""
        SELECT code, value, n FROM (
            SELECT split_part(t.token, '=', 1) AS code,
                substr(t.token, strpos(t.token, '=') + 1) AS value, t.n
            FROM (
                SELECT token, count(*) AS n FROM (
                    SELECT unnest({_tokens(kinds)}) AS token FROM {source}
                ) u GROUP BY token
            ) t
        ) k
        WHERE code {codes} AND coalesce(code = ANY(%s::text[]), true)
    """


def _counted_params(conditions: Sequence[Condition], *, is_matched: bool = False) -> list[Any]:
    of_variants = variants_params(conditions)
    if any(c.kind == "sold_out" for c in conditions):
        others = [c for c in conditions if c.kind != "sold_out"]
        return [*of_variants, *of_variants, *params_of(others)]
    return of_variants if is_matched else [*of_variants, *params_of(conditions)]


def _with_one_more(kinds: Sequence[Kind]) -> list[Kind]:
    """What is not sold out may be so in one of its colours."""
    return ["partly_out" if kind == "sold_out" else kind for kind in kinds]


def _tokens(kinds: Sequence[Kind]) -> str:
    """Those of `l`, or only of the variants of it that fit. Takes `variants_params`, twice for what
    is sold out."""
    if not says_more(kinds) and not {*_LEFT} & {*kinds}:
        return "l.tokens"
    fit = f"SELECT unnest(v.tokens) {variants_of(kinds)}"
    left = f"{fit} AND v.available"
    if "sold_out" in kinds:
        fit = f"{fit} EXCEPT {left}"
    elif "available" in kinds:
        fit = left
    found = f"ARRAY(SELECT DISTINCT t FROM ({fit}) u (t))"
    # Mostly all variants are left, or none.
    return found if says_more(kinds) else f"CASE WHEN l.partly THEN {found} ELSE l.tokens END"
