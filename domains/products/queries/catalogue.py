"""Reading the catalogue: lists and details in one statement each, rows shaped for the screen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Literal
from uuid import UUID

import msgspec
from django.db.models import QuerySet

from domains.products import rules
from domains.products.errors import ProductNotFound, VariantNotFound
from domains.products.models import Category, PricePeriod, Product, Variant
from infrastructure.database.contexts import connection_of
from infrastructure.money import Money

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
class ListedVariant:
    """price: None where the variant has none in the currency that was asked for."""

    sku: str
    name: str
    options: dict[str, str]
    unit: str
    price: Money | None
    available: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedProduct:
    id: UUID
    slug: str
    name: str
    created_at: datetime
    variants: tuple[ListedVariant, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedCategory:
    id: UUID
    slug: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductDetail:
    id: UUID
    slug: str
    name: str
    description: str
    status: str
    version: int
    created_at: datetime
    updated_at: datetime
    variants: tuple[ListedVariant, ...]
    categories: tuple[ListedCategory, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CategoryNode:
    id: UUID
    slug: str
    name: str
    version: int
    children: list[CategoryNode] = field(default_factory=list)


_VARIANTS = """
    SELECT json_agg(json_build_array(v.sku, v.name, v.options, v.unit, pr.amount_minor,
        s.on_hand + s.backorder_limit - s.held > 0) ORDER BY v.position)::text
    FROM products_variant v
    JOIN products_stockitem s ON s.variant_id = v.id
    LEFT JOIN products_price pr ON pr.variant_id = v.id AND pr.currency = %s
    WHERE v.product_id = p.id
"""

# The same expression as in the index: Postgres uses it for nothing else.
_DOCUMENT = (
    "(to_tsvector('english'::regconfig, COALESCE(p.search_text, ''))"
    " || to_tsvector('simple'::regconfig, COALESCE(p.search_text, '')))"
)
_SUBTREE = """
    WITH subtree AS MATERIALIZED (
        SELECT c.id FROM products_category top
        JOIN products_category c ON starts_with(c.path, top.path)
        WHERE top.slug = %s
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
    currency: str,
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
        words = rules.search_words(q)
        if not words:
            return []
        searched, params = True, [words, words]
    within: Within = "anywhere"
    if category is not None:
        [(subtree, linked)] = _rows(_SUBTREE, [category, SMALL_CATEGORY])
        if not linked:
            return []
        within = "small" if linked < SMALL_CATEGORY else "large"
        params.append(subtree)
    params += [*(after or ()), limit, currency]
    sql = _list_text(searched=searched, within=within, sort=sort, continued=after is not None)
    return [
        ListedProduct(
            id=product_id,
            slug=slug,
            name=name,
            created_at=created_at,
            variants=_variants(variants, currency),
        )
        for product_id, slug, name, created_at, variants in _rows(sql, params)
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
        SELECT p.id, p.slug, p.name, p.created_at, ({_VARIANTS})
        FROM page p ORDER BY p.{column} {direction}, p.id {direction}
    """


_DETAIL = f"""
    SELECT p.id, p.slug, p.name, p.description, p.status, p.version, p.created_at, p.updated_at,
        ({_VARIANTS}),
        (
            SELECT json_agg(json_build_array(c.id, c.slug, c.name) ORDER BY c.name, c.id)::text
            FROM products_productcategory l JOIN products_category c ON c.id = l.category_id
            WHERE l.product_id = p.id
        )
    FROM products_product p
"""


def product_shown(id_or_slug: str, *, currency: str, hidden_too: bool) -> ProductDetail:
    """One product, by its id or its slug. Raises ProductNotFound.

    hidden_too: whether the caller may see what is not on sale.
    """
    product_id = _as_uuid(id_or_slug)
    column, key = ("slug", id_or_slug) if product_id is None else ("id", product_id)
    rows = _rows(f"{_DETAIL} WHERE p.{column} = %s", [currency, key])
    if not rows or not (hidden_too or rows[0][4] == "active"):
        raise ProductNotFound(f"There is no product {id_or_slug}.")
    row = rows[0]
    return ProductDetail(
        id=row[0],
        slug=row[1],
        name=row[2],
        description=row[3],
        status=row[4],
        version=row[5],
        created_at=row[6],
        updated_at=row[7],
        variants=_variants(row[8], currency),
        categories=tuple(
            ListedCategory(id=UUID(category_id), slug=slug, name=name)
            for category_id, slug, name in (msgspec.json.decode(row[9]) if row[9] else ())
        ),
    )


def product_id_of(id_or_slug: str) -> UUID:
    """Raises ProductNotFound."""
    product_id = _as_uuid(id_or_slug)
    if product_id is None:
        product_id = Product.objects.filter(slug=id_or_slug).values_list("pk", flat=True).first()
    if product_id is None:
        raise ProductNotFound(f"There is no product {id_or_slug}.")
    return product_id


def category_tree() -> list[CategoryNode]:
    """All categories, each below its parent, sorted by name; one statement."""
    children: dict[UUID | None, list[CategoryNode]] = defaultdict(list)
    categories = Category.objects.order_by("name", "id")
    for pk, slug, name, version, parent_id in categories.values_list(
        "pk", "slug", "name", "version", "parent_id"
    ):
        node = CategoryNode(id=pk, slug=slug, name=name, version=version, children=children[pk])
        children[parent_id].append(node)
    return children[None]


def category_of(category_id: UUID) -> CategoryNode | None:
    """One category with what lies below it."""
    waiting = category_tree()
    while waiting:
        node = waiting.pop()
        if node.id == category_id:
            return node
        waiting += node.children
    return None


def price_history_of(sku: str, *, currency: str) -> QuerySet[PricePeriod, Any]:
    """What a SKU cost from when on, to be read in pages. Raises VariantNotFound."""
    variant_id = Variant.objects.filter(sku=sku).values_list("pk", flat=True).first()
    if variant_id is None:
        raise VariantNotFound(f"There is no SKU {sku}.")
    return PricePeriod.objects.filter(
        price__variant_id=variant_id, price__currency=currency
    ).values("id", "amount_minor", "from_at", "actor_id")


def _rows(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection_of("products").cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def _variants(text: str | None, currency: str) -> tuple[ListedVariant, ...]:
    return tuple(
        ListedVariant(
            sku=sku,
            name=name,
            options=options,
            unit=unit,
            price=None if amount_minor is None else Money(amount_minor, currency),
            available=available,
        )
        for sku, name, options, unit, amount_minor, available in (
            msgspec.json.decode(text) if text else ()
        )
    )


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
