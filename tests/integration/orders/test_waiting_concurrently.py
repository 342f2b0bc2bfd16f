"""An order that waits for its customer's bank, while everybody does something about it at once: the
gateway tells, the customer is back, tries another card, or calls it off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from domains.orders.models import Order, PaymentChoice
from domains.orders.rules.history import SYSTEM
from domains.orders.services import paying, placement, settling
from domains.payments import public as payments
from domains.payments import services as payment_services
from domains.payments.gateways.port import Authorise
from domains.payments.public import PaymentStatus
from domains.payments.rules.gateways import Reply
from tests.integration.orders.test_steps_concurrently import ROUNDS, at_once
from tests.integration.payments.conftest import ScriptedGateway, gateway  # noqa: F401
from tests.support.after_placement import assert_books_agree, reread
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.messaging import deliver_outbox
from tests.support.placed_orders import stock_of

pytestmark = pytest.mark.django_db(transaction=True)

CONFIRMED = PaymentChoice(method="card", token="tok_visa", return_url="https://shop.example/back")


@pytest.fixture
def waiting(now: datetime, gateway: ScriptedGateway) -> Order:  # noqa: F811
    """Its customer confirms it at the bank, and nobody here has heard of that yet."""
    goods.stocked({"A": 5}, now=now)
    gateway.action_url = "https://bank.example/confirm"
    order = orders.placed({"A": 1}, payment=CONFIRMED, now=now)
    gateway.action_url = ""
    [asked] = [request for request in gateway.sent if isinstance(request, Authorise)]
    gateway.decide(asked.key, Reply(gateway_reference="ref"))
    assert order.status == "PENDING"
    return order


def told(order: Order, now: datetime) -> Callable[[], object]:
    return lambda: payment_services.resolve(payment_id=order.id, now=now)


def back(order: Order, now: datetime) -> Callable[[], object]:
    return lambda: paying.look(order_id=order.id, now=now)


def called_off(order: Order, now: datetime) -> Callable[[], object]:
    return lambda: placement.cancel_order(order_id=order.id, reason="", now=now)


def another_card(order: Order, now: datetime) -> Callable[[], object]:
    card = PaymentChoice(method="card", token="tok_mastercard")
    return lambda: paying.pay_again(
        order_id=order.id, payment=card, actor=SYSTEM, key=orders.key(), now=now
    )


def ended(order: Order, now: datetime) -> Order:
    """After events and recovery have come as well. What nobody relies on is held by nobody."""
    deliver_outbox()
    settling.settle_unfinished(now=now + timedelta(seconds=30))
    payment_services.resolve_unfinished(now=now + timedelta(seconds=60))
    deliver_outbox()
    settling.settle_unfinished(now=now + timedelta(minutes=5))
    order = reread(order)
    assert order.unsettled_since is None
    held = {
        row.payment_id
        for row in payments.payment_audit()
        if row.status not in (PaymentStatus.VOIDED, PaymentStatus.DECLINED)
    }
    if order.status == "CONFIRMED":
        assert (held, stock_of("A")) == ({order.payment_id}, (5, 1))
    else:
        assert (order.status, held, stock_of("A")) == ("CANCELLED", set(), (5, 0))
    assert_books_agree(now)
    return order


@pytest.mark.parametrize("_round", ROUNDS)
def test_whoever_tells_of_the_payment_it_is_confirmed_once(
    waiting: Order, now: datetime, _round: int
) -> None:
    at_once(told(waiting, now), back(waiting, now), told(waiting, now), back(waiting, now))
    assert ended(waiting, now).payment_id == waiting.id


@pytest.mark.parametrize("_round", ROUNDS)
def test_called_off_while_the_payment_is_told_of_nothing_stays_held(
    waiting: Order, now: datetime, _round: int
) -> None:
    """What is authorised meanwhile goes back: nothing of it was taken."""
    at_once(called_off(waiting, now), told(waiting, now), back(waiting, now))
    assert ended(waiting, now).status == "CANCELLED"


@pytest.mark.parametrize("_round", ROUNDS)
def test_another_card_while_the_first_is_confirmed_leaves_one_guarantee(
    waiting: Order, now: datetime, _round: int
) -> None:
    at_once(another_card(waiting, now), told(waiting, now), back(waiting, now))
    assert ended(waiting, now).status == "CONFIRMED"


@pytest.mark.parametrize("_round", ROUNDS)
def test_everything_at_once_ends_in_an_order_or_in_none(
    waiting: Order, now: datetime, _round: int
) -> None:
    at_once(
        another_card(waiting, now),
        called_off(waiting, now),
        told(waiting, now),
        back(waiting, now),
    )
    ended(waiting, now)
