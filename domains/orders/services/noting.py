"""What members of staff tell each other about an order."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domains.orders.models import Order
from domains.orders.rules.history import By
from domains.orders.services.beginning import change_order


def note_order(*, order_id: UUID, text: str, by: By, now: datetime) -> Order:
    """Write a note into the order's history, which customers do not see. Raises OrderNotFound."""
    order, _ = change_order(
        order_id=order_id,
        change=lambda order: order.note("note", actor=by, at=now, text=text),
        now=now,
    )
    return order
