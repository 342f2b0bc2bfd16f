from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from domains.payments import services
from domains.payments.gateways.port import Capture, Refund
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.integration.payments.conftest import ScriptedGateway
from tests.support.factories import payments, users
from tests.support.payment_api import post

pytestmark = pytest.mark.django_db


@pytest.fixture
def finance() -> Client:
    return users.client_of(users.staff("finance"))


def test_staff_reads_a_payment_with_its_operations(finance: Client, now: datetime) -> None:
    payment = payments.authorised_payment(now)

    answer = finance.get(f"/api/v1/payments/{payment.id}")

    assert answer.status_code == 200
    assert answer.headers["ETag"] == '"v2"'
    assert answer.json() == {
        "id": str(payment.id),
        "reference": payment.reference,
        "status": "AUTHORISED",
        "method": "card",
        "amount": {"amount": "19.99", "currency": "GBP"},
        "authorised": {"amount": "19.99", "currency": "GBP"},
        "captured": {"amount": "0.00", "currency": "GBP"},
        "refunded": {"amount": "0.00", "currency": "GBP"},
        "released": {"amount": "0.00", "currency": "GBP"},
        "owed_back": {"amount": "0.00", "currency": "GBP"},
        "needs_attention": None,
        "decline_code": None,
        "decline_reason": None,
        "action_url": None,
        "action_deadline": None,
        "due_at": None,
        "created_at": "2026-03-02T09:30:00Z",
        "updated_at": answer.json()["updated_at"],
        "operations": [
            {
                "id": str(payment.operations[0].id),
                "kind": "AUTHORISE",
                "state": "SUCCEEDED",
                "amount": {"amount": "19.99", "currency": "GBP"},
                "decline_code": None,
                "sent_at": "2026-03-02T09:30:00Z",
                "finished_at": answer.json()["operations"][0]["finished_at"],
            }
        ],
    }
    again = finance.get(f"/api/v1/payments/{payment.id}", headers={"If-None-Match": '"v2"'})
    assert again.status_code == 304


def test_money_that_came_too_late_is_shown_as_owed_back(finance: Client, now: datetime) -> None:
    someone = users.customer()
    payment = payments.authorised_payment(now, method="bank_transfer", customer_id=someone.id)
    path = f"/api/v1/payments/{payment.id}"

    def receive(minor: int, reference: str) -> None:
        services.record_receipt(
            payment_id=payment.id,
            amount=Money(minor, "GBP"),
            reference=reference,
            received_at=now,
            now=now,
        )

    def shown(client: Client) -> tuple[Any, ...]:
        told = client.get(path).json()
        return told["status"], told["owed_back"]["amount"], told["needs_attention"]

    receive(700, "early")
    before = shown(finance)
    services.void(payment_id=payment.id, now=now)
    receive(1_299, "late")

    assert before == ("PENDING", "0.00", None)
    assert shown(finance) == ("VOIDED", "19.99", "owed_back")
    assert shown(users.client_of(someone)) == ("VOIDED", "19.99", None)
    services.refund(payment_id=payment.id, reason="too late", now=now)
    assert shown(finance) == ("VOIDED", "0.00", None)


def test_customers_read_their_own_payments_only(now: datetime) -> None:
    ann, bob = users.customer(), users.customer()
    payment = payments.authorised_payment(now, customer_id=ann.id)

    answers = [
        client.get(f"/api/v1/payments/{payment.id}")
        for client in (users.client_of(ann), users.client_of(bob), Client())
    ]

    assert [answer.status_code for answer in answers] == [200, 404, 401]
    assert answers[1].json()["code"] == "payment_not_found"


@pytest.mark.parametrize("command", ["capture", "void", "refunds"])
def test_only_those_who_may_touch_money_do(now: datetime, command: str) -> None:
    payment = payments.authorised_payment(now)
    clients = [users.client_of(users.customer()), users.client_of(users.staff("support"))]

    answers = [post(c, f"/payments/{payment.id}/{command}", {}, key="k") for c in clients]

    assert [(a.status_code, a.json()["code"]) for a in answers] == [(403, "missing_scope")] * 2
    assert services.resolve(payment_id=payment.id, now=now).status == "AUTHORISED"


