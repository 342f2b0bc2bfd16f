"""The facts that orders publish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from infrastructure.events.codec import upcaster
from infrastructure.events.event import Event, published

TOPIC = "order-events"


@upcaster("orders.order_created", version=1)
@upcaster("orders.order_status_updated", version=1)
@upcaster("orders.order_cancelled", version=1)
def _without_guests(payload: dict[str, Any]) -> dict[str, Any]:
    """Before guests could order, every order had a customer; nothing else is different."""
    return payload


@published("orders.order_created", topic=TOPIC, version=2)
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderCreated(Event):
    """An order was taken and is PENDING. A guest's has no customer. `asynchronous`: nobody waits
    for its outcome, the consumer settles it."""

    order_id: UUID
    number: str
    customer_id: UUID | None
    currency: str
    total_minor: int
    line_count: int
    asynchronous: bool


@published("orders.order_status_updated", topic=TOPIC, version=2)
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderStatusUpdated(Event):
    """The status of an order changed, or something beside it that is told here as well; then
    `previous_status` is the status. `reason` is a code, empty for a confirmed order.

    total_change_minor: by how much what is to be paid rose or fell, where an order that stands was
    edited or parts of it were called off.
    """

    order_id: UUID
    number: str
    customer_id: UUID | None
    previous_status: str
    status: str
    reason: str
    currency: str
    total_minor: int
    fulfilment_status: str = "UNFULFILLED"
    payment_status: str = ""
    return_status: str = "NONE"
    total_change_minor: int = 0


@published("orders.order_cancelled", topic=TOPIC, version=2)
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderCancelled(Event):
    """Follows OrderStatusUpdated for an order that somebody called off."""

    order_id: UUID
    number: str
    customer_id: UUID | None
    reason: str
