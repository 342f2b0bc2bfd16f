"""The facts that orders publish."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from infrastructure.events.event import Event, published

TOPIC = "order-events"


@published("orders.order_created", topic=TOPIC)
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderCreated(Event):
    """An order was taken and is PENDING. `asynchronous`: nobody waits for its outcome, the
    consumer settles it."""

    order_id: UUID
    number: str
    customer_id: UUID
    currency: str
    total_minor: int
    line_count: int
    asynchronous: bool


@published("orders.order_status_updated", topic=TOPIC)
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderStatusUpdated(Event):
    """`reason` is a code, empty for a confirmed order."""

    order_id: UUID
    number: str
    customer_id: UUID
    previous_status: str
    status: str
    reason: str
    currency: str
    total_minor: int


@published("orders.order_cancelled", topic=TOPIC)
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderCancelled(Event):
    """Follows OrderStatusUpdated for an order that somebody called off."""

    order_id: UUID
    number: str
    customer_id: UUID
    reason: str
