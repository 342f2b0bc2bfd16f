"""What the product routes take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from domains.products.api.serializers.fields import Quantity, Sku, Slug
from domains.products.queries import products as queries
from domains.products.queries.variants import ListedVariant
from domains.products.services.products import NewProduct, NewVariant
from infrastructure.http.types import Body, LongText, Money, Out, ShortText

MAX_VARIANTS = 100
MAX_CATEGORIES = 50

# Printable and without slashes, since it is a part of paths; letters in either case.

OptionText = Annotated[str, Meta(min_length=1, max_length=100)]
Status = Literal["draft", "active", "archived"]
Unit = Literal["piece", "g", "cm"]


class CreateVariant(Body, frozen=True, kw_only=True):
    sku: Sku
    price: Money
    name: Annotated[str, Meta(max_length=200)] = ""
    options: Annotated[dict[OptionText, OptionText], Meta(max_length=20)] = {}
    unit: Unit = "piece"
    backorder_limit: Quantity = 0


class CreateProduct(Body, frozen=True, kw_only=True):
    name: ShortText
    variants: Annotated[list[CreateVariant], Meta(min_length=1, max_length=MAX_VARIANTS)]
    description: LongText = ""
    status: Literal["draft", "active"] = "draft"
    categories: Annotated[list[Slug], Meta(max_length=MAX_CATEGORIES)] = []

    def to_new(self) -> NewProduct:
        return NewProduct(
            name=self.name,
            description=self.description,
            status=self.status,
            categories=tuple(self.categories),
            variants=tuple(
                NewVariant(
                    sku=variant.sku,
                    prices=(variant.price.to_money(),),
                    name=variant.name,
                    options=variant.options,
                    unit=variant.unit,
                    backorder_limit=variant.backorder_limit,
                )
                for variant in self.variants
            ),
        )


class EditProduct(Body, frozen=True, kw_only=True):
    name: ShortText | UnsetType = UNSET
    description: LongText | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    categories: Annotated[list[Slug], Meta(max_length=MAX_CATEGORIES)] | UnsetType = UNSET


class Variant(Out, frozen=True, kw_only=True):
    sku: str
    name: str
    options: dict[str, str]
    unit: Unit
    price: Money | None
    available: bool

    @classmethod
    def of(cls, variant: ListedVariant) -> Self:
        return cls(
            sku=variant.sku,
            name=variant.name,
            options=variant.options,
            unit=variant.unit,  # type: ignore[arg-type]
            price=None if variant.price is None else Money.of(variant.price),
            available=variant.available,
        )


class CategoryLink(Out, frozen=True, kw_only=True):
    id: UUID
    slug: str
    name: str


class Product(Out, frozen=True, kw_only=True):
    id: UUID
    slug: str
    name: str
    description: str
    status: Status
    categories: list[CategoryLink]
    variants: list[Variant]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, product: queries.ProductDetail) -> Self:
        return cls(
            id=product.id,
            slug=product.slug,
            name=product.name,
            description=product.description,
            status=product.status,  # type: ignore[arg-type]
            categories=[
                CategoryLink(id=c.id, slug=c.slug, name=c.name) for c in product.categories
            ],
            variants=[Variant.of(variant) for variant in product.variants],
            created_at=product.created_at,
            updated_at=product.updated_at,
        )
