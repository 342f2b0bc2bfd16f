"""How Stripe's events are understood, told one by one and listed."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from domains.payments.errors import InvalidNotification, InvalidSignature
from domains.payments.gateways.port import Dispute, Listed
from domains.payments.gateways.stripe import StripeGateway
from domains.payments.rules.gateways import Reply
from domains.payments.rules.operations import OperationKind, OperationState
from tests.support.fake_stripe import (
    KEY,
    REDIRECT,
    SECRET,
    VOID_KEY,
    FakeStripe,
    event,
    intent,
    refund,
)


def notified(gateway: StripeGateway, told: dict[str, Any]) -> Any:
    body = json.dumps(told)
    signature = stripe.WebhookSignature.generate_signature_header(body, SECRET)
    return gateway.notification(body=body.encode(), signature=signature, now=time.time())


AT = datetime.fromtimestamp(1_772_443_800, UTC)


def operation(kind: OperationKind, **changes: Any) -> Listed:
    told = {
        "key": KEY,
        "kind": kind,
        "reference": "pi_1",
        "authorisation": "pi_1",
        "amount_minor": 1_999,
        "currency": "GBP",
        "state": OperationState.SUCCEEDED,
        "at": AT,
    }
    return Listed(**told | changes)


# "previous_attributes" comes with *.updated events only (Stripe's API reference, the Event object):
# a capture tells the Charge as it is by then, and not by how much it was captured just now.
CHARGE = {
    "id": "ch_1",
    "object": "charge",
    "payment_intent": "pi_1",
    "amount": 1_999,
    "amount_captured": 1_200,
    "currency": "gbp",
    "metadata": {},
}
TOLD = [
    (
        event("payment_intent.amount_capturable_updated", intent()),
        operation(OperationKind.AUTHORISE),
        Reply(gateway_reference="pi_1"),
    ),
    (
        event(
            "payment_intent.payment_failed",
            intent("requires_payment_method", last_payment_error={"decline_code": "do_not_honor"}),
        ),
        operation(OperationKind.AUTHORISE, state=OperationState.FAILED),
        Reply(gateway_reference="pi_1", refusal="do_not_honor"),
    ),
    (
        event("payment_intent.requires_action", intent("requires_action", next_action=REDIRECT)),
        operation(OperationKind.AUTHORISE, state=OperationState.SENT),
        Reply(gateway_reference="pi_1", action_url="https://hooks.stripe.com/3ds"),
    ),
    (
        event("payment_intent.canceled", intent("canceled"), key=VOID_KEY),
        operation(OperationKind.VOID, key=VOID_KEY),
        Reply(gateway_reference="pi_1"),
    ),
    (
        event("charge.captured", CHARGE, key=KEY),
        operation(OperationKind.CAPTURE, reference="evt_1", amount_minor=1_200, is_total=True),
        Reply(gateway_reference="ch_1"),
    ),
    (
        event("charge.captured", CHARGE, key="from-the-dashboard"),
        operation(
            OperationKind.CAPTURE, key=None, reference="evt_1", amount_minor=1_200, is_total=True
        ),
        Reply(gateway_reference="ch_1"),
    ),
    (
        event("refund.created", refund(metadata={})),
        operation(OperationKind.REFUND, key=None, reference="re_1", amount_minor=500),
        Reply(gateway_reference="re_1"),
    ),
    (
        event("refund.failed", refund("failed")),
        operation(
            OperationKind.REFUND, reference="re_1", amount_minor=500, state=OperationState.FAILED
        ),
        Reply(gateway_reference="re_1", refusal="failed"),
    ),
]


@pytest.mark.parametrize(("told", "listed", "reply"), TOLD)
def test_an_event_tells_what_became_of_an_operation(
    gateway: StripeGateway, told: dict[str, Any], listed: Listed, reply: Reply
) -> None:
    notification = notified(gateway, told)

    assert notification.key == listed.key
    assert notification.operation == listed
    assert notification.reply == reply
    assert notification.dispute is None


def test_an_event_asks_stripe_nothing(gateway: StripeGateway, fake: FakeStripe) -> None:
    """Not even for a card that is to be kept: what is asked of Stripe goes through its guards."""
    keeping = intent(setup_future_usage="on_session", customer="cus_1")

    told = notified(gateway, event("payment_intent.amount_capturable_updated", keeping))

    assert told.reply == Reply(gateway_reference="pi_1")
    assert fake.requests == []


def test_a_dispute_is_told_as_one(gateway: StripeGateway) -> None:
    told = {"id": "dp_1", "payment_intent": "pi_1", "reason": "fraudulent", "amount": 1_999}
    told |= {"status": "needs_response", "currency": "gbp", "metadata": {}}

    notification = notified(gateway, event("charge.dispute.created", told))

    assert notification.key is None
    assert notification.dispute == Dispute(
        reference="dp_1",
        authorisation="pi_1",
        reason="fraudulent",
        status="needs_response",
        amount_minor=1_999,
        currency="GBP",
    )


@pytest.mark.parametrize(
    "told",
    [
        event("charge.refunded", CHARGE),
        event("customer.created", {"id": "cus_1"}),
        event("payment_intent.amount_capturable_updated", intent(metadata={})),
        event("payment_intent.amount_capturable_updated", intent(amount_received=700)),
        event("payment_intent.canceled", intent("canceled", metadata={})),
        event("refund.updated", refund("pending")),
    ],
)
def test_what_is_about_nothing_of_ours_is_taken_without_an_effect(
    gateway: StripeGateway, told: dict[str, Any]
) -> None:
    assert notified(gateway, told) is None


def test_only_what_stripe_signed_is_read(gateway: StripeGateway) -> None:
    body = json.dumps(event("refund.created", refund()))
    sign = stripe.WebhookSignature.generate_signature_header
    now = int(time.time())

    for signature in ("", "t=1,v1=0", sign(body, "whsec_other"), sign(body, SECRET, now - 301)):
        with pytest.raises(InvalidSignature):
            gateway.notification(body=body.encode(), signature=signature, now=now)
    with pytest.raises(InvalidSignature):
        gateway.notification(body=b"\xff", signature=sign(body, SECRET), now=now)
    for wrong in ("[]", "{}", '{"type": "refund.created", "data": {"object": {}}}'):
        with pytest.raises(InvalidNotification):
            gateway.notification(body=wrong.encode(), signature=sign(wrong, SECRET), now=now)


def test_the_list_of_a_window_is_its_events_oldest_first(
    gateway: StripeGateway, fake: FakeStripe
) -> None:
    newest_first = [told for told, _, _ in reversed(TOLD)]
    fake.will_answer(
        {"object": "list", "data": newest_first, "has_more": False, "url": "/v1/events"}
    )

    assert list(gateway.listing(AT, AT)) == [listed for _, listed, _ in TOLD]
