"""Lists of products, searched and sorted: one statement, two within a category."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal
from uuid import UUID

from domains.products.queries.prices import PricesFor
from domains.products.queries.variants import VARIANTS, ListedVariant, variants_of
from domains.products.rules.search import search_words
from infrastructure.database.contexts import connection_of

# What a list can be sorted by; the id makes each of them unique.
ORDERS: dict[str, tuple[str, str]] = {
    "name": ("name", "id"),
    "-name": ("-name", "-id"),
    "created_at": ("created_at", "id"),
    "-created_at": ("-created_at", "-id"),
}

SMALL_CATEGORY = 2000
Within = Literal["anywhere", "small", "large"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedProduct:
    id: UUID
    slug: str
    name: str
    created_at: datetime
    variants: tuple[ListedVariant, ...]


# The same expression as in the index: Postgres uses it for nothing else.
_DOCUMENT = (
    "(to_tsvector('english'::regconfig, COALESCE(p.search_text, ''))"
    " || to_tsvector('simple'::regconfig, COALESCE(p.search_text, '')))"
)
_SUBTREE = """
    WITH RECURSIVE subtree AS (
        SELECT id FROM products_category WHERE slug = %s
        UNION ALL
        SELECT c.id FROM products_category c JOIN subtree ON c.parent_id = subtree.id
    )
    SELECT (SELECT array_agg(id) FROM subtree), (
        SELECT count(*) FROM (
            SELECT 1 FROM products_productcategory
            WHERE category_id = ANY(ARRAY(SELECT id FROM subtree)) LIMIT %s
        ) links
    )
"""
# Few products are fetched and sorted. Of many, one comes up soon enough on a walk along the order.
_IN_CATEGORY = {
    "small": (
        "p.id = ANY(ARRAY(SELECT l.product_id FROM products_productcategory l"
        " WHERE l.category_id = ANY(%s::uuid[])))"
    ),
    "large": (
        "(SELECT true FROM products_productcategory l"
        " WHERE l.product_id = p.id AND l.category_id = ANY(%s::uuid[]) LIMIT 1)"
    ),
}
_QUERY = "(to_tsquery('english'::regconfig, %s) || to_tsquery('simple'::regconfig, %s))"


def products_listed(
    *,
    q: str | None,
    category: str | None,
    prices: PricesFor,
    sort: str,
    after: Sequence[Any] | None,
    limit: int,
) -> list[ListedProduct]:
    """Products on sale, in one statement; in two within a category.

    q: words that must all occur, each maybe as the beginning of one; None for no search.
    category: slug of a category; products of those below it are listed too.
    sort: a key of ORDERS. after: the values of its two fields that the list continues behind.
    """
    searched, params = False, list[Any]()
    if q is not None:
        words = search_words(q)
        if not words:
            return []
        searched, params = True, [words, words]
    within: Within = "anywhere"
    if category is not None:
        [(subtree, linked)] = connection_of("products").fetch(_SUBTREE, [category, SMALL_CATEGORY])
        if not linked:
            return []
        within = "small" if linked < SMALL_CATEGORY else "large"
        params.append(subtree)
    params += [*(after or ()), limit, *prices.params]
    fetch = connection_of("products").fetch
    sql = _list_text(searched=searched, within=within, sort=sort, continued=after is not None)
    return [
        ListedProduct(
            id=product_id,
            slug=slug,
            name=name,
            created_at=created_at,
            variants=variants_of(variants, prices),
        )
        for product_id, slug, name, created_at, variants in fetch(sql, params)
    ]


@cache
def _list_text(*, searched: bool, within: Within, sort: str, continued: bool) -> str:
    column = sort.removeprefix("-")
    direction, beyond = ("DESC", "<") if sort.startswith("-") else ("ASC", ">")
    conditions = ["p.status = 'active'"]
    if searched:
        conditions.append(f"{_DOCUMENT} @@ {_QUERY}")
    if within != "anywhere":
        conditions.append(_IN_CATEGORY[within])
    found = (
        "SELECT p.id, p.slug, p.name, p.created_at FROM products_product p"
        f" WHERE {' AND '.join(conditions)}"
    )
    # What is found by an index of its own is sorted afterwards. Left to itself, Postgres may walk
    # along the order instead, and look at one product after another.
    fence = "MATERIALIZED" if searched or within == "small" else ""
    start = f"WHERE (p.{column}, p.id) {beyond} (%s, %s)" if continued else ""
    return f"""
        WITH found AS {fence} ({found}), page AS (
            SELECT * FROM found p {start}
            ORDER BY p.{column} {direction}, p.id {direction} LIMIT %s
        )
        SELECT p.id, p.slug, p.name, p.created_at, ({VARIANTS})
        FROM page p ORDER BY p.{column} {direction}, p.id {direction}
    """
