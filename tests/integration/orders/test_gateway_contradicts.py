"""A gateway that tells late, or two things: an order has one outcome, and the books agree."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from domains.orders.models import Order, PaymentChoice
from domains.orders.services import fulfilling, settling
from domains.payments import services as payments
from domains.payments.gateways.simulated import signature_of
from domains.payments.models import ReconciliationDifference
from infrastructure import clock
from tests.integration.payments.conftest import (
    SECRET,
    GatewayProcess,
    gateway,
    gateway_process,
    giving_up_soon,
    running_gateway,
    silent,
)
from tests.support.after_placement import (
    STAFF,
    assert_books_agree,
    assert_order_agrees,
    money_of,
    reread,
)
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.messaging import deliver_outbox
from tests.support.placed_orders import stock_of

__all__ = ["gateway", "gateway_process", "running_gateway", "silent"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def now() -> datetime:
    return clock.now()


@pytest.fixture(autouse=True)
def _goods(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)


def tell(payment_id: UUID, status: str, code: str = "") -> int:
    """What the gateway notifies of the authorisation of a payment."""
    (operation,) = payments.outcomes.load(payment_id).operations
    body = json.dumps(
        {"id": "auth_1", "key": str(operation.id), "kind": "authorise", "status": status}
        | {"code": code, "authorisation": "auth_1", "amount_minor": 1000, "currency": "GBP"}
        | {"at": 0.0}
    ).encode()
    signature = signature_of(body, secret=SECRET.encode(), at=int(clock.now().timestamp()))
    answer = Client().post(
        "/api/v1/payments/webhooks/simulated",
        body,
        content_type="application/json",
        headers={"Gateway-Signature": signature},
    )
    return answer.status_code


def told_differently() -> list[tuple[str, str, str]]:
    rows = ReconciliationDifference.objects.values_list("kind", "our_state", "their_state")
    return list(rows)


def test_a_success_that_comes_after_the_time_out_confirms_once_and_charges_once(
    now: datetime, gateway_process: GatewayProcess
) -> None:
    slow = PaymentChoice(method="card", token="tok_timeout")
    with giving_up_soon():
        order = orders.placed({"A": 1}, payment=slow, now=now)
    assert (order.status, order.payment_status) == ("PENDING", "PENDING")

    later = now + timedelta(seconds=11)
    for _ in range(2):
        payments.resolve_unfinished(now=later)
        settling.settle_unfinished(now=later)
        deliver_outbox()

    assert orders.status_of(order.id) == "CONFIRMED"
    (held,) = gateway_process.authorisations()
    assert (held["amount_minor"], held["is_voided"]) == (1000, False)
    for _ in range(2):
        fulfilling.capture(order_id=order.id, by=STAFF, key=orders.key("once"), now=later)
    deliver_outbox()
    (held,) = gateway_process.authorisations()
    assert held["captured_minor"] == money_of(order).captured_minor == 1000
    assert stock_of("A") == (5, 1)
    assert_order_agrees(order.id)
    assert_books_agree(later)


def test_a_decline_after_the_success_is_reported_and_the_order_stands(
    now: datetime, silent: Any
) -> None:
    silent.is_silent = False
    order = orders.placed({"A": 1}, now=now)
    assert order.status == "CONFIRMED"

    assert tell(order.id, "refused", "card_declined") == 202
    deliver_outbox()
    settling.settle(order_id=order.id, now=now)

    assert (orders.status_of(order.id), money_of(order).status) == ("CONFIRMED", "AUTHORISED")
    assert told_differently() == [("STATE", "SUCCEEDED", "FAILED")]
    assert stock_of("A") == (5, 1)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_a_success_after_the_decline_is_reported_and_the_order_stays_rejected(
    now: datetime, silent: Any
) -> None:
    silent.is_silent = False
    silent.refusal = "card_declined"
    order = orders.placed({"A": 1}, now=now)
    assert order.status == "REJECTED"

    assert tell(order.id, "succeeded") == 202
    deliver_outbox()
    settling.settle(order_id=order.id, now=now)

    assert (orders.status_of(order.id), money_of(order).status) == ("REJECTED", "DECLINED")
    assert told_differently() == [("STATE", "FAILED", "SUCCEEDED")]
    assert stock_of("A") == (5, 0)
    assert_order_agrees(order.id)
    assert_books_agree(now)


@pytest.mark.parametrize(
    ("first", "status", "held"),
    [(("succeeded", ""), "CONFIRMED", 1), (("refused", "card_declined"), "REJECTED", 0)],
)
def test_of_two_outcomes_that_are_told_of_a_silent_payment_the_first_one_stands(
    now: datetime, silent: Any, first: tuple[str, str], status: str, held: int
) -> None:
    long_ago = now - timedelta(seconds=5)
    order = orders.placed({"A": 1}, now=long_ago)
    assert order.status == "PENDING"
    second = {"succeeded": ("refused", "card_declined"), "refused": ("succeeded", "")}[first[0]]

    assert tell(order.id, *first) == 204
    assert tell(order.id, *second) == 202
    deliver_outbox()

    order = reread(order)
    assert order.status == status
    assert len(told_differently()) == 1
    assert stock_of("A") == (5, held)
    assert_order_agrees(order.id)
    assert_books_agree(now)
    assert Order.objects.count() == 1
