"""Reads of orders, none of which passes through an aggregate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models.query import QuerySet

from domains.orders.errors import OrderNotFound
from domains.orders.events import TOPIC
from domains.orders.models import Order, OrderLine
from domains.orders.rules.placement import Status
from domains.payments import public as payments
from domains.payments.public import PaymentStatus
from infrastructure.money import Money


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderAudit:
    """What the audit compares of an order. `lines` sums the quantities per variant."""

    order_id: UUID
    number: str
    status: str
    total: Money
    payment_method: str
    lines: dict[UUID, int]
    placed_at: datetime
    unsettled_since: datetime | None


def orders_of(customer_id: UUID | None) -> QuerySet[Order]:
    """A customer's orders with their lines, or everybody's (None, for staff)."""
    orders = Order.objects.prefetch_related("line_rows")
    return orders if customer_id is None else orders.filter(customer_id=customer_id)


def order_of(customer_id: UUID | None, order_id: UUID) -> Order:
    """An order with its lines, for its customer or for staff (None). Raises OrderNotFound, also
    for an order of somebody else."""
    order: Order | None = orders_of(customer_id).filter(pk=order_id).first()
    if order is None:
        raise OrderNotFound(f"There is no order {order_id}.")
    return order


def payment_statuses(orders: Sequence[Order]) -> dict[UUID, str]:
    """How the payments of these orders stand; PENDING where none has begun. One statement."""
    states = payments.payment_states([order.id for order in orders])
    return {
        order.id: states[order.id].status if order.id in states else PaymentStatus.PENDING
        for order in orders
    }


def undecided_among(order_ids: list[UUID], *, placed_before: datetime) -> list[UUID]:
    """Those of these orders that have waited for their outcome since before that time."""
    waiting = Order.objects.filter(id__in=order_ids, unsettled_since__lt=placed_before)
    return list(waiting.values_list("id", flat=True))


def confirmed_among(order_ids: list[UUID]) -> list[UUID]:
    """Those of these orders that are confirmed, and that nobody is calling off."""
    standing = Order.objects.filter(
        id__in=order_ids, status=Status.CONFIRMED, cancel_requested_at__isnull=True
    )
    return list(standing.values_list("id", flat=True))


def orders_audit() -> Iterator[OrderAudit]:
    """Every order, ordered by id, streaming. Two statements side by side, so memory stays flat."""
    lines = _lines_by_order()
    order_id, quantities = next(lines, (None, {}))
    rows = Order.objects.order_by("id").values_list(
        "id",
        "number",
        "status",
        "total_minor",
        "currency",
        "payment_method",
        "placed_at",
        "unsettled_since",
    )
    for row in rows.iterator(chunk_size=2000):
        while order_id is not None and order_id < row[0]:
            order_id, quantities = next(lines, (None, {}))
        yield OrderAudit(
            order_id=row[0],
            number=row[1],
            status=row[2],
            total=Money(row[3], row[4]),
            payment_method=row[5],
            lines=quantities if order_id == row[0] else {},
            placed_at=row[6],
            unsettled_since=row[7],
        )


def unsettled_count() -> int:
    """How many orders have something left to do."""
    return Order.objects.filter(unsettled_since__isnull=False).count()


def event_counts() -> Iterator[tuple[UUID, str, int]]:
    rows = Order.objects.order_by("id").values_list("id", "events_recorded")
    for order_id, recorded in rows.iterator(chunk_size=5000):
        yield order_id, TOPIC, recorded


def _lines_by_order() -> Iterator[tuple[UUID, dict[UUID, int]]]:
    rows = OrderLine.objects.order_by("order_id").values_list("order_id", "variant_id", "quantity")
    current: UUID | None = None
    quantities: dict[UUID, int] = {}
    for order_id, variant_id, quantity in rows.iterator(chunk_size=5000):
        if order_id != current:
            if current is not None:
                yield current, quantities
            current, quantities = order_id, {}
        quantities[variant_id] = quantities.get(variant_id, 0) + quantity
    if current is not None:
        yield current, quantities
