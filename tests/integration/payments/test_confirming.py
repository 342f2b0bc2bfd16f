"""Payments that the customer has to confirm with their bank (3-D Secure)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domains.payments import public, services
from domains.payments.gateways.port import Authorise, Void
from domains.payments.models import Payment
from domains.payments.rules.gateways import Reply
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.integration.payments.conftest import GatewayProcess, ScriptedGateway
from tests.integration.payments.test_authorise import told
from tests.support.factories import payments

ASK = "https://bank.example/confirm"
BACK = "https://shop.example/back"


@pytest.fixture
def asking(gateway: ScriptedGateway, settings: Any) -> ScriptedGateway:
    gateway.action_url = ASK
    settings.PAYMENT_ACTION_SECONDS = 600
    return gateway


def begin(now: datetime, **choices: Any) -> public.Outcome:
    return public.authorise(**payments.request(now, **choices), return_url=BACK)


def key_of(payment_id: UUID) -> UUID:
    payment = Payment.objects.whole(payment_id)
    assert payment is not None
    return payment.operations[0].id  # type: ignore[no-any-return]


@pytest.mark.django_db
def test_the_customer_is_told_where_to_go_and_until_when(
    now: datetime, asking: ScriptedGateway
) -> None:
    outcome = begin(now)

    assert (outcome.status, outcome.action_url) == ("ACTION_REQUIRED", ASK)
    assert outcome.action_deadline == now + timedelta(minutes=10)
    (asked,) = asking.sent
    assert isinstance(asked, Authorise)
    assert asked.return_url == BACK
    state = public.payment_states([outcome.payment_id])[outcome.payment_id]
    assert (state.action_url, state.action_deadline) == (ASK, now + timedelta(minutes=10))
    assert told(outcome.payment_id) == []


@pytest.mark.django_db
def test_asking_again_before_the_deadline_asks_nobody(
    now: datetime, asking: ScriptedGateway
) -> None:
    asked = payments.request(now)
    first = public.authorise(**asked, return_url=BACK)

    assert public.authorise(**asked, return_url=BACK) == first
    assert (len(asking.sent), asking.lookups) == (1, 0)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("reply", "status", "events"),
    [
        (Reply(gateway_reference="auth"), "AUTHORISED", ["payments.payment_authorised"]),
        (Reply(refusal="not_confirmed"), "DECLINED", ["payments.payment_declined"]),
    ],
)
def test_it_is_known_when_the_customer_is_back(
    now: datetime, asking: ScriptedGateway, reply: Reply, status: str, events: list[str]
) -> None:
    payment_id = begin(now).payment_id
    asking.decide(key_of(payment_id), reply)

    outcomes = [public.refresh(payment_id=payment_id, now=now) for _ in range(2)]

    assert [o.status for o in outcomes] == [status] * 2
    assert [o.action_url for o in outcomes] == [None] * 2
    assert told(payment_id) == events
    stored = Payment.objects.get(pk=payment_id)
    assert (stored.token, stored.return_url, stored.action_url) == ("", "", "")
    assert len(asking.sent) == 1  # looked up, and not sent again


@pytest.mark.django_db
def test_recovery_looks_after_it_ever_more_rarely(now: datetime, asking: ScriptedGateway) -> None:
    payment_id = begin(now).payment_id

    pauses = []
    at = now
    for _ in range(4):
        due = Payment.objects.get(pk=payment_id).retry_at
        assert due is not None
        pauses.append(round((due - at).total_seconds()))
        at = due
        assert services.resolve_unfinished(now=at) == 0

    assert pauses == [5, 10, 20, 40]
    assert (len(asking.sent), asking.lookups) == (1, 4)


@pytest.mark.django_db
def test_at_the_deadline_it_is_voided_as_not_completed(
    now: datetime, asking: ScriptedGateway
) -> None:
    payment_id = begin(now).payment_id
    deadline = now + timedelta(minutes=10)

    assert services.resolve_unfinished(now=deadline) == 1

    state = public.payment_states([payment_id])[payment_id]
    assert (state.status, state.decline_code) == ("VOIDED", public.NOT_COMPLETED)
    assert [type(request) for request in asking.sent] == [Authorise, Void]
    assert told(payment_id) == ["payments.payment_voided"]
    assert Payment.objects.get(pk=payment_id).retry_at is None


@pytest.mark.django_db
def test_who_confirmed_it_in_the_last_moment_has_paid(
    now: datetime, asking: ScriptedGateway
) -> None:
    payment_id = begin(now).payment_id
    asking.decide(key_of(payment_id), Reply(gateway_reference="auth"))

    assert services.resolve_unfinished(now=now + timedelta(minutes=11)) == 1

    assert public.payment_states([payment_id])[payment_id].status == "AUTHORISED"


@pytest.mark.django_db
def test_a_silent_gateway_at_the_deadline_lets_nobody_rely_on_it(
    now: datetime, asking: ScriptedGateway
) -> None:
    payment_id = begin(now).payment_id
    asking.is_silent = True
    late = now + timedelta(minutes=10)

    services.resolve_unfinished(now=late)
    assert public.payment_states([payment_id])[payment_id].status == "UNKNOWN"

    asking.is_silent = False
    assert public.refresh(payment_id=payment_id, now=late).status == "VOIDED"
    assert told(payment_id) == ["payments.payment_voided"]


@pytest.mark.django_db
def test_a_void_comes_before_the_customer(now: datetime, asking: ScriptedGateway) -> None:
    payment_id = begin(now).payment_id

    assert public.void(payment_id=payment_id, now=now).status == "VOIDED"

    payment = Payment.objects.whole(payment_id)
    assert payment is not None
    assert [(o.kind, o.state) for o in payment.operations] == [
        ("AUTHORISE", "ABANDONED"),
        ("VOID", "SUCCEEDED"),
    ]
    assert not payment.record_reply(payment.operations[0].id, Reply(gateway_reference="x"), now)


@pytest.mark.django_db
def test_a_customer_without_a_way_back_is_not_asked(now: datetime, asking: ScriptedGateway) -> None:
    outcome = public.authorise(**payments.request(now))

    assert (outcome.status, outcome.decline_code) == ("DECLINED", "authentication_required")


@pytest.mark.django_db
def test_the_shops_page_is_the_way_back_where_the_order_names_none(
    now: datetime, asking: ScriptedGateway, settings: Any
) -> None:
    settings.PAYMENT_RETURN_URL = "https://shop.example/paid"
    own = public.authorise(**payments.request(now), return_url=BACK)
    other = public.authorise(**payments.request(now))

    assert (own.status, other.status) == ("ACTION_REQUIRED", "ACTION_REQUIRED")
    asked = [request.return_url for request in asking.sent if isinstance(request, Authorise)]
    assert asked == [BACK, "https://shop.example/paid"]


@pytest.mark.django_db
def test_nothing_is_captured_before_it_is_confirmed(now: datetime, asking: ScriptedGateway) -> None:
    payment_id = begin(now).payment_id
    key = new_id()
    amount = Money(1_999, "GBP")

    early = public.capture(payment_id=payment_id, key=key, amount=amount, now=now)
    asking.decide(key_of(payment_id), Reply(gateway_reference="auth"))
    later = public.capture(payment_id=payment_id, key=key, amount=amount, now=now)

    assert (early.state, later.state) == ("IN_PROGRESS", "SUCCEEDED")


@pytest.mark.django_db(transaction=True)
def test_the_gateway_as_it_runs_asks_and_is_answered(
    now: datetime, gateway_process: GatewayProcess
) -> None:
    outcome = begin(now, token="tok_3ds")
    assert outcome.status == "ACTION_REQUIRED"
    assert outcome.action_url is not None
    assert outcome.action_url.startswith(gateway_process.url)

    gateway_process.post(outcome.action_url.removeprefix(gateway_process.url) + "/approve")

    assert public.refresh(payment_id=outcome.payment_id, now=now).status == "AUTHORISED"
