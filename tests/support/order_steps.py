"""What staff do to an order after it was confirmed, each time under a key of its own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from domains.orders.models import Order
from domains.orders.models.commands.refunding import RefundWish
from domains.orders.services import editing, fulfilling, refunding
from domains.orders.services.beginning import Begun
from domains.orders.services.editing import Edit, LineEdit
from tests.support.after_placement import STAFF, line_ids
from tests.support.factories import orders


def fulfil(order: Order, now: datetime, **changes: object) -> fulfilling.Begun:
    asked = {
        "order_id": order.id,
        "lines": None,
        "warehouse": "main",
        "by": STAFF,
        "key": orders.key(),
        "now": now,
    } | changes
    return fulfilling.fulfil(**asked)  # type: ignore[arg-type]


def capture(order: Order, now: datetime, amount_minor: int | None = None) -> fulfilling.Begun:
    return fulfilling.capture(
        order_id=order.id, amount_minor=amount_minor, by=STAFF, key=orders.key(), now=now
    )


def edit(order: Order, now: datetime, **changes: object) -> editing.Begun:
    return editing.edit(
        order_id=order.id,
        changes=Edit(**changes),  # type: ignore[arg-type]
        reason="customer_request",
        by=STAFF,
        key=orders.key(),
        now=now,
    )


def more(order: Order, sku: str, quantity: int) -> LineEdit:
    return LineEdit(line_id=line_ids(order)[sku], quantity=quantity)


def refund(order: Order, now: datetime, **wish: Any) -> Begun:
    key = wish.pop("key", None) or orders.key()
    return refunding.refund(
        order_id=order.id,
        wish=RefundWish(**wish),
        reason="goodwill",
        by=STAFF,
        key=key,
        now=now,
    )
