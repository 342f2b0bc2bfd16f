"""One of each command on a confirmed order of two A."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from domains.orders.errors import NotInWarehouse, OrderError
from domains.orders.models import Order
from domains.orders.models.commands.refunding import RefundWish
from domains.orders.rules.history import By, Kind
from domains.orders.services import cancelling, editing, fulfilling, refunding, returning
from domains.products.services import inventory
from infrastructure.ids import new_id

BY = By(kind=Kind.STAFF, id=new_id())


def _fulfil(order: Order, now: datetime) -> None:
    fulfilling.fulfil(order_id=order.id, lines=None, warehouse="main", by=BY, key=None, now=now)


def _capture(order: Order, now: datetime) -> None:
    fulfilling.capture(order_id=order.id, by=BY, key=None, now=now)


def _cancel_lines(order: Order, now: datetime) -> None:
    lines = {order.lines[0].id: 1}
    cancelling.cancel(
        order_id=order.id, reason="", lines=lines, refund=True, by=BY, key=None, now=now
    )


def _cancel(order: Order, now: datetime) -> None:
    cancelling.cancel(order_id=order.id, reason="", refund=True, by=BY, key=None, now=now)


def _edit(order: Order, now: datetime) -> None:
    more = editing.LineEdit(line_id=order.lines[0].id, quantity=3)
    wanted = editing.Edit(lines=[more], token="tok_visa")
    editing.edit(order_id=order.id, changes=wanted, reason="", by=BY, key=None, now=now)


def _refund(order: Order, now: datetime) -> None:
    wish = RefundWish(units={order.lines[0].id: 1})
    refunding.refund(order_id=order.id, wish=wish, reason="", by=BY, key=None, now=now)


def _receive(order: Order, now: datetime) -> None:
    [announced] = order.returns
    returning.receive_return(
        order_id=order.id,
        return_id=announced.id,
        inspected=None,
        warehouse="main",
        by=BY,
        key=None,
        now=now,
    )


def _fulfil_lacking(order: Order, now: datetime) -> None:
    with suppress(NotInWarehouse):
        _fulfil(order, now)


def _receive_nowhere(order: Order, now: datetime) -> None:
    [announced] = order.returns
    with suppress(OrderError):
        returning.receive_return(
            order_id=order.id,
            return_id=announced.id,
            inspected=None,
            warehouse="nowhere",
            by=BY,
            key=None,
            now=now,
        )


def goods_go(order: Order, now: datetime) -> None:
    """None of what is held is there any more."""
    inventory.set_stock(levels={"A": 0}, reason="count", now=now)


def send_one(order: Order, now: datetime) -> None:
    lines = {order.lines[0].id: 1}
    fulfilling.fulfil(order_id=order.id, lines=lines, warehouse="main", by=BY, key=None, now=now)


def announce(order: Order, now: datetime) -> None:
    """A return of one A that staff have approved, of an order that was sent."""
    lines = {order.lines[0].id: 1}
    _, made, _ = returning.request_return(
        order_id=order.id, lines=lines, reason="", by=BY, key=None, now=now
    )
    returning.decide_return(
        order_id=order.id, return_id=made.id, approve=True, reason="", by=BY, now=now
    )


COMMANDS: dict[str, Callable[[Order, datetime], None]] = {
    "fulfil": _fulfil,
    "capture": _capture,
    "cancel_lines": _cancel_lines,
    "cancel": _cancel,
    "cancel_rest": _cancel_lines,
    "edit": _edit,
    "refund": _refund,
    "receive": _receive,
}
# These are refused once they are begun.
REFUSED: dict[str, Callable[[Order, datetime], None]] = {
    "fulfil_lacking": _fulfil_lacking,
    "receive_nowhere": _receive_nowhere,
}
