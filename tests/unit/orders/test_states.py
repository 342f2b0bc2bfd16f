"""What the status of an order allows, and what is said where it does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from domains.orders.errors import OrderInWrongState, OrderNotCancellable
from domains.orders.models import Order

COMMANDS: dict[str, Callable[[Order, datetime], None]] = {
    "confirm": lambda order, now: order.confirm(now=now),
    "reject": lambda order, now: order.reject(reason="out_of_stock", now=now),
    "complete": lambda order, now: order.complete(now=now),
    "refuse_cancel": lambda order, now: order.refuse_cancel(),
    "await_payment": lambda order, now: order.await_payment(until=now, now=now),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("status", ["REJECTED", "CANCELLED", "COMPLETED"])
def test_an_order_that_ended_is_not_decided_again(name: str, status: str, now: datetime) -> None:
    order = Order(number="7Q4M2XWJK", status=status)

    with pytest.raises(OrderInWrongState) as refused:
        COMMANDS[name](order, now)

    assert refused.value.detail == f"Order 7Q4M2XWJK is {status}."
    assert (order.status, order.reason, order.shortages) == (status, "", [])


def test_an_order_is_not_finished_before_it_is_decided() -> None:
    with pytest.raises(OrderInWrongState):
        Order(number="7Q4M2XWJK", status="PENDING").finish()


@pytest.mark.parametrize("status", ["REJECTED", "CANCELLED", "COMPLETED"])
def test_an_order_that_ended_cannot_be_cancelled(status: str, now: datetime) -> None:
    order = Order(number="7Q4M2XWJK", status=status)

    with pytest.raises(OrderNotCancellable):
        order.request_cancel(reason="", now=now)
    with pytest.raises(OrderNotCancellable):
        order.cancel(now=now)
    assert order.status == status
