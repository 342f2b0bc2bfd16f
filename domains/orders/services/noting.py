"""What members of staff tell each other about an order."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domains.orders.models import Order
from domains.orders.rules.history import By
from domains.orders.services.beginning import change_order
from infrastructure.http.idempotency import IdempotencyKey


def note_order(
    *,
    order_id: UUID,
    text: str,
    by: By,
    key: IdempotencyKey | None = None,
    now: datetime,
) -> Order:
    """Write a note into the order's history, which customers do not see. Raises OrderNotFound, and
    Duplicate for a key that was used before."""
    order, _ = change_order(
        order_id=order_id,
        change=lambda order: order.leave_note(text, actor=by, now=now),
        key=key,
        subject=lambda _: order_id,
        now=now,
    )
    return order
