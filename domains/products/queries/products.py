"""One product, as its page shows it: one statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from domains.products.errors import ProductNotFound
from domains.products.models import Product
from domains.products.queries.variants import VARIANTS, ListedVariant, variants_of
from infrastructure.database.contexts import connection_of


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


_DETAIL = f"""
    SELECT p.id, p.slug, p.name, p.description, p.status, p.version, p.created_at, p.updated_at,
        ({VARIANTS}),
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
    rows = connection_of("products").fetch(f"{_DETAIL} WHERE p.{column} = %s", [currency, key])
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
        variants=variants_of(row[8], currency),
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


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