def test_a_capture_takes_everything_unless_told_an_amount(finance: Client, now: datetime) -> None:
    payment = payments.authorised_payment(now)

    part = post(
        finance,
        f"/payments/{payment.id}/capture",
        {"amount": {"amount": "5.00", "currency": "GBP"}},
        key="part",
    )
    rest = post(finance, f"/payments/{payment.id}/capture", {}, key="rest")

    assert [a.status_code for a in (part, rest)] == [200, 200]
    assert (part.json()["status"], part.json()["captured"]["amount"]) == (
        "PARTIALLY_CAPTURED",
        "5.00",
    )
    assert (rest.json()["status"], rest.json()["captured"]["amount"]) == ("CAPTURED", "19.99")


def test_a_capture_needs_an_idempotency_key(finance: Client, now: datetime) -> None:
    payment = payments.authorised_payment(now)

    answer = post(finance, f"/payments/{payment.id}/capture", {})

    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_required")


def test_a_repeated_capture_has_one_effect(
    finance: Client, now: datetime, gateway: ScriptedGateway
) -> None:
    payment = payments.authorised_payment(now)
    body = {"amount": {"amount": "5.00", "currency": "GBP"}}

    first, again = [
        post(finance, f"/payments/{payment.id}/capture", body, key="once") for _ in range(2)
    ]
    other = post(finance, f"/payments/{payment.id}/capture", {}, key="once")

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len([r for r in gateway.sent if isinstance(r, Capture)]) == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_capture_ten_times_at_once_takes_the_money_once(
    now: datetime, gateway: ScriptedGateway, in_threads: Callable[..., list[Any]]
) -> None:
    payment = payments.authorised_payment(now)
    clerk = users.staff("finance")
    body = {"amount": {"amount": "5.00", "currency": "GBP"}}

    def capture() -> Any:
        return post(users.client_of(clerk), f"/payments/{payment.id}/capture", body, key="once")

    answers = in_threads(*[capture] * 10)

    # Who comes while the first is at the gateway is told that it is under way.
    assert {a.status_code for a in answers} <= {200, 202, 409}
    assert services.resolve(payment_id=payment.id, now=now).captured_minor == 500
    assert len({r.key for r in gateway.sent if isinstance(r, Capture)}) == 1
    assert capture().json()["captured"]["amount"] == "5.00"


def test_a_capture_is_accepted_while_the_gateway_is_silent(
    finance: Client, now: datetime, gateway: ScriptedGateway
) -> None:
    payment = payments.authorised_payment(now)
    gateway.is_silent = True

    answer = post(finance, f"/payments/{payment.id}/capture", {}, key="once")
    other = post(finance, f"/payments/{payment.id}/capture", {}, key="another")
    gateway.is_silent = False
    services.resolve(payment_id=payment.id, now=now)
    again = post(finance, f"/payments/{payment.id}/capture", {}, key="once")

    assert (answer.status_code, answer.json()["operations"][1]["state"]) == (202, "UNKNOWN")
    assert answer.headers["Location"] == f"/api/v1/payments/{payment.id}"
    assert (other.status_code, other.json()["code"]) == (409, "payment_operation_in_progress")
    assert (again.status_code, again.json()["status"]) == (200, "CAPTURED")


def test_a_refused_capture_says_why_each_time(
    finance: Client, now: datetime, gateway: ScriptedGateway
) -> None:
    payment = payments.authorised_payment(now)
    gateway.refusal = "expired"

    answers = [post(finance, f"/payments/{payment.id}/capture", {}, key="once") for _ in range(2)]

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (409, "gateway_refused")
        assert answer.json()["detail"] == "The gateway refused: expired."
    assert len([r for r in gateway.sent if isinstance(r, Capture)]) == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"amount": {"amount": "20.00", "currency": "GBP"}}, 409, "capture_too_large"),
        ({"amount": {"amount": "1.00", "currency": "EUR"}}, 400, "invalid_payment_amount"),
        ({"amount": {"amount": "0.00", "currency": "GBP"}}, 400, "invalid_payment_amount"),
        ({"amount": {"amount": "1.001", "currency": "GBP"}}, 400, "invalid_body"),
        ({"amont": {}}, 400, "invalid_body"),
    ],
)
def test_a_capture_that_cannot_be_is_refused(
    finance: Client, now: datetime, body: dict[str, Any], status: int, code: str
) -> None:
    payment = payments.authorised_payment(now)

    answer = post(finance, f"/payments/{payment.id}/capture", body, key="once")

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert services.resolve(payment_id=payment.id, now=now).captured_minor == 0


