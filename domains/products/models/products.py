"""Products and their variants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models

from domains.products.errors import NothingToSell, ProductArchived
from domains.products.events import ProductCreated, ProductDeleted, ProductUpdated
from domains.products.models.categories import Category
from domains.products.rules.search import search_text
from domains.products.rules.slugs import MAX_SLUG_LENGTH
from infrastructure.aggregates import AggregateQuerySet, AggregateRoot, Owned, OwnedModel
from infrastructure.database.contexts import connection_of
from infrastructure.ids import new_id

# English for its word stems, "simple" for everything else: other languages, SKUs, and the stop
# words that somebody types on the way to a longer word. queries.py searches with the same two.
SEARCH_DOCUMENT = SearchVector("search_text", config="english") + SearchVector(
    "search_text", config="simple"
)


class ProductQuerySet(AggregateQuerySet):
    def slugs_among(self, slugs: Iterable[str]) -> set[str]:
        """Those of these slugs that are taken. One array parameter: there may be thousands."""
        sql = "SELECT slug FROM products_product WHERE slug = ANY(%s::text[])"
        with connection_of("products").cursor() as cursor:
            cursor.execute(sql, [list(slugs)])
            return {slug for (slug,) in cursor.fetchall()}


class Product(AggregateRoot):
    """What the catalogue shows as one thing; its variants are what is sold."""

    class Status(models.TextChoices):
        DRAFT = "draft"
        ACTIVE = "active"
        ARCHIVED = "archived"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.CharField(max_length=MAX_SLUG_LENGTH)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    status = models.CharField(max_length=8, choices=Status)
    search_text = models.TextField(editable=False)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    variants = Owned("variant_rows")
    categories = Owned("category_rows")

    objects = ProductQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="products_product_slug_unique"),
        ]
        indexes = [
            models.Index(
                fields=["name", "id"],
                condition=models.Q(status="active"),
                name="products_active_by_name",
            ),
            models.Index(
                fields=["created_at", "id"],
                condition=models.Q(status="active"),
                name="products_active_by_age",
            ),
            GinIndex(SEARCH_DOCUMENT, name="products_search"),
        ]

    def __str__(self) -> str:
        return self.name

    # Factories

    @classmethod
    def create(
        cls,
        *,
        name: str,
        slug: str,
        description: str,
        status: str,
        variants: Sequence[Variant],
        category_ids: Sequence[UUID],
        now: datetime,
    ) -> Self:
        """A product with at least one variant. Raises NothingToSell."""
        skus = tuple(variant.sku for variant in variants)
        if not skus:
            raise NothingToSell("A product needs at least one variant.")
        if len(set(skus)) < len(skus):
            raise NothingToSell("A SKU can be only one variant of a product.")
        product = cls(
            name=name,
            slug=slug,
            description=description,
            status=cls.Status(status).value,
            created_at=now,
            updated_at=now,
        )
        for position, variant in enumerate(variants):
            variant.position = position
        product.variants = variants
        product._put_into(category_ids)
        product._refresh_search_text()
        product.record(
            ProductCreated(
                product_id=product.id,
                slug=slug,
                product_name=name,
                status=product.status,
                skus=skus,
                occurred_at=now,
            )
        )
        return product

    # Commands

    def edit(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        status: str | None = None,
        category_ids: Sequence[UUID] | None = None,
        now: datetime,
    ) -> None:
        """Change what is given. The slug stays, so that links go on working.

        Raises ProductArchived: an archived product is out of the catalogue for good.
        """
        self._refuse_archived()
        if name is not None:
            self.name = name
        if description is not None:
            self.description = description
        if category_ids is not None:
            self._put_into(category_ids)
        self._refresh_search_text()
        self.updated_at = now
        if status == self.Status.ARCHIVED:
            self.archive(now=now)
            return
        if status is not None:
            self.status = self.Status(status).value
        self.record(
            ProductUpdated(
                product_id=self.id,
                slug=self.slug,
                product_name=self.name,
                status=self.status,
                occurred_at=now,
            )
        )

    def archive(self, *, now: datetime) -> None:
        """Take it out of the catalogue. What was ordered of it stays ordered."""
        self._refuse_archived()
        self.status = self.Status.ARCHIVED.value
        self.updated_at = now
        self.record(ProductDeleted(product_id=self.id, slug=self.slug, occurred_at=now))

    def _refuse_archived(self) -> None:
        if self.status == self.Status.ARCHIVED:
            raise ProductArchived(f"{self.name} is archived.")

    def _put_into(self, category_ids: Sequence[UUID]) -> None:
        kept = {link.category_id: link for link in self.categories}
        self.categories = [
            kept.get(category_id) or ProductCategory(category_id=category_id)
            for category_id in dict.fromkeys(category_ids)
        ]

    def _refresh_search_text(self) -> None:
        self.search_text = search_text(
            name=self.name,
            skus=[variant.sku for variant in self.variants],
            description=self.description,
        )


class Variant(OwnedModel):
    """One thing that can be put into a cart.

    sku: case-sensitive, never changed.
    unit: what a quantity of one is; goods by weight or length are sold by the gram or centimetre.
    """

    class Unit(models.TextChoices):
        PIECE = "piece"
        GRAM = "g"
        CENTIMETRE = "cm"

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="variant_rows")
    sku = models.CharField(max_length=64)
    name = models.CharField(max_length=200, blank=True)
    options: Any = models.JSONField(default=dict)
    unit = models.CharField(max_length=8, choices=Unit, default=Unit.PIECE)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["sku"], name="products_variant_sku_unique"),
        ]

    def __str__(self) -> str:
        return self.sku


class ProductCategory(OwnedModel):
    """That a product is listed in a category."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="category_rows")
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="+")

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["product", "category"], name="products_productcategory_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} in {self.category_id}"
