"""What is sent to Stripe, against Stripe's own mock server: it refuses what its API would.

It answers with fixtures, whatever was asked before; how answers are understood is tested with
recorded shapes in tests/unit/payments/test_stripe.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domains.payments.gateways.port import Authorise, Capture, NoAnswer, Refund, Void
from domains.payments.gateways.stripe import StripeGateway
from domains.payments.rules.gateways import Reply
from infrastructure.ids import new_id
from tests.support import stripe_mock

pytestmark = pytest.mark.skipif(
    bool(stripe_mock.reason_to_skip()), reason=stripe_mock.reason_to_skip() or "-"
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with stripe_mock.running() as url:
        yield url


@pytest.fixture
def gateway(settings: Any, address: str) -> Iterator[StripeGateway]:
    settings.STRIPE_SECRET_KEY = "sk_test_123"
    settings.STRIPE_WEBHOOK_SECRET = "whsec_test"
    settings.STRIPE_API_BASE = address
    settings.PAYMENT_GATEWAY_READ_TIMEOUT = 30
    connected = StripeGateway()
    yield connected
    connected.close()


def authorise(**changes: Any) -> Authorise:
    asked = {"amount_minor": 1_999, "currency": "GBP", "reference": "K-1", "token": "pm_card_visa"}
    return Authorise(key=new_id(), **asked | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"token": "tok_visa"},
        {"token": "ctoken_123"},
        {"return_url": "https://shop.example/paid"},
        {"keep": True},
        {"token": "", "saved_method": "cus_123/pm_123"},
        {"currency": "JPY"},
        {"currency": "KWD", "amount_minor": 12_340},
    ],
)
@pytest.mark.parametrize("multicapture", [False, True])
def test_stripe_takes_every_authorisation(
    gateway: StripeGateway, settings: Any, changes: dict[str, Any], multicapture: bool
) -> None:
    settings.STRIPE_MULTICAPTURE = multicapture

    reply = StripeGateway().send(authorise(**changes))

    # Its fixture of a PaymentIntent has not been paid; a request it did not like would have none.
    assert reply.gateway_reference.startswith("pi_")
    assert reply.refusal == "declined"


@pytest.mark.parametrize("multicapture", [False, True])
def test_stripe_takes_captures_voids_and_refunds(
    gateway: StripeGateway, settings: Any, multicapture: bool
) -> None:
    settings.STRIPE_MULTICAPTURE = multicapture
    gateway = StripeGateway()
    part = {"authorisation": "pi_1", "amount_minor": 500, "currency": "GBP"}

    assert gateway.send(Capture(key=new_id(), **part)).is_success  # type: ignore[arg-type]
    void = Void(key=new_id(), authorisation="pi_1")
    assert gateway.send(void).gateway_reference == "pi_1"
    # The mock takes the request, and its fixture is an intent of which nothing was captured.
    with pytest.raises(NoAnswer, match="The PaymentIntent is requires_payment_method"):
        gateway.send(Void(key=new_id(), authorisation="pi_1", rest=True))
    assert gateway.send(Refund(key=new_id(), **part)).gateway_reference.startswith("re_")  # type: ignore[arg-type]


def test_stripe_takes_look_ups_lists_and_deletions(gateway: StripeGateway) -> None:
    part = {"authorisation": "pi_1", "amount_minor": 500, "currency": "GBP"}
    now = datetime(2026, 3, 2, tzinfo=UTC)

    found = gateway.lookup(authorise())
    assert found is not None
    assert found.gateway_reference.startswith("pi_")
    assert gateway.lookup(Capture(key=new_id(), **part)) is None  # type: ignore[arg-type]
    assert gateway.lookup(Void(key=new_id(), authorisation="pi_1")) is None
    assert gateway.lookup(Refund(key=new_id(), **part)) is None  # type: ignore[arg-type]
    assert list(gateway.listing(now - timedelta(days=1), now)) == []
    gateway.forget("cus_1/pm_1")


def test_what_stripe_would_not_take_is_refused(gateway: StripeGateway) -> None:
    """The mock does check: else the tests above would say nothing."""
    assert gateway.send(authorise(amount_minor="many")) == Reply(refusal="refused")


def test_a_key_that_stripe_refuses_is_no_answer(gateway: StripeGateway, settings: Any) -> None:
    settings.STRIPE_SECRET_KEY = "wrong"

    with pytest.raises(NoAnswer, match="AuthenticationError 401"):
        StripeGateway().send(authorise())
