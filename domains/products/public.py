"""What other contexts may ask of products."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from domains.products.queries import stock as stock_queries
from domains.products.queries.audit import (
    ReservationAudit,
    StockAudit,
    active_reservations,
    event_counts,
    stock_audit,
)
from domains.products.queries.stock import Offer
from domains.products.rules.stock import (
    Held,
    HoldLine,
    HoldOutcome,
    HoldRequest,
    HoldState,
    Refused,
    Released,
    Shortage,
)
from domains.products.services import inventory
from domains.products.services.categories import create_category
from domains.products.services.inventory import set_stock
from domains.products.services.products import NewProduct, NewVariant, create_products

__all__ = [
    "Held",
    "HoldLine",
    "HoldOutcome",
    "HoldRequest",
    "HoldState",
    "NewProduct",
    "NewVariant",
    "Offer",
    "Refused",
    "Released",
    "ReservationAudit",
    "Shortage",
    "StockAudit",
    "active_reservations",
    "create_category",
    "create_products",
    "event_counts",
    "hold",
    "hold_many",
    "hold_state",
    "offers",
    "release",
    "set_stock",
    "stock_audit",
]


def offers(skus: Sequence[str], *, currency: str, now: datetime) -> dict[str, Offer]:
    """Price and availability of SKUs, in one statement.

    A SKU that does not exist, or has no price in the currency, is not in the answer. What is
    available can be gone a moment later: only `hold` promises it.
    """
    return stock_queries.offers(skus, currency=currency)


def hold(*, order_id: UUID, lines: Sequence[HoldLine], now: datetime) -> HoldOutcome:
    """Hold all lines of an order, or none of them, in one statement.

    Repeatable: for an order that holds already the answer is Held, whatever the lines; for one
    whose stock was released it is Released. Refused leaves nothing behind and may be tried again.
    Raises InvalidQuantity for a quantity below one and for no lines at all.
    """
    return inventory.hold_stock(order_id=order_id, lines=lines, now=now)


def hold_many(*, requests: Sequence[HoldRequest], now: datetime) -> dict[UUID, HoldOutcome]:
    """`hold` for many orders in one statement: each wholly or not at all, in their order."""
    return inventory.hold_stock_of_many(requests=requests, now=now)


def release(*, order_id: UUID, now: datetime) -> bool:
    """Free what an order holds. True if this call freed it.

    Afterwards the order cannot hold anything, even if it never did: a hold that comes late is
    answered with Released.
    """
    return inventory.release_stock(order_id=order_id, now=now)


def hold_state(order_ids: Iterable[UUID]) -> dict[UUID, HoldState]:
    """HELD or RELEASED per order; an order that never held anything is not in the answer."""
    return stock_queries.hold_states(order_ids)
