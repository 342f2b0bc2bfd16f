"""What the gateway tells, in every order in which it can arrive."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from domains.payments import public, services
from domains.payments.gateways.port import Capabilities, Dispute, Listed, NoAnswer, Notification
from domains.payments.gateways.simulated import signature_of
from domains.payments.models import Operation, Payment, ReconciliationDifference, SavedMethod
from domains.payments.rules.gateways import KeptMethod, Reply
from domains.payments.rules.operations import OperationKind, OperationState
from domains.payments.services import matching
from infrastructure import clock
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.integration.payments.conftest import (
    SECRET,
    GatewayProcess,
    ScriptedGateway,
    connect_anew,
)
from tests.integration.payments.test_authorise import told
from tests.integration.payments.test_notifications import notify
from tests.support.factories import payments, users

pytestmark = pytest.mark.django_db(transaction=True)

AUTHORISED, PROCESSED = "payments.payment_authorised", "payments.payment_processed"
REFUNDED = "payments.payment_refunded"


def capture(payment_id: UUID, key: UUID, now: datetime) -> Any:
    amount = Money(1_999, "GBP")
    return public.capture(payment_id=payment_id, key=key, amount=amount, now=now)


def of_capture(key: UUID) -> int:
    return notify(key, kind="capture", id="cap_1").status_code  # type: ignore[no-any-return]


def in_dashboard(kind: str, minor: int, *, authorisation: str = "auth_1", id: str = "d_1") -> int:
    """Something that the gateway did without us, notified."""
    body = json.dumps(
        {"id": id, "key": None, "kind": kind, "status": "succeeded", "code": ""}
        | {"authorisation": authorisation, "amount_minor": minor, "currency": "GBP", "at": 0.0}
    ).encode()
    signature = signature_of(body, secret=SECRET.encode(), at=int(clock.now().timestamp()))
    return (
        Client()
        .post(
            "/api/v1/payments/webhooks/simulated",
            body,
            content_type="application/json",
            headers={"Gateway-Signature": signature},
        )
        .status_code
    )


@pytest.fixture
def gateway_that_notifies(silent: ScriptedGateway) -> ScriptedGateway:
    silent.is_silent = False
    return silent


def test_an_outcome_is_told_once_before_during_after_and_twice(
    now: datetime, gateway_that_notifies: ScriptedGateway
) -> None:
    payment_id = payments.authorised_payment(now).id
    key = new_id()
    answers: list[int] = []
    gateway_that_notifies.before_answer = lambda: answers.append(of_capture(key))

    outcome = capture(payment_id, key, now)
    answers += [of_capture(key) for _ in range(2)]

    assert (outcome.state, answers) == ("SUCCEEDED", [204] * 3)
    assert told(payment_id) == [AUTHORISED, PROCESSED]
    assert Operation.objects.get(pk=key).gateway_reference == "cap_1"


def test_notifications_and_repeats_at_once_write_one_outcome(
    now: datetime, gateway_that_notifies: ScriptedGateway, in_threads: Callable[..., list[Any]]
) -> None:
    payment_id = payments.authorised_payment(now).id
    key = new_id()
    gateway_that_notifies.is_silent = True
    capture(payment_id, key, now)
    gateway_that_notifies.is_silent = False

    in_threads(
        *[lambda: of_capture(key)] * 3,
        *[lambda: capture(payment_id, key, now)] * 3,
        lambda: services.resolve(payment_id=payment_id, now=now),
    )

    assert capture(payment_id, key, now).state == "SUCCEEDED"
    assert told(payment_id) == [AUTHORISED, PROCESSED]
    assert list(public.journal_differences()) == []


def test_a_capture_that_is_told_before_the_authorisation_waits_for_it(
    now: datetime, gateway_that_notifies: ScriptedGateway
) -> None:
    gateway_that_notifies.is_silent = True
    payment = payments.authorised_payment(now)

    assert [in_dashboard("capture", 1_999) for _ in range(2)] == [202, 202]
    assert services.apply_early_notifications(now=clock.now()) == 0
    assert told(payment.id) == []
    notify(payment.operations[0].id)  # its name at the gateway is auth_1
    assert services.apply_early_notifications(now=clock.now()) == 1

    assert told(payment.id) == [AUTHORISED, PROCESSED]
    assert public.payment_states([payment.id])[payment.id].status == "CAPTURED"
    assert services.apply_early_notifications(now=clock.now()) == 0
    assert not ReconciliationDifference.objects.still_open().exists()


def test_a_refund_made_in_the_gateways_dashboard_is_booked_once_however_often_it_is_told(
    now: datetime, gateway_that_notifies: ScriptedGateway, in_threads: Callable[..., list[Any]]
) -> None:
    payment = payments.captured_payment(now)
    reference = payment.operations[0].gateway_reference

    answers = in_threads(
        *[lambda: in_dashboard("refund", 700, authorisation=reference)] * 4,
        lambda: in_dashboard("refund", 200, authorisation=reference, id="d_2"),
    )

    assert answers == [204] * 5
    state = public.payment_states([payment.id])[payment.id]
    assert (state.status, state.refunded_minor) == ("PARTIALLY_REFUNDED", 900)
    assert told(payment.id).count(REFUNDED) == 2
    assert list(public.journal_differences()) == []


def test_a_refund_of_more_than_was_taken_is_kept_for_staff_and_not_invented(
    now: datetime, gateway_that_notifies: ScriptedGateway
) -> None:
    payment = payments.captured_payment(now)
    reference = payment.operations[0].gateway_reference

    assert in_dashboard("refund", 2_000, authorisation=reference) == 202

    (found,) = ReconciliationDifference.objects.all()
    assert (found.kind, found.payment_id) == ("MISSING_HERE", payment.id)
    assert public.payment_states([payment.id])[payment.id].refunded_minor == 0


def test_an_authorisation_that_expired_at_the_gateway_is_voided_here(
    now: datetime, gateway_that_notifies: ScriptedGateway
) -> None:
    payment = payments.authorised_payment(now)
    reference = payment.operations[0].gateway_reference

    assert [in_dashboard("void", 0, authorisation=reference) for _ in range(2)] == [204, 204]

    assert public.payment_states([payment.id])[payment.id].status == "VOIDED"
    assert told(payment.id) == [AUTHORISED, "payments.payment_voided"]


def test_a_dispute_is_shown_to_staff_and_moves_no_money(
    now: datetime, gateway_that_notifies: ScriptedGateway
) -> None:
    payment = payments.captured_payment(now)
    dispute = Dispute(
        reference="dp_1",
        authorisation=payment.operations[0].gateway_reference,
        reason="fraudulent",
        status="needs_response",
        amount_minor=1_999,
        currency="GBP",
    )
    gateway_that_notifies.notification = lambda **_: Notification(  # type: ignore[assignment]
        key=None, reply=Reply(), dispute=dispute
    )

    for _ in range(2):
        assert not services.receive_notification(
            gateway="simulated", body=b"", signature="", now=now
        )

    (found,) = ReconciliationDifference.objects.all()
    assert (found.kind, found.payment_id) == ("DISPUTE", payment.id)
    assert found.their_state == "needs_response: fraudulent"
    stored = Payment.objects.get(pk=payment.id)
    assert (stored.status, stored.needs_attention_at) == ("CAPTURED", now)


def disputed(gateway: ScriptedGateway, payment: Payment, now: datetime, name: str = "dp_1") -> None:
    dispute = Dispute(
        reference=name,
        authorisation=payment.operations[0].gateway_reference,
        reason="fraudulent",
        status="needs_response",
        amount_minor=1_999,
        currency="GBP",
    )
    gateway.notification = lambda **_: Notification(  # type: ignore[method-assign, assignment]
        key=None, reply=Reply(), dispute=dispute
    )
    services.receive_notification(gateway="simulated", body=b"", signature="", now=now)


def test_a_dispute_needs_staff_until_they_settle_it_whatever_else_is_done(
    now: datetime, gateway_that_notifies: ScriptedGateway
) -> None:
    gateway = gateway_that_notifies
    payment = payments.captured_payment(now)

    def needs_attention_at() -> datetime | None:
        return Payment.objects.get(pk=payment.id).needs_attention_at

    # While an operation has no outcome it is asked for again first, and the dispute is kept.
    gateway.is_silent = True
    services.refund(payment_id=payment.id, amount=Money(500, "GBP"), reason="broken", now=now)
    later = now + timedelta(minutes=1)
    disputed(gateway, payment, later)
    assert needs_attention_at() is None
    assert Payment.objects.get(pk=payment.id).retry_at is not None
    gateway.is_silent = False
    services.resolve(payment_id=payment.id, now=later)
    assert needs_attention_at() == later

    # Another operation that ends well is no answer to the bank.
    services.refund(payment_id=payment.id, amount=Money(100, "GBP"), reason="more", now=later)
    assert needs_attention_at() == later

    disputed(gateway, payment, later, name="dp_2")
    for row in ReconciliationDifference.objects.order_by("id"):
        assert needs_attention_at() == later
        services.close_difference(
            difference_id=row.id, reason="answered", actor_id=new_id(), now=later
        )
    assert needs_attention_at() is None
    disputed(gateway, payment, later)  # told again; staff have settled it
    assert needs_attention_at() is None


@pytest.mark.parametrize("door", ["notification", "list"])
def test_a_card_that_is_kept_is_asked_for_where_only_the_outcome_is_told(
    now: datetime, gateway_that_notifies: ScriptedGateway, door: str
) -> None:
    """As Stripe's events do: they name the card, and it is looked up behind the guards."""
    gateway = gateway_that_notifies
    gateway.capabilities = Capabilities(saved_methods=True)  # type: ignore[misc]
    connect_anew("simulated")
    gateway.is_silent = True
    ann = new_id()
    token = public.token_for(token="tok_visa", keep=True)
    payment = payments.authorised_payment(now, token=token, customer_id=ann)
    key = payment.operations[0].id
    card = KeptMethod(
        token="cus_1/pm_1", brand="visa", last4="4242", expiry_month=1, expiry_year=2040
    )
    gateway.decide(key, Reply(gateway_reference="auth_1", kept=card))
    listed = Listed(
        key=key,
        kind=OperationKind.AUTHORISE,
        reference="auth_1",
        authorisation="auth_1",
        amount_minor=payment.amount_minor,
        currency="GBP",
        state=OperationState.SUCCEEDED,
        at=now,
    )

    def tell() -> object:
        if door == "list":
            return matching.match_all("simulated", [listed], now=now)
        return notify(key).status_code

    # It does not tell of the card now: nothing is written, and it is told again.
    gateway.lookup = unanswered = Unanswered(gateway.lookup)  # type: ignore[method-assign]
    if door == "list":
        with pytest.raises(NoAnswer):
            tell()
    else:
        assert tell() == 503
    assert (unanswered.calls, SavedMethod.objects.count()) == (1, 0)
    assert Payment.objects.get(pk=payment.id).status == "UNKNOWN"

    gateway.is_silent = False
    tell()
    assert Payment.objects.get(pk=payment.id).status == "AUTHORISED"
    assert [method.last4 for method in SavedMethod.objects.of(ann)] == ["4242"]


