"""What staff do to an order after it was confirmed, each time under a key of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from domains.orders.models import Order, Return
from domains.orders.models.commands.refunding import RefundWish
from domains.orders.models.commands.returning import Inspected
from domains.orders.services import editing, fulfilling, refunding, returning
from domains.orders.services.beginning import Begun
from domains.orders.services.editing import Edit, LineEdit
from tests.support.after_placement import STAFF, line_ids, units
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


def announced(order: Order, now: datetime, **quantities: int) -> Return:
    _, made, _ = returning.request_return(
        order_id=order.id,
        lines=units(order, quantities),
        reason="too_small",
        by=STAFF,
        key=orders.key(),
        now=now,
    )
    return made


def decided(order: Order, return_id: UUID, now: datetime, *, approve: bool = True) -> Return:
    _, made = returning.decide_return(
        order_id=order.id, return_id=return_id, approve=approve, reason="", by=STAFF, now=now
    )
    return made


def received(order: Order, return_id: UUID, now: datetime, **found: Inspected) -> Begun:
    ids = line_ids(order)
    return returning.receive_return(
        order_id=order.id,
        return_id=return_id,
        inspected={ids[sku]: inspected for sku, inspected in found.items()} or None,
        warehouse="main",
        by=STAFF,
        key=orders.key(),
        now=now,
    )


def came_back(
    order: Order,
    now: datetime,
    *,
    found: Mapping[str, Inspected] | None = None,
    **quantities: int,
) -> Return:
    """A return of these that was announced, accepted and received, as it was announced."""
    made = announced(order, now, **quantities)
    decided(order, made.id, now)
    received(order, made.id, now, **(found or {}))
    return made
