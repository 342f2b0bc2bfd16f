"""Products, and how they are told of and found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self, TypedDict, Unpack
from uuid import UUID

from django.db import models

from domains.products.errors import (
    InvalidProduct,
    LastVariant,
    NothingToSell,
    ProductArchived,
    VariantNotFound,
)
from domains.products.events import ProductCreated, ProductDeleted, ProductUpdated
from domains.products.models.categories import Category
from domains.products.models.media import Illustrated
from domains.products.models.product_keys import ProductQuerySet
from domains.products.models.texts import SlugRow, TextRow, retold, with_slug
from domains.products.models.types import ProductType
from domains.products.models.variants import Variant, VariantChanges, merged_values
from domains.products.rules.attributes import Level, checked_attributes, escaped
from domains.products.rules.barcodes import is_barcode
from domains.products.rules.slugs import MAX_SLUG_LENGTH
from domains.products.rules.texts import Texts, line_faults
from domains.products.rules.variants import option_faults
from infrastructure.aggregates import Owned, OwnedModel
from infrastructure.errors import FieldError
from infrastructure.ids import new_id


class ProductChanges(TypedDict, total=False):
    """What can be changed of a product. attributes, texts: None takes a code or a locale away,
    those that are not mentioned stay. variants: by SKU."""

    slug: str
    external_id: str | None
    product_type: ProductType | None
    name: str
    description: str
    seo_title: str
    seo_description: str
    texts: Mapping[str, Texts | None]
    attributes: Mapping[str, Any]
    category_ids: Sequence[UUID]
    status: str
    variants: Mapping[str, VariantChanges]


class Product(Illustrated):
    """What the catalogue shows as one thing; its variants are what is sold.

    attributes: by code, as the type demands.
    """

    class Status(models.TextChoices):
        DRAFT = "draft"
        ACTIVE = "active"
        ARCHIVED = "archived"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.CharField(max_length=MAX_SLUG_LENGTH)
    external_id = models.CharField(max_length=200, null=True, blank=True)
    product_type = models.ForeignKey(
        ProductType, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    attributes: Any = models.JSONField(default=dict, blank=True)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    seo_title = models.CharField(max_length=200, blank=True)
    seo_description = models.CharField(max_length=500, blank=True)
    status = models.CharField(max_length=8, choices=Status)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    variants = Owned("variant_rows")
    categories = Owned("category_rows")
    texts = Owned("text_rows")
    slugs = Owned("slug_rows")

    objects = ProductQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="products_product_slug_unique"),
            models.UniqueConstraint(
                fields=["external_id"], name="products_product_external_id_unique"
            ),
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
        status: str,
        variants: Sequence[Variant],
        category_ids: Sequence[UUID],
        now: datetime,
        description: str = "",
        seo_title: str = "",
        seo_description: str = "",
        external_id: str | None = None,
        product_type: ProductType | None = None,
        attributes: Mapping[str, Any] | None = None,
        texts: Mapping[str, Texts] | None = None,
    ) -> Self:
        """A product with at least one variant. Raises NothingToSell, InvalidProduct."""
        skus = tuple(variant.sku for variant in variants)
        if not skus:
            raise NothingToSell("A product needs at least one variant.")
        if len(set(skus)) < len(skus):
            raise NothingToSell("A SKU can be only one variant of a product.")
        product = cls(
            name=name,
            description=description,
            seo_title=seo_title,
            seo_description=seo_description,
            external_id=external_id,
            product_type=product_type,
            attributes=dict(attributes or {}),
            status=cls.Status(status).value,
            created_at=now,
            updated_at=now,
        )
        for position, variant in enumerate(variants):
            variant.position = position
        product.variants = variants
        product.texts = retold([], texts or {}, ProductText)
        product._take_slug(slug)
        product._put_into(category_ids)
        product._check({sku: f"/variants/{place}" for place, sku in enumerate(skus)})
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
        now: datetime,
        pointers: Mapping[str, str] | None = None,
        **changes: Unpack[ProductChanges],
    ) -> tuple[str, ...]:
        """Change what is given. Returns the names of what is different now.

        An old slug goes on leading here. pointers: where the input tells of a SKU.
        Raises ProductArchived: an archived product is out of the catalogue for good;
        VariantNotFound, LastVariant, InvalidProduct with all that is wrong.
        """
        self._refuse_archived()
        changed = [name for name in _PLAIN if self._take(name, changes)]
        if "product_type" in changes:
            changed += self._become(changes["product_type"])
        if "attributes" in changes:
            merged = merged_values(self.attributes, changes["attributes"])
            if merged != self.attributes:
                self.attributes = merged
                changed.append("attributes")
        if "slug" in changes and changes["slug"] != self.slug:
            self._take_slug(changes["slug"])
            changed.append("slug")
        if "texts" in changes and self._retell(changes["texts"]):
            changed.append("texts")
        if "category_ids" in changes and self._put_into(changes["category_ids"]):
            changed.append("categories")
        if self._edit_variants(changes.get("variants", {}), now):
            changed.append("variants")
        status = changes.get("status", self.status)
        if status not in (self.status, self.Status.ARCHIVED):
            self.status = self.Status(status).value
            changed.append("status")
        if _CHECKED & set(changed):
            self._check(pointers or {})
        if changed:
            self._changed(changed, now)
        if status == self.Status.ARCHIVED:
            self.archive(now=now)
            changed.append("status")
        return tuple(changed)

    def add_variants(self, variants: Sequence[Variant], *, now: datetime) -> None:
        """Sell further variants, shown behind the others.

        Raises ProductArchived, NothingToSell, InvalidProduct.
        """
        self._refuse_archived()
        if len({variant.sku for variant in variants}) < len(variants):
            raise NothingToSell("A SKU can be only one variant of a product.")
        behind = 1 + max(variant.position for variant in self.variants)
        for place, variant in enumerate(variants):
            variant.position = behind + place
        self.variants = [*self.variants, *variants]
        self._check({variant.sku: f"/variants/{n}" for n, variant in enumerate(variants)})
        self._changed(["variants"], now)

    def archive(self, *, now: datetime) -> None:
        """Take it out of the catalogue. What was ordered of it stays ordered."""
        self._refuse_archived()
        self.status = self.Status.ARCHIVED.value
        self.updated_at = now
        self.record(ProductDeleted(product_id=self.id, slug=self.slug, occurred_at=now))

    def _refuse_archived(self) -> None:
        if self.status == self.Status.ARCHIVED:
            raise ProductArchived(f"{self.name} is archived.")

    def _changed(self, changed: Sequence[str], now: datetime) -> None:
        self.updated_at = now
        self.record(
            ProductUpdated(
                product_id=self.id,
                slug=self.slug,
                product_name=self.name,
                status=self.status,
                changed=tuple(changed),
                occurred_at=now,
            )
        )

    def _take(self, name: str, changes: Mapping[str, Any]) -> bool:
        if name not in changes or changes[name] == getattr(self, name):
            return False
        setattr(self, name, changes[name])
        return True

    def _become(self, product_type: ProductType | None) -> list[str]:
        before = self.product_type_id
        self.product_type = product_type
        return ["product_type"] if self.product_type_id != before else []

    def _take_slug(self, slug: str) -> None:
        self.slug = slug
        self.slugs = with_slug(self.slugs, slug, ProductSlug)

    def _retell(self, changes: Mapping[str, Texts | None]) -> bool:
        before = {row.locale: row.told for row in self.texts}
        self.texts = retold(self.texts, changes, ProductText)
        return before != {row.locale: row.told for row in self.texts}

    def _put_into(self, category_ids: Sequence[UUID]) -> bool:
        before = [link.category_id for link in self.categories]
        kept = {link.category_id: link for link in self.categories}
        after = list(dict.fromkeys(category_ids))
        links = [kept.get(other) or ProductCategory(category_id=other) for other in after]
        for position, link in enumerate(links):
            link.position = position
        self.categories = links
        return before != after

    def _edit_variants(self, changes: Mapping[str, VariantChanges], now: datetime) -> bool:
        variants = {variant.sku: variant for variant in self.variants} if changes else {}
        differ = False
        for sku, wanted in changes.items():
            if sku not in variants:
                raise VariantNotFound(f"{self.name} has no SKU {sku}.")
            differ |= variants[sku].edit(now=now, **wanted)
        return differ

    def _check(self, pointers: Mapping[str, str]) -> None:
        """Raises InvalidProduct with all faults, LastVariant."""
        active = self.status == self.Status.ACTIVE
        rules = self.product_type.rules if self.product_type else (lambda level: ())
        self.attributes, faults = checked_attributes(
            self.attributes, rules(Level.PRODUCT), complete=active, pointer="/attributes"
        )
        sold = [
            (pointers.get(variant.sku, f"/variants/{escaped(variant.sku)}"), variant)
            for variant in self.variants
            if variant.retired_at is None
        ]
        if active and not sold:
            raise LastVariant("A product on sale keeps at least one variant.")
        for pointer, variant in sold:
            variant.attributes, wrong = checked_attributes(
                variant.attributes,
                rules(Level.VARIANT),
                complete=active,
                pointer=f"{pointer}/attributes",
            )
            faults += wrong
            faults += line_faults(
                {f"{pointer}/name": variant.name, f"{pointer}/barcode": variant.barcode}
            )
            if not is_barcode(variant.barcode):
                detail = f"The check digit of {variant.barcode} is wrong."
                faults.append(FieldError(f"{pointer}/barcode", "invalid_barcode", detail))
        faults += option_faults([(pointer, variant.options) for pointer, variant in sold])
        if faults:
            raise InvalidProduct(errors=faults)


_PLAIN = ("external_id", "name", "description", "seo_title", "seo_description")
_CHECKED = {"product_type", "attributes", "status", "variants"}


class ProductCategory(OwnedModel):
    """That a product is listed in a category. The first of them is its main one."""

    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, related_name="category_rows", db_index=False
    )
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta(OwnedModel.Meta):
        ordering = ("position", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["product", "category"], name="products_productcategory_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} in {self.category_id}"


class ProductText(TextRow):
    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, related_name="text_rows", db_index=False
    )

    class Meta(TextRow.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["product", "locale"], name="products_producttext_unique"
            ),
        ]


class ProductSlug(SlugRow):
    """The one it has and the ones it had: all of them lead to it."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="slug_rows")

    class Meta(SlugRow.Meta):
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="products_productslug_unique"),
        ]
