"""What the consumer does for orders: asynchronous ones, and outcomes that come late."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from domains.orders.models import Order, PaymentChoice
from domains.orders.services import fulfilling
from domains.payments import services as payments
from infrastructure import clock
from infrastructure.database.contexts import alias_of
from infrastructure.events.bus import Dispatcher
from infrastructure.observability import correlation
from infrastructure.outbox.models import OutboxMessage
from tests.support.after_placement import STAFF, units
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.messaging import deliver_outbox, message_of

pytestmark = pytest.mark.django_db(transaction=True)


def row_of(name: str, order_id: UUID) -> OutboxMessage:
    return OutboxMessage.objects.using(alias_of("orders")).get(name=name, key=str(order_id))


def test_the_consumer_decides_accepted_orders() -> None:
    now = clock.now()
    goods.stocked({"A": 3}, now=now)
    accepted = [orders.placed({"A": 1}, asynchronous=True, now=now).id for _ in range(4)]
    # The fourth was taken while there still was one: the first look is no promise.
    deliver_outbox()

    decided = sorted(orders.status_of(order_id) for order_id in accepted)
    assert decided == ["CONFIRMED", "CONFIRMED", "CONFIRMED", "REJECTED"]


def test_an_order_is_decided_under_the_correlation_of_its_request() -> None:
    now = clock.now()
    goods.stocked({"A": 3}, now=now)
    with correlation.bind(correlation_id="request-1"):
        order = orders.placed({"A": 1}, asynchronous=True, now=now)
    created = row_of("orders.order_created", order.id)

    Dispatcher("orders").handle([message_of(created)])

    decided = row_of("orders.order_status_updated", order.id)
    assert decided.correlation_id == "request-1"
    assert decided.causation_id == str(created.event_id)


def test_an_outcome_that_comes_after_its_request_has_gone_decides_the_order() -> None:
    long_ago = clock.now() - timedelta(minutes=1)
    goods.stocked({"A": 3}, now=long_ago)
    slow = PaymentChoice(method="card", token="tok_timeout")
    order = orders.placed({"A": 1}, payment=slow, now=long_ago)
    deliver_outbox()
    assert orders.status_of(order.id) == "PENDING"

    payments.resolve(payment_id=order.id, now=clock.now())
    deliver_outbox()

    assert orders.status_of(order.id) == "CONFIRMED"


def test_an_outcome_whose_request_is_still_there_is_left_to_it() -> None:
    now = clock.now()
    goods.stocked({"A": 3}, now=now)
    slow = PaymentChoice(method="card", token="tok_timeout")
    order = orders.placed({"A": 1}, payment=slow, now=now)
    payments.resolve(payment_id=order.id, now=now)

    deliver_outbox()

    assert orders.status_of(order.id) == "PENDING"


def test_an_order_whose_goods_have_left_stands_though_staff_let_its_payment_go() -> None:
    now = clock.now()
    goods.stocked({"A": 3}, now=now)
    order = orders.placed({"A": 2}, now=now)
    fulfilling.fulfil(
        order_id=order.id,
        lines=units(order, {"A": 1}),
        warehouse="main",
        capture=False,
        may_be_unpaid=True,
        by=STAFF,
        key=orders.key(),
        now=now,
    )
    payments.void(payment_id=order.id, now=now)

    deliver_outbox()

    assert orders.status_of(order.id) == "CONFIRMED"


def test_a_confirmed_order_whose_payment_staff_let_go_is_cancelled() -> None:
    now = clock.now()
    goods.stocked({"A": 3}, now=now)
    order = orders.placed({"A": 2}, now=now)
    payments.void(payment_id=order.id, now=now)

    deliver_outbox()

    cancelled = Order.objects.get(pk=order.id)
    assert (cancelled.status, cancelled.reason) == ("CANCELLED", "payment_voided")
    assert cancelled.unsettled_since is None
    deliver_outbox()
    assert Order.objects.get(pk=order.id).version == cancelled.version
