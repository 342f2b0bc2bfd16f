"""One page of a list, as SQL.

A list that is sorted by a column can be made in two ways. Walk along the index of its order, and
keep what fits: quick where much fits. Or fetch all that fits and sort it: quick where little does.
Nobody knows beforehand how much fits, so the statement walks first, but not far, and only where
that has not filled the page does it fetch and sort. Either way it costs about the same with a
thousand products and with a hundred thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from domains.products.queries.media import IMAGE
from domains.products.queries.search.conditions import Condition, Kind, params_of, where
from domains.products.queries.search.port import Sort
from domains.products.queries.variants import VARIANTS

# How far it walks. A filter that one product in a hundred passes still fills a page of 20 by that.
WALK = 2_000

_COLUMNS: dict[Sort, tuple[str, str]] = {
    "name": ("l.sort_name", "ASC"),
    "-name": ("l.sort_name", "DESC"),
    "price": ("o.amount_minor", "ASC"),
    "-price": ("o.amount_minor", "DESC"),
    "newest": ("l.created_at", "DESC"),
    "popularity": ("l.popularity", "DESC"),
}
_PRICED = (
    "products_listingprice o JOIN products_listing l ON l.product_id = o.product_id"
    " AND o.currency = %s"
)
# What somebody typed is what a product is called, or its SKU or barcode; the name begins with it;
# all its words are in the name; they are somewhere. Takes what was typed twice, then the words.
_RANK = """
    CASE
        WHEN l.identifiers @> ARRAY[%s::text] THEN 3
        WHEN starts_with(l.sort_name, %s) THEN 2
        WHEN l.names @@ %s::tsquery THEN 1
        ELSE 0
    END
"""


@cache
def page_text(*, kinds: Sequence[Kind], sort: Sort, continued: bool) -> str:
    """CTEs that end in `page`: n, product_id, and the values `a`, `b` it was sorted by.

    Takes the parameters in the order of `page_params`.
    """
    if sort == "relevance":
        return _ranked(kinds, continued)
    column, direction = _COLUMNS[sort]
    table = column.split(".")[0]
    source = "products_listing l" if table == "l" else _PRICED
    order = f"ORDER BY {column} {direction}, {table}.product_id {direction}"
    behind = _behind((column, f"{table}.product_id"), direction) if continued else "true"
    numbered = f"row_number() OVER (ORDER BY a {direction}, product_id {direction}) AS n"
    if not kinds:
        return f"""
        page AS MATERIALIZED (
            SELECT {numbered}, product_id, a, NULL::bigint AS b FROM (
                SELECT l.product_id, {column} AS a FROM {source} WHERE {behind} {order} LIMIT %s
            ) p
        )
        """
    return f"""
        walk AS MATERIALIZED (
            SELECT l.product_id, l.a FROM (
                SELECT l.*, {column} AS a FROM {source} WHERE {behind} {order} LIMIT {WALK}
            ) l WHERE {where(kinds, by="check")} LIMIT %s
        ), enough AS MATERIALIZED (
            SELECT count(*) >= %s AS enough FROM walk
        ), fits AS MATERIALIZED (
            SELECT l.product_id, {column} AS a FROM {source}
            WHERE NOT (SELECT enough FROM enough) AND {where(kinds, by="index")}
        ), sorted AS MATERIALIZED (
            SELECT product_id, a FROM fits
            WHERE {_behind(("a", "product_id"), direction) if continued else "true"}
            ORDER BY a {direction}, product_id {direction} LIMIT %s
        ), page AS MATERIALIZED (
            SELECT {numbered}, product_id, a, NULL::bigint AS b FROM (
                SELECT product_id, a FROM walk WHERE (SELECT enough FROM enough)
                UNION ALL
                SELECT product_id, a FROM sorted
            ) p
        )
    """


def page_params(
    conditions: Sequence[Condition],
    *,
    sort: Sort,
    after: Sequence[Any] | None,
    limit: int,
    currency: str,
    typed: str,
    words: str | None,
) -> list[Any]:
    behind, given = list(after or ()), params_of(conditions)
    if sort == "relevance":
        return [typed, typed, words, *given, *behind, limit]
    source = [currency] if "price" in sort else []
    if not conditions:
        return [*source, *behind, limit]
    return [*source, *behind, *given, limit, limit, *source, *given, *behind, limit]


def _behind(columns: Sequence[str], direction: str) -> str:
    places = ", ".join("%s" for _ in columns)
    return f"({', '.join(columns)}) {'<' if direction == 'DESC' else '>'} ({places})"


def _ranked(kinds: Sequence[Kind], continued: bool) -> str:
    behind = _behind(("a", "b", "product_id"), "DESC") if continued else "true"
    order = "ORDER BY a DESC, b DESC, product_id DESC"
    return f"""
        fits AS MATERIALIZED (
            SELECT l.product_id, {_RANK} AS a, l.popularity AS b
            FROM products_listing l WHERE {where(kinds, by="index")}
        ), page AS MATERIALIZED (
            SELECT row_number() OVER ({order}) AS n, product_id, a, b FROM (
                SELECT * FROM fits WHERE {behind} {order} LIMIT %s
            ) p
        )
    """


# What is shown of a page's products, one after the other: of how many there are on a page Postgres
# knows nothing. Takes the locale, the prices' parameters and the locale.
SHOWN = f"""
    SELECT g.n, s.*, g.a, g.b FROM page g CROSS JOIN LATERAL (
        SELECT p.id, p.slug, ({IMAGE}) AS image, ({VARIANTS}) AS variants, coalesce(nullif((
            SELECT t.name FROM products_producttext t WHERE t.product_id = p.id AND t.locale = %s
        ), ''), p.name) AS name
        FROM products_product p WHERE p.id = g.product_id LIMIT 1
    ) s
"""