class Unanswered:
    """A look-up that is not answered the first time."""

    def __init__(self, lookup: Callable[[Any], Reply | None]) -> None:
        self._lookup, self.calls = lookup, 0

    def __call__(self, request: Any) -> Reply | None:
        self.calls += 1
        if self.calls == 1:
            raise NoAnswer("not now")
        return self._lookup(request)


def test_early_notifications_that_never_find_a_payment_keep_no_other_waiting(
    now: datetime, gateway_that_notifies: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.reconciling, "_BATCH", 2)
    payment = payments.authorised_payment(now)
    reference = payment.operations[0].gateway_reference
    for number in range(5):
        early(f"nobody_{number}", now=now - timedelta(hours=1))
    early(reference, now=now)

    assert services.apply_early_notifications(now=now) == 1

    assert public.payment_states([payment.id])[payment.id].status == "CAPTURED"


def early(authorisation: str, *, now: datetime) -> None:
    """What was told of a payment that was not known then."""
    ReconciliationDifference.objects.create(
        gateway="simulated",
        kind="MISSING_HERE",
        subject=f"CAPTURE of {authorisation}",
        operation_kind="CAPTURE",
        gateway_reference=f"cap_{authorisation}",
        authorisation=authorisation,
        their_state="SUCCEEDED",
        their_amount_minor=1_999,
        their_currency="GBP",
        at=now,
        first_seen_at=now,
        last_seen_at=now,
    )


