"""Parts of an order are called off: their goods come back, and exactly their money."""

from __future__ import annotations

from datetime import datetime

import pytest

from domains.orders.errors import OrderNotCancellable, PaymentCaptured, TooManyUnits
from domains.orders.models import Order
from domains.orders.services import cancelling, fulfilling
from domains.payments.public import PaymentStatus
from tests.support.after_placement import (
    STAFF,
    assert_books_agree,
    assert_order_agrees,
    codes_of,
    money_of,
    reread,
    units,
)
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.order_steps import fulfil
from tests.support.placed_orders import stock_of

pytestmark = pytest.mark.django_db


def cancel(order: Order, now: datetime, **changes: object) -> Order:
    asked = {"reason": "changed_mind", "by": STAFF, "key": orders.key(), "now": now} | changes
    return cancelling.cancel(order_id=order.id, **asked)[0]  # type: ignore[arg-type]


def test_a_line_is_called_off_and_the_others_stand(now: datetime) -> None:
    goods.stocked({"A": 5, "B": 5}, now=now)
    order = orders.placed({"A": 3, "B": 2}, now=now)

    cancelled = cancel(order, now, lines=units(order, {"A": 1, "B": 2}))

    assert (cancelled.status, cancelled.total_minor) == ("CONFIRMED", 2000)
    assert [(line.sku, line.cancelled) for line in cancelled.lines] == [("A", 1), ("B", 2)]
    assert (stock_of("A"), stock_of("B")) == ((5, 2), (5, 0))
    assert "lines_cancelled" in codes_of(order)
    fulfil(order, now)
    assert money_of(order).captured_minor == 2000
    assert reread(order).status == "COMPLETED"
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_calling_off_the_last_units_calls_off_the_order(now: datetime) -> None:
    goods.stocked({"A": 5, "B": 5}, now=now)
    order = orders.placed({"A": 3, "B": 2}, now=now)
    cancel(order, now, lines=units(order, {"A": 3}))

    cancelled = cancel(order, now, lines=units(order, {"B": 2}))

    assert cancelled.status == "CANCELLED"
    assert money_of(order).status is PaymentStatus.VOIDED
    assert (stock_of("A"), stock_of("B")) == ((5, 0), (5, 0))
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_an_order_of_which_the_rest_is_called_off_is_completed(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)
    fulfil(order, now, lines=units(order, {"A": 1}))

    assert cancel(order, now, lines=units(order, {"A": 2})).status == "COMPLETED"
    assert money_of(order).captured_minor == 1000
    assert stock_of("A") == (4, 0)
    with pytest.raises(OrderNotCancellable):
        cancel(order, now)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_what_was_sent_cannot_be_called_off(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)
    fulfil(order, now, lines=units(order, {"A": 2}))
    with pytest.raises(TooManyUnits):
        cancel(order, now, lines=units(order, {"A": 2}))
    with pytest.raises(OrderNotCancellable):
        cancel(order, now)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_a_part_that_is_paid_is_given_back_if_staff_say_so(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)
    fulfilling.capture(order_id=order.id, by=STAFF, key=orders.key(), now=now)

    with pytest.raises(PaymentCaptured):
        cancel(order, now, lines=units(order, {"A": 1}))
    cancelled = cancel(order, now, lines=units(order, {"A": 1}), refund=True)

    assert (cancelled.total_minor, cancelled.refunded_minor) == (2000, 1000)
    assert money_of(order).refunded_minor == 1000
    assert stock_of("A") == (5, 2)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_a_paid_order_is_called_off_with_its_money_if_staff_say_so(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)
    fulfilling.capture(order_id=order.id, by=STAFF, key=orders.key(), now=now)

    with pytest.raises(PaymentCaptured):
        cancel(order, now)
    cancelled = cancel(order, now, refund=True)

    assert (cancelled.status, cancelled.reason) == ("CANCELLED", "changed_mind")
    assert money_of(order).status is PaymentStatus.REFUNDED
    assert stock_of("A") == (5, 0)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_a_key_calls_off_once(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)
    key = orders.key()
    cancel(order, now, lines=units(order, {"A": 1}), key=key)
    again = cancel(order, now, lines=units(order, {"A": 1}), key=key)
    assert [line.cancelled for line in again.lines] == [1]
    key = orders.key()
    cancel(order, now, key=key)
    assert cancel(order, now, key=key).status == "CANCELLED"
