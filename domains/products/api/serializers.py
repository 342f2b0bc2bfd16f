"""What the product routes take and answer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from domains.products import rules
from domains.products.models import Price as PriceModel
from domains.products.queries import catalogue, stock
from domains.products.services.catalogue import NewProduct, NewVariant
from infrastructure.http.types import (
    Body,
    Currency,
    LongText,
    Money,
    Out,
    PageQuery,
    Query,
    ShortText,
)
from infrastructure.money import Money as MoneyValue

MAX_VARIANTS = 100
MAX_CATEGORIES = 50

# Printable and without slashes, since it is a part of paths; letters in either case.
Sku = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[^\s/?#%]+( [^\s/?#%]+)*$(?!\s)",
        examples=["85123A"],
    ),
]
Slug = Annotated[str, Meta(min_length=1, max_length=rules.MAX_SLUG_LENGTH)]
Quantity = Annotated[int, Meta(ge=0, le=rules.MAX_QUANTITY)]
Delta = Annotated[int, Meta(ge=-rules.MAX_QUANTITY, le=rules.MAX_QUANTITY)]
Reason = Annotated[str, Meta(min_length=1, max_length=200, examples=["count"])]
OptionText = Annotated[str, Meta(min_length=1, max_length=100)]
Status = Literal["draft", "active", "archived"]
Unit = Literal["piece", "g", "cm"]


class ListProducts(PageQuery, frozen=True, kw_only=True):
    """q: words that must all occur; the last one may be unfinished. category: a slug."""

    q: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    category: Slug | None = None
    sort: Literal["name", "-name", "created_at", "-created_at"] = "name"
    currency: Currency | None = None


class InCurrency(Query, frozen=True, kw_only=True):
    currency: Currency | None = None


class PriceHistoryQuery(PageQuery, frozen=True, kw_only=True):
    currency: Currency | None = None


class MovementsQuery(PageQuery, frozen=True, kw_only=True):
    pass


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


class CreateCategory(Body, frozen=True, kw_only=True):
    name: ShortText
    parent: Slug | None = None


class EditCategory(Body, frozen=True, kw_only=True):
    """parent: the slug of the category to hang it below, or null for the top of the tree."""

    name: ShortText | UnsetType = UNSET
    parent: Slug | UnsetType | None = UNSET


class AdjustStock(Body, frozen=True, kw_only=True):
    delta: Delta
    reason: Reason


class CountStock(Body, frozen=True, kw_only=True):
    """change_from: what the caller believes is on hand; null for "whatever it is"."""

    on_hand: Quantity
    change_from: Quantity | None
    reason: Reason = "count"


class Variant(Out, frozen=True, kw_only=True):
    sku: str
    name: str
    options: dict[str, str]
    unit: Unit
    price: Money | None
    available: bool

    @classmethod
    def of(cls, variant: catalogue.ListedVariant) -> Self:
        return cls(
            sku=variant.sku,
            name=variant.name,
            options=variant.options,
            unit=variant.unit,  # type: ignore[arg-type]
            price=None if variant.price is None else Money.of(variant.price),
            available=variant.available,
        )


class ListedProduct(Out, frozen=True, kw_only=True):
    id: UUID
    slug: str
    name: str
    variants: list[Variant]

    @classmethod
    def of(cls, product: catalogue.ListedProduct) -> Self:
        return cls(
            id=product.id,
            slug=product.slug,
            name=product.name,
            variants=[Variant.of(variant) for variant in product.variants],
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
    def of(cls, product: catalogue.ProductDetail) -> Self:
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


class Category(Out, frozen=True, kw_only=True):
    id: UUID
    slug: str
    name: str
    children: list[Category]

    @classmethod
    def of(cls, node: catalogue.CategoryNode) -> Self:
        return cls(
            id=node.id,
            slug=node.slug,
            name=node.name,
            children=[cls.of(child) for child in node.children],
        )


class Categories(Out, frozen=True, kw_only=True):
    items: list[Category]

    @classmethod
    def of(cls, nodes: Iterable[catalogue.CategoryNode]) -> Self:
        return cls(items=[Category.of(node) for node in nodes])


class Price(Out, frozen=True, kw_only=True):
    sku: str
    price: Money
    updated_at: datetime

    @classmethod
    def of(cls, price: PriceModel) -> Self:
        return cls(sku=price.sku, price=Money.of(price.money), updated_at=price.updated_at)


class PricePeriod(Out, frozen=True, kw_only=True):
    price: Money
    from_at: datetime

    @classmethod
    def of(cls, row: dict[str, Any], *, currency: str) -> Self:
        return cls(
            price=Money.of(MoneyValue(row["amount_minor"], currency)), from_at=row["from_at"]
        )


class WarehouseLevel(Out, frozen=True, kw_only=True):
    warehouse: str
    on_hand: int


class Inventory(Out, frozen=True, kw_only=True):
    """Totals over all warehouses. `available` is below zero by what is missing."""

    sku: str
    on_hand: int
    held: int
    available: int
    backorder_limit: int
    warehouses: list[WarehouseLevel]

    @classmethod
    def of(cls, inventory: stock.Inventory) -> Self:
        return cls(
            sku=inventory.sku,
            on_hand=inventory.on_hand,
            held=inventory.held,
            available=inventory.available,
            backorder_limit=inventory.backorder_limit,
            warehouses=[
                WarehouseLevel(warehouse=level.warehouse, on_hand=level.on_hand)
                for level in inventory.warehouses
            ],
        )


class Movement(Out, frozen=True, kw_only=True):
    """One line of the ledger. Which of `order_id`, `reason` and `actor_id` there is depends on its
    kind: holds and releases have an order, the others a reason and somebody who gave it."""

    kind: Literal["ADJUSTMENT", "COUNT", "HOLD", "RELEASE"]
    on_hand_delta: int
    held_delta: int
    warehouse: str | None
    order_id: UUID | None
    reason: str
    actor_id: UUID | None
    created_at: datetime

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        return cls(
            kind=row["kind"],
            on_hand_delta=row["on_hand_delta"],
            held_delta=row["held_delta"],
            warehouse=row["warehouse_id"],
            order_id=row["order_id"],
            reason=row["reason"],
            actor_id=row["actor_id"],
            created_at=row["created_at"],
        )


def given(body: msgspec.Struct) -> dict[str, Any]:
    """The fields that the caller sent, of a body whose fields are all optional."""
    return {
        name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET
    }
