"""What other contexts may ask of products."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from domains.products.errors import ChangeBarred, UnknownChannel
from domains.products.queries import prices as price_queries
from domains.products.queries import stock as stock_queries
from domains.products.queries.audit import (
    MovedAudit,
    ReservationAudit,
    StockAudit,
    active_reservations,
    event_counts,
    moved_for_orders,
    moved_though_barred,
    overdue_cart_holds,
    stock_audit,
)
from domains.products.queries.media import products_with_pictures
from domains.products.queries.prices import prices_for
from domains.products.queries.stock import NotOffered, Offer, why_not_offered
from domains.products.queries.trees import categories_of
from domains.products.rules.stock import (
    Held,
    HoldChange,
    HoldLine,
    HoldOutcome,
    HoldRequest,
    HoldState,
    Refused,
    Released,
    Shortage,
)
from domains.products.services import inventory, order_goods
from domains.products.services.categories import NewCategory, add_category
from domains.products.services.inventory import set_stock
from domains.products.services.media import add_media
from domains.products.services.price_lists import create_price_list
from domains.products.services.prices import NewPrice, set_prices
from domains.products.services.products import NewProduct, NewVariant, create_products

__all__ = [
    "ChangeBarred",
    "Held",
    "HoldChange",
    "HoldLine",
    "HoldOutcome",
    "HoldRequest",
    "HoldState",
    "MovedAudit",
    "NewCategory",
    "NewPrice",
    "NewProduct",
    "NewVariant",
    "NotOffered",
    "Offer",
    "Refused",
    "Released",
    "ReservationAudit",
    "Shortage",
    "StockAudit",
    "UnknownChannel",
    "active_reservations",
    "add_category",
    "add_media",
    "bar_change",
    "categories_of",
    "change_hold",
    "channels",
    "create_price_list",
    "create_products",
    "event_counts",
    "held_for_cart",
    "hold",
    "hold_for_cart",
    "hold_for_cart_again",
    "hold_many",
    "hold_state",
    "lacking_in",
    "moved_for_orders",
    "moved_though_barred",
    "offers",
    "open_warehouses",
    "overdue_cart_holds",
    "products_with_pictures",
    "release",
    "release_cart_hold",
    "restock",
    "set_prices",
    "set_stock",
    "stock_audit",
    "take_out",
    "why_not_offered",
]


def offers(
    wanted: Mapping[str, int],
    *,
    currency: str,
    channel: str | None = None,
    customer_group: str | None = None,
    now: datetime,
) -> dict[str, Offer]:
    """Price and availability of SKUs, in one statement.

    wanted: how many of each; what one costs may depend on it. channel, customer_group: whose price
    lists hold besides those for everybody. Raises UnknownChannel.
    A SKU that does not exist, or has no price in the currency, is not in the answer:
    `why_not_offered` tells which. What is available can be gone a moment later: only `hold`
    promises it.
    """
    prices = prices_for(currency=currency, channel=channel, customer_group=customer_group, now=now)
    return stock_queries.offers(wanted, prices=prices)


def hold(
    *,
    order_id: UUID,
    lines: Sequence[HoldLine],
    now: datetime,
    instead_of: UUID | None = None,
) -> HoldOutcome:
    """Hold all lines of an order, or none of them, in one statement.

    instead_of: a cart whose hold the order takes over: what the cart holds is free for this order
    alone, and the cart's hold ends in the same moment. Where the order is refused the cart keeps
    it. What carts hold beyond their time is freed before it makes an order fail.

    Repeatable: for an order that holds already the answer is Held, whatever the lines; for one
    whose stock was released it is Released. Refused leaves nothing behind and may be tried again.
    Raises InvalidQuantity for a quantity below one and for no lines at all.
    """
    return inventory.hold_stock(order_id=order_id, lines=lines, now=now, instead_of=instead_of)


def hold_many(*, requests: Sequence[HoldRequest], now: datetime) -> dict[UUID, HoldOutcome]:
    """`hold` for many orders in one statement: each wholly or not at all, in their order."""
    return inventory.hold_stock_of_many(requests=requests, now=now)


def release(*, order_id: UUID, now: datetime) -> bool:
    """Free what an order holds. True if this call freed it.

    Afterwards the order cannot hold anything, even if it never did: a hold that comes late is
    answered with Released.
    """
    return inventory.release_stock(order_id=order_id, now=now)


def hold_for_cart(
    *,
    cart_id: UUID,
    lines: Sequence[HoldLine],
    now: datetime,
    ttl: timedelta,
    instead_of: UUID | None = None,
) -> HoldOutcome:
    """Hold these lines for a cart until now + ttl, in place of whatever it held: all or nothing.

    instead_of: another cart that goes into this one. What it holds counts as free for this one
    alone, and its hold ends in the moment in which this one's begins.
    Held or Refused; refused, each keeps what it held before, for as long as that lasts.
    Repeatable: the same lines again only last longer. Locks nothing of the carts but their own
    rows. Raises InvalidQuantity for a quantity below one, for no lines at all and for no time.
    """
    return inventory.hold_stock_for_cart(
        cart_id=cart_id, lines=lines, now=now, ttl=ttl, instead_of=instead_of
    )


def hold_for_cart_again(
    *, cart_id: UUID, quantities: Mapping[str, int], until: datetime, now: datetime
) -> dict[str, int]:
    """Hold for a cart what it held before, by SKU, until the time that it had: of each that is
    sold as many as there are. Returns what is held for it then, which is as it was where it holds
    anything by now. Repeatable."""
    return inventory.hold_stock_for_cart_again(
        cart_id=cart_id, quantities=quantities, until=until, now=now
    )


def release_cart_hold(*, cart_id: UUID, now: datetime) -> bool:
    """Free what a cart holds. True if this call freed it; the cart may hold again."""
    return inventory.release_cart_hold(cart_id=cart_id, now=now)


def take_out(
    *,
    order_id: UUID,
    fulfilment_id: UUID,
    lines: Sequence[HoldLine],
    warehouse: str,
    now: datetime,
) -> bool:
    """Goods that are held for an order leave a warehouse: all these lines or none.

    What is on hand and what is held fall together, so nothing changes for other buyers. When
    nothing is held any more the order's hold is FULFILLED. Repeatable under the fulfilment's id:
    True if this call took them out. Raises NotHeld where less is held for the order, NegativeStock
    where less lies in the warehouse, UnknownWarehouse, WarehouseInactive, InvalidQuantity, and
    ChangeBarred where it was barred: see `bar_change`.
    """
    return order_goods.take_out(
        order_id=order_id, fulfilment_id=fulfilment_id, lines=lines, warehouse=warehouse, now=now
    )


def change_hold(
    *, order_id: UUID, change_id: UUID, changes: Sequence[HoldChange], now: datetime
) -> HoldOutcome:
    """Hold more of this and less of that for an order: all of it or nothing, in one statement.

    Repeatable under `change_id`: a change that was made answers Held again. Refused leaves the hold
    as it was. Released: the order holds nothing any more, or never did. What carts hold beyond
    their time is freed before it makes a change fail. Raises NotHeld where more is given back than
    is held, and ChangeBarred where it was barred: see `bar_change`.
    """
    return order_goods.change_hold(order_id=order_id, change_id=change_id, changes=changes, now=now)


def restock(
    *,
    order_id: UUID,
    change_id: UUID,
    lines: Sequence[HoldLine],
    warehouse: str,
    now: datetime,
) -> bool:
    """Goods that had left for an order lie in a warehouse again: all these lines or none.

    Repeatable under `change_id`: True if this call put them there. Raises UnknownWarehouse,
    WarehouseInactive, InvalidQuantity, and ChangeBarred where it was barred: see `bar_change`.
    """
    return order_goods.restock(
        order_id=order_id, change_id=change_id, lines=lines, warehouse=warehouse, now=now
    )


def bar_change(*, order_id: UUID, change_id: UUID, refusal: str, now: datetime) -> str | None:
    """Keep goods of an order from ever moving under this id, of a fulfilment or of a change.

    For who gives up what they should move for, while somebody slower may be about to move them.
    refusal: what for, as a code. Returns what it was barred for the first time, since whoever did
    that may have died before they said so; None where goods have moved: then it is not given up.
    Repeatable.
    """
    return order_goods.bar_change(order_id=order_id, change_id=change_id, refusal=refusal, now=now)


def lacking_in(
    warehouse: str, lines: Sequence[HoldLine], *, fulfilment_id: UUID
) -> tuple[Shortage, ...]:
    """What a warehouse lacks at this moment for taking these lines out; only `take_out` decides.

    Nothing where they were taken out for this fulfilment before. Raises InvalidQuantity.
    """
    return stock_queries.lacking_in(warehouse, lines, fulfilment_id=fulfilment_id)


def channels() -> list[tuple[str, str]]:
    """Code and name of those that the shop sells in, by their codes. One statement."""
    return [(channel.code, channel.name or channel.code) for channel in price_queries.channels()]


def open_warehouses() -> list[tuple[str, str]]:
    """Code and name of those that goods may leave and come to, the main one first."""
    return stock_queries.open_warehouses()


def held_for_cart(*, cart_id: UUID, now: datetime) -> dict[str, int]:
    """How many of each SKU are held for the cart, and so are no part of what is available. Nothing
    once its time is over, when they are free for anybody. One statement."""
    return stock_queries.held_for_cart(cart_id, now=now)


def hold_state(order_ids: Iterable[UUID]) -> dict[UUID, HoldState]:
    """HELD, RELEASED or FULFILLED per order; one that never held anything is not in the answer."""
    return stock_queries.hold_states(order_ids)
