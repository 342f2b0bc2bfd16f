"""The facts that products publish, all of them on `product-events`."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from infrastructure.events.event import Event, published

TOPIC = "product-events"


@published("products.product_created", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class ProductCreated(Event):
    product_id: UUID
    slug: str
    product_name: str
    status: str
    skus: tuple[str, ...]


@published("products.product_updated", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class ProductUpdated(Event):
    """Name, description, status or categories changed; these are the values after it."""

    product_id: UUID
    slug: str
    product_name: str
    status: str


@published("products.product_deleted", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class ProductDeleted(Event):
    """The product was archived: it is sold no more and does not come back."""

    product_id: UUID
    slug: str


@published("products.price_changed", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class PriceChanged(Event):
    """A variant has a new price in a currency. Null before its first one."""

    price_id: UUID
    variant_id: UUID
    sku: str
    amount_minor: int
    currency: str
    previous_amount_minor: int | None


@published("products.stock_updated", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class StockUpdated(Event):
    """What lies in the warehouses changed. Holds and releases do not: they only promise it."""

    variant_id: UUID
    sku: str
    on_hand: int
    on_hand_delta: int
    kind: str


@published("products.stock_availability_changed", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class StockAvailabilityChanged(Event):
    """A SKU became available to buyers, or ceased to be."""

    variant_id: UUID
    sku: str
    available: bool


@published("products.stock_short", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class StockShort(Event):
    """More is held than there is, backorders included: somebody will have to be disappointed."""

    variant_id: UUID
    sku: str
    on_hand: int
    held: int
    missing: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ReservedLine:
    variant_id: UUID
    sku: str
    quantity: int


@published("products.stock_reserved", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class StockReserved(Event):
    """All lines of an order are held."""

    order_id: UUID
    lines: tuple[ReservedLine, ...]


@published("products.stock_released", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class StockReleased(Event):
    """What was held for an order is free again."""

    order_id: UUID
