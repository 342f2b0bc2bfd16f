"""By what products are found, and how they are locked."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Self
from uuid import UUID

from infrastructure.aggregates import AggregateQuerySet
from infrastructure.database.contexts import connection_of

if TYPE_CHECKING:
    from domains.products.models.products import Product


class ProductQuerySet(AggregateQuerySet):
    def locked(self) -> Self:
        """Lock what is selected against other commands, in one order for everybody."""
        return self.select_for_update(no_key=True, of=("self",)).order_by("pk")

    def lock_of_variants(self, variant_ids: Collection[UUID]) -> None:
        """Lock the products that these are variants of, and read nothing of them."""
        connection_of("products").fetch(_LOCK_OF_VARIANTS, [list(variant_ids)])

    def slugs_among(self, slugs: Iterable[str]) -> set[str]:
        """Those of these slugs that a product has or had. One array: there may be thousands."""
        sql = "SELECT slug FROM products_productslug WHERE slug = ANY(%s::text[])"
        with connection_of("products").cursor() as cursor:
            cursor.execute(sql, [list(slugs)])
            return {slug for (slug,) in cursor.fetchall()}

    def locked_by_keys(
        self, *, external_ids: Collection[str], slugs: Collection[str], skus: Collection[str]
    ) -> list[Product]:
        """Products that any of these lead to, whole but for their pictures, locked in the order of
        their ids against other commands."""
        keys = [list(external_ids), list(slugs), list(skus)]
        found = self.raw(_LOCK_BY_KEYS, keys).prefetch_related(
            "variant_rows", "category_rows", "text_rows", "slug_rows"
        )
        return list(found)

    def type_ids_by_keys(
        self, *, external_ids: Collection[str], slugs: Collection[str], skus: Collection[str]
    ) -> set[UUID]:
        """The types that these products have in this moment. Types are locked before products."""
        keys = [list(external_ids), list(slugs), list(skus)]
        found = connection_of("products").fetch(_TYPES_BY_KEYS, keys)
        return {type_id for (type_id,) in found}


_LOCK_OF_VARIANTS = """
    SELECT 1 FROM products_product
    WHERE id IN (SELECT product_id FROM products_variant WHERE id = ANY(%s::uuid[]))
    ORDER BY id FOR NO KEY UPDATE
"""

_BY_KEYS = """
    id = ANY(ARRAY(
        SELECT id FROM products_product WHERE external_id = ANY(%s::text[])
        UNION SELECT product_id FROM products_productslug WHERE slug = ANY(%s::text[])
        UNION SELECT product_id FROM products_variant WHERE sku = ANY(%s::text[])
    ))
"""

_LOCK_BY_KEYS = f"SELECT * FROM products_product WHERE {_BY_KEYS} ORDER BY id FOR NO KEY UPDATE"

_TYPES_BY_KEYS = f"""
    SELECT DISTINCT product_type_id FROM products_product
    WHERE {_BY_KEYS} AND product_type_id IS NOT NULL
"""
