"""What the simulated gateway does beside the shop: asks customers, and works in its own screens."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from domains.payments import gateways, public, services
from domains.payments.models import Payment
from domains.payments.rules.operations import OperationKind, OperationState
from infrastructure import clock
from infrastructure.money import Money
from tests.integration.payments.conftest import GatewayProcess
from tests.support.factories import payments

pytestmark = pytest.mark.django_db

BACK = "https://shop.example/paid?order=1"


def waiting_payment(now: datetime) -> public.Outcome:
    return public.authorise(**payments.request(now, token="tok_3ds"), return_url=BACK)


def say(outcome: public.Outcome, word: str) -> httpx.Response:
    return httpx.post(f"{outcome.action_url}/{word}", trust_env=False, timeout=60)


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [("approve", "AUTHORISED", None), ("deny", "DECLINED", "authentication_failed")],
)
def test_a_customer_confirms_on_the_gateways_page(
    now: datetime, gateway_process: GatewayProcess, word: str, status: str, code: str | None
) -> None:
    asked = waiting_payment(now)
    assert asked.status == "ACTION_REQUIRED"
    page = httpx.get(str(asked.action_url), trust_env=False, timeout=60)
    assert "1999 GBP" in page.text
    assert gateway_process.authorisations() == []

    answer = say(asked, word)
    told = public.refresh(payment_id=asked.payment_id, now=now)

    assert (answer.status_code, answer.headers["Location"]) == (303, BACK)
    assert (told.status, told.decline_code) == (status, code)
    assert say(asked, "approve").status_code == 410
    assert httpx.get(str(asked.action_url), trust_env=False, timeout=60).status_code == 410


def test_who_cannot_be_asked_is_declined(now: datetime, gateway_process: GatewayProcess) -> None:
    outcome = public.authorise(**payments.request(now, token="tok_3ds"))

    assert (outcome.status, outcome.decline_code) == ("DECLINED", "authentication_required")


def test_what_is_let_go_cannot_be_confirmed_any_more(
    now: datetime, gateway_process: GatewayProcess
) -> None:
    asked = waiting_payment(now)

    assert public.void(payment_id=asked.payment_id, now=now).status == "VOIDED"
    assert say(asked, "approve").status_code == 410
    assert gateway_process.authorisations() == []


def test_the_word_of_a_customer_survives_the_gateways_death(
    now: datetime, gateway_process: GatewayProcess
) -> None:
    asked, other = waiting_payment(now), waiting_payment(now)
    say(asked, "approve")

    gateway_process.kill()
    gateway_process.start()

    assert public.refresh(payment_id=asked.payment_id, now=now).status == "AUTHORISED"
    assert say(other, "approve").status_code == 303


def test_it_lists_what_it_did_with_and_without_the_shop(
    now: datetime, gateway_process: GatewayProcess
) -> None:
    since = clock.now()
    payment = payments.captured_payment(now)
    authorisation = payment.operations[0].gateway_reference
    gateway_process.command(
        "/dashboard", kind="refund", authorisation=authorisation, amount_minor=500
    ).raise_for_status()
    gateway = gateways.gateway_named("simulated")

    listed = list(gateway.listing(since, clock.now() + timedelta(seconds=1)))

    assert [(o.kind, o.key, o.amount_minor) for o in listed] == [
        (OperationKind.AUTHORISE, payment.operations[0].id, 1_999),
        (OperationKind.CAPTURE, payment.operations[1].id, 1_999),
        (OperationKind.REFUND, None, 500),
    ]
    assert {(o.authorisation, o.currency, o.state) for o in listed} == {
        (authorisation, "GBP", OperationState.SUCCEEDED)
    }
    assert all(since <= o.at <= clock.now() for o in listed)
    assert list(gateway.listing(since - timedelta(days=2), since - timedelta(days=1))) == []


def test_a_long_list_comes_in_pages(now: datetime, gateway_process: GatewayProcess) -> None:
    since = clock.now()
    for number in range(120):
        gateway_process.command(
            "/authorisations",
            key=f"00000000-0000-7000-8000-{number:012}",
            amount_minor=1,
            currency="GBP",
            reference="K",
            token="tok_visa",
        ).raise_for_status()
    listed = list(gateways.gateway_named("simulated").listing(since, clock.now()))

    assert [str(o.key)[-3:] for o in listed] == [f"{number:03}" for number in range(120)]


def test_it_can_deny_an_operation(now: datetime, gateway_process: GatewayProcess) -> None:
    payment = payments.authorised_payment(now)
    key = str(payment.operations[0].id)

    assert gateway_process.command("/losses", key=key).json() == {"lost": True}
    assert gateway_process.command("/losses", key=key).json() == {"lost": False}
    assert gateway_process.get(f"/operations/{key}").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_refund_in_its_screens_is_told_and_booked(
    now: datetime, gateway_process: GatewayProcess, live_server: Any
) -> None:
    payment = payments.captured_payment(now)
    gateway_process.change(webhook_url=f"{live_server.url}/api/v1/payments/webhooks/simulated")

    gateway_process.command(
        "/dashboard",
        kind="refund",
        authorisation=payment.operations[0].gateway_reference,
        amount_minor=500,
    ).raise_for_status()

    gateway_process.until(lambda: Payment.objects.get(pk=payment.id).status == "PARTIALLY_REFUNDED")
    assert Payment.objects.get(pk=payment.id).refunded_minor == 500
    assert list(public.journal_differences()) == []
    refund = services.refund(
        payment_id=payment.id, amount=Money(1_499, "GBP"), reason="rest", now=now
    )[0]
    assert refund.status == "REFUNDED"


def test_a_share_of_requests_can_fail(now: datetime, gateway_process: GatewayProcess) -> None:
    gateway_process.change(error_rate=1)
    payment = payments.authorised_payment(now)
    assert payment.status == "UNKNOWN"
    assert gateway_process.authorisations() == []

    gateway_process.change(error_rate=0)
    assert services.resolve(payment_id=payment.id, now=now).status == "AUTHORISED"