def test_customers_refresh_their_own_payments_only(
    now: datetime, gateway_process: GatewayProcess
) -> None:
    owner, other = users.customer(), users.customer()
    asked = payments.request(now, token="tok_3ds", customer_id=owner.id)
    outcome = public.authorise(**asked, return_url="https://shop.example/back")
    assert outcome.action_url is not None
    gateway_process.post(outcome.action_url.removeprefix(gateway_process.url) + "/approve")
    path = f"/api/v1/payments/{outcome.payment_id}/refresh"

    refused = users.client_of(other).post(path, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (404, "payment_not_found")
    assert Payment.objects.get(pk=outcome.payment_id).status == "ACTION_REQUIRED"
    answer = users.client_of(owner).post(path, content_type="application/json")

    assert (answer.status_code, answer.json()["status"]) == (200, "AUTHORISED")
    assert answer.headers["Cache-Control"] == "no-store"


def test_finance_records_receipts_and_support_does_not(now: datetime) -> None:
    payment = payments.authorised_payment(now, method="bank_transfer")
    path = f"/api/v1/payments/{payment.id}/receipts"
    body = {
        "amount": {"amount": "19.99", "currency": "GBP"},
        "reference": "tx-1",
        "received_at": "2026-03-02T09:30:00Z",
    }

    def send(role: str, **more: Any) -> Any:
        client = users.client_of(users.staff(role))
        return client.post(path, body | more, content_type="application/json")

    assert send("support").status_code == 403
    answers = [send("finance") for _ in range(2)]
    assert [(a.status_code, a.json()["status"]) for a in answers] == [(200, "CAPTURED")] * 2
    differs = send("finance", amount={"amount": "1.00", "currency": "GBP"})
    assert (differs.status_code, differs.json()["code"]) == (409, "receipt_differs")
    assert Operation.objects.filter(kind="RECEIPT").count() == 1
