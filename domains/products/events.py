"""The facts that products publish, all of them on `product-events`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from infrastructure.events.event import Event, published

TOPIC = "product-events"

# Always with its offset; so the schema says what kind of text it is.
Instant = Annotated[datetime, Meta(tz=True)]


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
    """Something about it changed; these are the values after it.

    changed: the names of what is different, `variants` for whatever is different about them.
    """

    product_id: UUID
    slug: str
    product_name: str
    status: str
    changed: tuple[str, ...] = ()


@published("products.product_deleted", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class ProductDeleted(Event):
    """The product was archived: it is sold no more and does not come back."""

    product_id: UUID
    slug: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PricesFromQuantity:
    min_quantity: int
    amount_minor: int


@published("products.price_changed", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class PriceChanged(Event):
    """What a variant costs in a currency and a price list turned: the price of one piece, its
    reduction or what larger quantities cost. It occurred when the new price began to be asked.

    previous_amount_minor: null before its first price. price_list: a code, null for the base.
    regular_amount_minor, lowest_30d_amount_minor: set while a reduction is announced; the lowest
    that was asked in this price list before it.
    """

    price_id: UUID
    variant_id: UUID
    sku: str
    amount_minor: int
    currency: str
    previous_amount_minor: int | None
    price_list: str | None = None
    regular_amount_minor: int | None = None
    lowest_30d_amount_minor: int | None = None
    tiers: tuple[PricesFromQuantity, ...] = ()


@published("products.price_withdrawn", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class PriceWithdrawn(Event):
    """One piece of a variant has no price in a currency and a price list.

    previous_amount_minor: null if it had none before either. tiers: what larger quantities cost
    nevertheless.
    """

    price_id: UUID
    variant_id: UUID
    sku: str
    currency: str
    previous_amount_minor: int | None
    price_list: str | None
    tiers: tuple[PricesFromQuantity, ...]


@published("products.price_list_changed", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class PriceListChanged(Event):
    """A price list was made or changed: for whom it holds, when, and before which others."""

    price_list_id: UUID
    price_list: str
    currency: str
    channel: str | None
    customer_group: str | None
    priority: int
    valid_from: Instant | None
    valid_until: Instant | None
    active: bool


@published("products.stock_updated", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class StockUpdated(Event):
    """What lies in the warehouses changed. Holds and releases do not: they only promise it.

    on_hand: the total over all warehouses. on_hand_delta: what changed in `warehouse`; a transfer
    is two of these, which add up to nothing. fulfilment_id: what goods were sent with, else null.
    """

    variant_id: UUID
    sku: str
    on_hand: int
    on_hand_delta: int
    kind: str
    warehouse: str = ""
    fulfilment_id: UUID | None = None


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


@published("products.stock_low", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class StockLow(Event):
    """What can still be promised fell to the SKU's threshold or below it. Told once; again after
    it was above in between."""

    variant_id: UUID
    sku: str
    available: int
    threshold: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ReservedLine:
    variant_id: UUID
    sku: str
    quantity: int


@published("products.stock_reserved", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class StockReserved(Event):
    """All these lines are held: for an order, or for a cart until it expires.

    order_id: the order's id, or the cart's where `holder` is `cart`. A cart is held again and
    again; the last one counts. expires_at: not before this; null for an order.
    """

    order_id: UUID
    lines: tuple[ReservedLine, ...]
    holder: str = "order"
    expires_at: datetime | None = None


@published("products.stock_released", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class StockReleased(Event):
    """What was held for an order, or a cart, is free again, or went over from the cart to an order.

    order_id: the order's id, or the cart's where `holder` is `cart`. expired: its time was over.
    """

    order_id: UUID
    holder: str = "order"
    expired: bool = False
