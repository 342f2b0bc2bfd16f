"""Asynchronous orders: decided in batches, and refused while too many wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from domains.orders.models import Order, PaymentChoice
from domains.orders.services import batches, checkouts, intake
from domains.payments.models import Payment
from infrastructure import clock
from infrastructure.database.contexts import aliases
from infrastructure.observability.correlation import Correlation
from tests.support.carts import entries_of, guest_cart, put
from tests.support.checkouts import wish_for
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, customer
from tests.support.messaging import deliver_outbox
from tests.support.placing_api import body, post

pytestmark = pytest.mark.django_db(transaction=True)

RESPOND_ASYNC = {"Prefer": "respond-async"}


@pytest.fixture
def now() -> datetime:
    """The consumer's clock is the real one."""
    return clock.now()


@pytest.fixture(autouse=True)
def fresh_look() -> Iterator[None]:
    intake.forget()
    yield
    intake.forget()


def accepted(count: int, now: datetime, **changes: Any) -> list[UUID]:
    return [orders.placed({"A": 1}, asynchronous=True, now=now, **changes).id for _ in range(count)]


def settle(order_ids: Sequence[UUID], now: datetime) -> int:
    """How many statements it took."""
    causes = {each: Correlation(correlation_id=str(each)) for each in order_ids}
    with ExitStack() as stack:
        captured = [
            stack.enter_context(CaptureQueriesContext(connections[alias])) for alias in aliases()
        ]
        batches.settle_many(causes=causes, now=now)
    return sum(map(len, captured))


def test_a_batch_takes_as_many_statements_as_one_order(now: datetime) -> None:
    goods.stocked({"A": 100}, now=now)
    few = settle(accepted(2, now), now)
    many = accepted(20, now)

    # Orders, their lines, what is held and what is paid are read; then hold, payments sent,
    # payments decided, orders confirmed.
    assert settle(many, now) == few == 8
    assert {orders.status_of(each) for each in many} == {"CONFIRMED"}
    assert {p.status for p in Payment.objects.filter(pk__in=many)} == {"AUTHORISED"}
    assert {o.payment_status for o in Order.objects.filter(pk__in=many)} == {"AUTHORISED"}


def test_settling_a_batch_again_changes_nothing(now: datetime) -> None:
    goods.stocked({"A": 100}, now=now)
    batch = accepted(3, now)
    settle(batch, now)
    before = list(Order.objects.order_by("pk").values_list("version", "events_recorded"))

    assert settle(batch, now) == 4
    assert list(Order.objects.order_by("pk").values_list("version", "events_recorded")) == before


def test_one_that_goes_another_way_does_not_hold_up_its_batch(now: datetime) -> None:
    goods.stocked({"A": 4}, now=now)

    def paid_by(token: str) -> UUID:
        [each] = accepted(1, now, payment=PaymentChoice(method="card", token=token))
        return each

    batch = [paid_by("tok_visa"), paid_by("tok_declined"), paid_by("tok_timeout")]
    batch += accepted(1, now)
    called_off, short = accepted(1, now)[0], accepted(1, now)[0]
    order = Order.objects.whole(called_off)
    order.request_cancel(reason="changed_mind", now=now)
    order.save()

    settle([*batch, called_off, short], now)

    assert [orders.status_of(each) for each in [*batch, called_off, short]] == [
        *("CONFIRMED", "REJECTED", "PENDING", "CONFIRMED"),
        *("CANCELLED", "REJECTED"),
    ]


@pytest.mark.usefixtures("no_carts")
def test_each_order_of_a_batch_closes_its_cart_under_its_own_cause(now: datetime) -> None:
    goods.stocked({"A": 100}, now=now)
    made = [guest_cart(now, put("A", 1)).id for _ in range(3)]
    batch = [
        checkouts.check_out(
            cart_id=cart_id,
            owner=None,
            version=None,
            wish=wish_for(asynchronous=True),
            key=orders.key(),
            now=now,
        ).order.id
        for cart_id in made
    ]

    settle(batch, now)

    last = [entries_of(cart_id)[-1] for cart_id in made]
    assert [(fact.name, fact.correlation_id) for fact in last] == [
        ("carts.cart_checked_out", str(order_id)) for order_id in batch
    ]


