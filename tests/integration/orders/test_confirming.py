"""Payments that the customer has to confirm: the order waits, and is decided in time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domains.orders.models import Order, PaymentChoice
from domains.orders.services import paying, settling
from domains.payments import public as payments
from domains.payments import services as payment_services
from domains.payments.gateways.port import Authorise
from domains.payments.public import PaymentStatus
from domains.payments.rules.gateways import Reply
from tests.integration.payments.conftest import ScriptedGateway, gateway  # noqa: F401
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.messaging import deliver_outbox
from tests.support.paying import ASKED, CARD, CONFIRMED, held, pay_again, secured, state_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _goods(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)


def test_an_order_whose_payment_has_to_be_confirmed_waits_and_says_where(
    gateway: ScriptedGateway,  # noqa: F811
    now: datetime,
) -> None:
    gateway.action_url = ASKED
    placed = orders.place({"A": 1}, payment=CONFIRMED, now=now)
    assert (placed.order.status, placed.payment_status) == ("PENDING", "ACTION_REQUIRED")
    assert placed.payment.action_url == ASKED
    assert placed.order.pay_until is not None
    assert held() == 1
    asked = len(gateway.sent)

    settling.settle_unfinished(now=now + timedelta(seconds=11))
    assert (orders.status_of(placed.order.id), len(gateway.sent)) == ("PENDING", asked)

    confirm(gateway, placed.order.payment_id, now)
    deliver_outbox()
    assert orders.status_of(placed.order.id) == "CONFIRMED"


def test_who_is_back_from_the_bank_need_not_wait_for_its_notification(
    gateway: ScriptedGateway,  # noqa: F811
    now: datetime,
) -> None:
    gateway.action_url = ASKED
    placed = orders.place({"A": 1}, payment=CONFIRMED, now=now)
    assert paying.look(order_id=placed.order.id, now=now).status == "PENDING"
    (key,) = {r.key for r in gateway.sent if isinstance(r, Authorise)} & keys_of(placed.order.id)
    gateway.decide(key, Reply(gateway_reference="ref"))
    assert paying.look(order_id=placed.order.id, now=now).status == "CONFIRMED"


@pytest.mark.parametrize(("keeps", "status"), [(False, "REJECTED"), (True, "PENDING")])
def test_an_order_whose_customer_cannot_be_sent_to_their_bank_is_declined(
    gateway: ScriptedGateway,  # noqa: F811
    now: datetime,
    keeps: bool,
    status: str,
) -> None:
    gateway.action_url = ASKED
    nowhere = PaymentChoice(method="card", token="tok_visa", keep_on_decline=keeps)
    placed = orders.place({"A": 1}, payment=nowhere, now=now)
    refusal = placed.refusal()
    assert refusal is not None
    assert (refusal.status, refusal.code) == (402, "payment_declined")
    assert refusal.members["decline_reason"] == "authentication_required"
    assert refusal.detail.endswith("Send a `return_url`, so that they can.")
    assert refusal.errors[-1].pointer == "/payment/return_url"
    assert placed.order.status == status
    state = payments.payment_states([placed.order.payment_id])[placed.order.payment_id]
    assert (state.status, state.decline_code) == ("DECLINED", "authentication_required")
    assert held() == (1 if keeps else 0)


def test_the_shops_own_page_is_where_customers_come_back_to(
    gateway: ScriptedGateway,  # noqa: F811
    now: datetime,
    settings: Any,
) -> None:
    settings.PAYMENT_RETURN_URL = "https://shop.example/paid"
    gateway.action_url = ASKED
    placed = orders.place({"A": 1}, payment=CARD, now=now)
    assert (placed.order.status, placed.payment.action_url) == ("PENDING", ASKED)


def confirm(scripted: ScriptedGateway, payment_id: UUID, now: datetime) -> None:
    """The customer did, and a notification tells payments."""
    (key,) = {r.key for r in scripted.sent if isinstance(r, Authorise)} & keys_of(payment_id)
    reply = Reply(gateway_reference="ref")
    scripted.decide(key, reply)
    payment = payment_services.outcomes.load(payment_id)
    payment_services.outcomes.record(payment, key, reply, now)


def keys_of(payment_id: UUID) -> set[UUID]:
    payment = payment_services.outcomes.load(payment_id)
    return {operation.id for operation in payment.operations}


def test_a_payment_that_nobody_confirms_ends_the_order_after_its_deadline(
    gateway: ScriptedGateway,  # noqa: F811
    now: datetime,
) -> None:
    gateway.action_url = ASKED
    order = orders.placed({"A": 1}, payment=CONFIRMED, now=now)
    assert order.pay_until is not None

    settling.settle_unfinished(now=order.pay_until + timedelta(seconds=1))

    ended = Order.objects.get()
    assert (ended.status, ended.reason) == ("REJECTED", "payment_not_completed")
    assert ended.unsettled_since is None
    assert state_of(order.id) is PaymentStatus.VOIDED
    assert held() == 0


def test_another_card_instead_of_a_confirmation_lets_the_first_payment_go(
    gateway: ScriptedGateway,  # noqa: F811
    now: datetime,
) -> None:
    gateway.action_url = ASKED
    order = orders.placed({"A": 1}, payment=CONFIRMED, now=now)
    gateway.action_url = ""

    paid = pay_again(order.id, now=now)

    assert paid.order.status == "CONFIRMED"
    assert paid.order.superseded_payment_id is None
    assert state_of(order.id) is PaymentStatus.VOIDED
    assert secured() == order.total_minor


def test_a_try_that_died_before_the_first_payment_was_let_go_is_carried_on(
    gateway: ScriptedGateway,  # noqa: F811
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway.action_url = ASKED
    order = orders.placed({"A": 1}, payment=CONFIRMED, now=now)
    gateway.action_url = ""

    def die(**_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(payments, "void", die)
        with pytest.raises(SystemExit):
            pay_again(order.id, now=now)
    settling.settle_unfinished(now=now + timedelta(seconds=11))

    settled = Order.objects.get()
    assert (settled.status, settled.superseded_payment_id) == ("CONFIRMED", None)
    assert state_of(order.id) is PaymentStatus.VOIDED
    assert secured() == order.total_minor


def test_another_try_has_to_be_confirmed_by_the_deadline_of_the_first(
    gateway: ScriptedGateway,  # noqa: F811
    now: datetime,
) -> None:
    gateway.action_url = ASKED
    order = orders.placed({"A": 1}, payment=CONFIRMED, now=now)
    first = order.pay_until
    assert first is not None

    for tries in range(1, 5):
        later = now + (first - now) * tries / 5
        again = pay_again(order.id, payment=CONFIRMED, now=later)
        assert again.order.pay_until == first
        state = payments.payment_states([again.order.payment_id])[again.order.payment_id]
        assert state.action_deadline == first
    settling.settle_unfinished(now=first + timedelta(seconds=1))

    ended = Order.objects.get()
    assert (ended.status, ended.reason) == ("REJECTED", "payment_not_completed")
    assert held() == 0
