"""Calling an order off: goods and money come back, whoever is faster."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from domains.orders.errors import OrderNotCancellable, OrderNotFound, PaymentCaptured
from domains.orders.models import Order, PaymentChoice
from domains.orders.rules.history import SYSTEM
from domains.orders.services import cancelling, placement, settling
from domains.payments import public as payments
from domains.payments.public import PaymentStatus
from domains.payments.services import capture, record_receipt
from infrastructure.ids import new_id
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.placed_orders import events_of, payment_of, stock_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_confirmed_order_gives_back_its_goods_and_its_money(now: datetime) -> None:
    goods.stocked({"A": 3}, now=now)
    order = orders.placed({"A": 2}, now=now)

    cancelled = placement.cancel_order(order_id=order.id, reason="changed_mind", now=now)

    assert (cancelled.status, cancelled.reason) == ("CANCELLED", "changed_mind")
    assert cancelled.unsettled_since is None
    assert stock_of("A") == (3, 0)
    assert payment_of(order) is PaymentStatus.VOIDED
    assert [name for name in events_of(order.id) if name.startswith("orders.")] == [
        "orders.order_created",
        "orders.order_status_updated",
        "orders.order_status_updated",
        "orders.order_cancelled",
    ]


def test_cancelling_twice_is_cancelling_once(now: datetime) -> None:
    goods.stocked({"A": 3}, now=now)
    order = orders.placed({"A": 2}, now=now)
    placement.cancel_order(order_id=order.id, reason="", now=now)

    assert placement.cancel_order(order_id=order.id, reason="", now=now).status == "CANCELLED"
    assert events_of(order.id).count("orders.order_cancelled") == 1


def test_an_order_that_waits_for_its_payment_can_be_cancelled(now: datetime) -> None:
    goods.stocked({"A": 3}, now=now)
    slow = PaymentChoice(method="card", token="tok_timeout")
    order = orders.placed({"A": 2}, payment=slow, now=now)

    cancelled = placement.cancel_order(order_id=order.id, reason="", now=now)
    settling.settle_unfinished(now=now + timedelta(seconds=30))

    assert cancelled.status == "CANCELLED"
    assert stock_of("A") == (3, 0)
    assert payment_of(order) is PaymentStatus.VOIDED
    assert Order.objects.get(pk=order.id).unsettled_since is None


def test_a_rejected_order_cannot_be_cancelled(now: datetime) -> None:
    goods.stocked({"A": 3}, now=now)
    order = orders.placed({"A": 2}, payment=orders.DECLINED, now=now)
    with pytest.raises(OrderNotCancellable):
        placement.cancel_order(order_id=order.id, reason="", now=now)


def test_an_order_whose_money_was_taken_stands(now: datetime) -> None:
    goods.stocked({"A": 3}, now=now)
    order = orders.placed({"A": 2}, now=now)
    capture(payment_id=order.id, amount=None, now=now)

    with pytest.raises(PaymentCaptured):
        placement.cancel_order(order_id=order.id, reason="", now=now)

    stands = Order.objects.get(pk=order.id)
    assert (stands.status, stands.unsettled_since) == ("CONFIRMED", None)
    assert stock_of("A") == (3, 2)


@pytest.fixture
def paid_in_advance(now: datetime, settings: Any) -> Order:
    """An order that waits for its money, which has come without the order knowing yet."""
    settings.PAYMENT_METHODS = ["bank_transfer", "card"]
    goods.stocked({"A": 3}, now=now)
    transfer = PaymentChoice(method="bank_transfer", token="")
    order = orders.placed({"A": 2}, payment=transfer, now=now)
    record_receipt(
        payment_id=order.id,
        amount=order.total,
        reference="bank-1",
        received_at=now,
        now=now,
    )
    assert orders.status_of(order.id) == "PENDING"
    return order


def test_an_order_that_is_paid_already_is_confirmed_instead_of_cancelled(
    paid_in_advance: Order, now: datetime
) -> None:
    with pytest.raises(PaymentCaptured):
        placement.cancel_order(order_id=paid_in_advance.id, reason="", now=now)

    stands = Order.objects.get()
    assert (stands.status, stands.unsettled_since) == ("CONFIRMED", None)
    assert stands.cancel_requested_at is None
    assert stock_of("A") == (3, 2)


def test_an_order_that_is_paid_already_is_cancelled_with_its_money_where_that_may_be(
    paid_in_advance: Order, now: datetime
) -> None:
    order, _ = cancelling.cancel(
        order_id=paid_in_advance.id,
        reason="changed_mind",
        refund=True,
        by=SYSTEM,
        key=orders.key(),
        now=now,
    )

    assert (order.status, order.unsettled_since) == ("CANCELLED", None)
    assert stock_of("A") == (3, 0)
    state = payments.payment_states([order.id])[order.id]
    assert state.captured_minor == state.refunded_minor == order.total_minor


def test_an_order_that_does_not_exist_is_not_found(now: datetime) -> None:
    with pytest.raises(OrderNotFound):
        placement.cancel_order(order_id=new_id(), reason="", now=now)


def test_cancelling_while_the_order_is_being_settled_always_ends_cancelled(
    now: datetime,
) -> None:
    goods.stocked({"A": 100}, now=now)
    for _ in range(10):
        order = orders.placed({"A": 1}, asynchronous=True, now=now)
        actions = [
            lambda order=order: settling.settle(order_id=order.id, now=now),
            lambda order=order: placement.cancel_order(order_id=order.id, reason="", now=now),
        ]
        threads = [threading.Thread(target=_closing, args=(action,)) for action in actions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    settling.settle_unfinished(now=now + timedelta(seconds=30))
    assert set(Order.objects.values_list("status", "unsettled_since")) == {("CANCELLED", None)}
    assert stock_of("A") == (100, 0)
    assert {audit.authorised_minor for audit in payments.payment_audit()} <= {0, 1000}
    assert {audit.status for audit in payments.payment_audit()} == {PaymentStatus.VOIDED}


def _closing(action: object) -> None:
    try:
        action()  # type: ignore[operator]
    finally:
        connections.close_all()