def test_one_that_is_called_off_while_its_batch_is_confirmed_is_cancelled(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    goods.stocked({"A": 100}, now=now)
    batch = accepted(3, now)
    confirm = batches._confirm

    def late(cases: Any, causes: Any, now: datetime) -> set[UUID]:
        order = Order.objects.whole(batch[1])
        order.request_cancel(reason="changed_mind", now=now)
        order.save()
        return confirm(cases, causes, now)

    monkeypatch.setattr(batches, "_confirm", late)
    settle(batch, now)

    assert [orders.status_of(each) for each in batch] == ["CONFIRMED", "CANCELLED", "CONFIRMED"]
    assert Payment.objects.get(pk=batch[1]).status == "VOIDED"


@pytest.fixture
def buyer() -> Client:
    return client_of(customer())


def test_while_accepted_orders_wait_too_long_new_ones_are_refused_and_nothing_is_written(
    now: datetime, buyer: Client, settings: Any
) -> None:
    settings.ORDERS_ASYNC_PROMISE = 30.0
    goods.stocked({"A": 100}, now=now)
    wanted = body(lines=[{"sku": "A", "quantity": 1}])
    assert post(buyer, wanted, key="first", **RESPOND_ASYNC).status_code == 202
    accepted(1, now - timedelta(seconds=95))
    count = Order.objects.count()
    intake.forget()

    refused = post(buyer, wanted, key="second", **RESPOND_ASYNC)

    assert refused.status_code == 503
    assert refused.json()["code"] == "orders_overloaded"
    assert refused["Retry-After"] == "60"
    assert Order.objects.count() == count
    # What was accepted is answered as ever, and nobody is refused who waits for the outcome.
    assert post(buyer, wanted, key="first", **RESPOND_ASYNC).status_code == 202
    assert post(buyer, wanted, key="third").status_code == 201

    deliver_outbox()
    intake.forget()
    assert post(buyer, wanted, key="second", **RESPOND_ASYNC).status_code == 202


def test_what_waits_for_its_gateway_or_its_customer_is_no_overload(now: datetime) -> None:
    long_ago = now - timedelta(minutes=5)
    goods.stocked({"A": 100}, now=long_ago)
    [silent, waiting] = accepted(2, long_ago)
    assert Order.objects.oldest_accepted() == long_ago
    assert set(Order.objects.take_due(now=now, limit=1)) <= {silent, waiting}
    assert Order.objects.oldest_accepted() == long_ago
    for order in Order.objects.filter(pk__in=[silent, waiting]):
        order.await_payment(until=now + timedelta(days=1), now=long_ago)
        order.save()
    assert Order.objects.oldest_accepted() is None


def test_a_process_looks_once_a_second_whoever_asks(now: datetime) -> None:
    moment = 0.0
    looks = intake.Intake(clock=lambda: moment)
    goods.stocked({"A": 100}, now=now)
    accepted(1, now - timedelta(seconds=7))
    with CaptureQueriesContext(connections[aliases()[0]]) as captured:
        assert [looks.lag_s(now) for _ in range(3)] == [7.0] * 3
        moment = 1.0
        assert looks.lag_s(now + timedelta(seconds=1)) == 8.0
    assert len(captured) == 2


def test_accepting_an_order_writes_one_statement(now: datetime) -> None:
    goods.stocked({"A": 100}, now=now)
    accepted(1, now)
    with ExitStack() as stack:
        captured = [
            stack.enter_context(CaptureQueriesContext(connections[alias])) for alias in aliases()
        ]
        accepted(1, now)
    texts = [query["sql"] for capture in captured for query in capture.captured_queries]
    assert sum("INSERT INTO" in text for text in texts) == 1
    assert not any("UPDATE " in text for text in texts)
