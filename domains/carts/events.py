"""What carts tell: that one changed, and that one became an order. Never what somebody wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from infrastructure.events.event import Event, published

TOPIC = "cart-events"


@published("carts.cart_updated", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class CartUpdated(Event):
    """A cart is another than before. DELETED: somebody threw it away. MERGED: its lines are in the
    cart of a customer now. A cart that nobody touches for long goes without a word."""

    cart_id: UUID
    customer_id: UUID | None
    cart_version: int
    status: Literal["OPEN", "DELETED", "MERGED"]
    currency: str
    channel: str | None
    line_count: int
    quantity: int


@published("carts.cart_checked_out", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class CartCheckedOut(Event):
    """A cart became an order that was confirmed. It is the cart's last event."""

    cart_id: UUID
    customer_id: UUID | None
    order_id: UUID
    cart_version: int
    currency: str
    channel: str | None
    line_count: int
    quantity: int