@pytest.mark.parametrize("path", ["", "/capture", "/void"])
def test_a_payment_that_never_began_is_not_found(finance: Client, now: datetime, path: str) -> None:
    unknown, forestalled = new_id(), new_id()
    services.void_or_forestall(payment_id=forestalled, now=now)

    for payment_id in (unknown, forestalled):
        url = f"/payments/{payment_id}{path}"
        answer = (
            post(finance, url, {}, key=str(payment_id)) if path else finance.get(f"/api/v1{url}")
        )
        assert (answer.status_code, answer.json()["code"]) == (404, "payment_not_found")


def test_a_refund_gives_everything_back_unless_told_an_amount(
    finance: Client, now: datetime
) -> None:
    payment = payments.captured_payment(now)
    path = f"/payments/{payment.id}/refunds"
    amount = {"amount": "5.00", "currency": "GBP"}

    part = post(finance, path, {"amount": amount, "reason": "one was broken"}, key="part")
    rest = post(finance, path, {"reason": "and so was the other"}, key="rest")

    assert [a.status_code for a in (part, rest)] == [200, 200]
    assert (part.json()["status"], part.json()["refunded"]) == ("PARTIALLY_REFUNDED", amount)
    assert (rest.json()["status"], rest.json()["refunded"]["amount"]) == ("REFUNDED", "19.99")


def test_a_repeated_refund_has_one_effect(
    finance: Client, now: datetime, gateway: ScriptedGateway
) -> None:
    payment = payments.captured_payment(now)
    body = {"amount": {"amount": "5.00", "currency": "GBP"}, "reason": "broken"}
    path = f"/payments/{payment.id}/refunds"

    first, again = [post(finance, path, body, key="once") for _ in range(2)]
    keyless = post(finance, path, body)

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (keyless.status_code, keyless.json()["code"]) == (400, "idempotency_key_required")
    assert len([r for r in gateway.sent if isinstance(r, Refund)]) == 1


def test_a_refund_is_accepted_while_the_gateway_is_silent(
    finance: Client, now: datetime, gateway: ScriptedGateway
) -> None:
    payment = payments.captured_payment(now)
    path = f"/payments/{payment.id}/refunds"
    gateway.is_silent = True

    accepted = post(finance, path, {"reason": "broken"}, key="once")
    other = post(finance, path, {"reason": "broken"}, key="other")
    gateway.is_silent = False
    services.resolve(payment_id=payment.id, now=now)
    again = post(finance, path, {"reason": "broken"}, key="once")

    assert (accepted.status_code, accepted.json()["status"]) == (202, "CAPTURED")
    assert accepted.headers["Location"] == f"/api/v1/payments/{payment.id}"
    assert (other.status_code, other.json()["code"]) == (409, "payment_operation_in_progress")
    assert (again.status_code, again.json()["status"]) == (200, "REFUNDED")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"amount": {"amount": "20.00", "currency": "GBP"}}, 409, "refund_too_large"),
        ({"amount": {"amount": "1.00", "currency": "EUR"}}, 400, "invalid_payment_amount"),
        ({"amount": {"amount": "0.00", "currency": "GBP"}}, 400, "invalid_payment_amount"),
        ({"reason": ""}, 400, "invalid_body"),
    ],
)
def test_a_refund_that_cannot_be_is_refused(
    finance: Client, now: datetime, body: dict[str, Any], status: int, code: str
) -> None:
    payment = payments.captured_payment(now)

    answer = post(
        finance, f"/payments/{payment.id}/refunds", {"reason": "broken"} | body, key="once"
    )

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    untouched = payments.authorised_payment(now)
    answer = post(finance, f"/payments/{untouched.id}/refunds", {"reason": "broken"}, key="two")
    assert (answer.status_code, answer.json()["code"]) == (409, "payment_not_captured")
