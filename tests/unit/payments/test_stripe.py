"""How Stripe's answers and events are understood, with shapes as its documentation records them."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import pytest
import stripe

from domains.payments.errors import InvalidNotification, InvalidSignature
from domains.payments.gateways.port import (
    Authorise,
    Capture,
    Dispute,
    Listed,
    NoAnswer,
    Refund,
    Request,
    Void,
)
from domains.payments.gateways.stripe import StripeGateway, amounts
from domains.payments.rules import KeptMethod, OperationKind, OperationState, Reply
from infrastructure.ids import new_id

KEY = UUID("0193b3a0-0000-7000-8000-000000000001")
VOID_KEY = UUID("0193b3a0-0000-7000-8000-000000000002")
SECRET = "whsec_test"


class FakeStripe:
    """An HTTP server that answers in turn as the test says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, Any], dict[str, str]]] = []
        self.asked: list[tuple[str, str, str]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                fake.asked.append((f"{self.command} {self.path.partition('?')[0]}", body, ""))
                fake.keys.append(self.headers.get("Idempotency-Key", ""))
                status, answer, headers = fake.answers.pop(0)
                content = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = _answer

            def log_message(self, *args: object) -> None:
                pass

        self.keys: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def will_answer(
        self, answer: dict[str, Any], *, status: int = 200, replayed: bool = False
    ) -> None:
        self.answers.append((status, answer, {"Idempotent-Replayed": "true"} if replayed else {}))

    def will_refuse(self, status: int, **error: Any) -> None:
        self.will_answer({"error": error}, status=status)

    @property
    def requests(self) -> list[str]:
        return [what for what, _, _ in self.asked]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    server = FakeStripe()
    yield server
    server.close()


@pytest.fixture
def gateway(settings: Any, fake: FakeStripe) -> Iterator[StripeGateway]:
    settings.STRIPE_SECRET_KEY = "sk_test_123"
    settings.STRIPE_WEBHOOK_SECRET = SECRET
    settings.STRIPE_API_BASE = fake.url
    settings.PAYMENT_GATEWAY_READ_TIMEOUT = 0.5
    connected = StripeGateway()
    yield connected
    connected.close()


def authorise(**changes: Any) -> Authorise:
    asked = {"amount_minor": 1_999, "currency": "GBP", "reference": "K-1", "token": "pm_card_visa"}
    return Authorise(key=KEY, **asked | changes)


CAPTURE = Capture(key=KEY, authorisation="pi_1", amount_minor=500, currency="GBP")
REFUND = Refund(key=KEY, authorisation="pi_1", amount_minor=500, currency="GBP")
VOID = Void(key=VOID_KEY, authorisation="pi_1")


def intent(status: str = "requires_capture", **changes: Any) -> dict[str, Any]:
    told = {
        "id": "pi_1",
        "object": "payment_intent",
        "status": status,
        "amount": 1_999,
        "amount_received": 0,
        "currency": "gbp",
        "customer": None,
        "payment_method": "pm_1",
        "latest_charge": "ch_1",
        "next_action": None,
        "last_payment_error": None,
        "cancellation_reason": None,
        "setup_future_usage": None,
        "metadata": {"operation": str(KEY), "reference": "K-1"},
    }
    return told | changes


def refund(status: str = "succeeded", **changes: Any) -> dict[str, Any]:
    told = {
        "id": "re_1",
        "object": "refund",
        "status": status,
        "amount": 500,
        "currency": "gbp",
        "payment_intent": "pi_1",
        "failure_reason": None,
        "metadata": {"operation": str(KEY)},
    }
    return told | changes


def event(kind: str, told: dict[str, Any], *, key: object = None, **data: Any) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "object": "event",
        "type": kind,
        "created": 1_772_443_800,
        "request": {"id": "req_1", "idempotency_key": key and str(key)},
        "data": {"object": told, **data},
    }


REDIRECT = {"type": "redirect_to_url", "redirect_to_url": {"url": "https://hooks.stripe.com/3ds"}}


@pytest.mark.parametrize(
    ("told", "reply"),
    [
        (intent(), Reply(gateway_reference="pi_1")),
        (
            intent("requires_action", next_action=REDIRECT),
            Reply(gateway_reference="pi_1", action_url="https://hooks.stripe.com/3ds"),
        ),
        (
            intent("requires_action", next_action={"type": "use_stripe_sdk"}),
            Reply(gateway_reference="pi_1", refusal="authentication_required"),
        ),
        (
            intent("canceled", cancellation_reason="automatic"),
            Reply(gateway_reference="pi_1", refusal="automatic"),
        ),
        (
            intent(
                "requires_payment_method",
                last_payment_error={"code": "payment_intent_authentication_failure"},
            ),
            Reply(gateway_reference="pi_1", refusal="payment_intent_authentication_failure"),
        ),
    ],
)
def test_an_authorisation_is_what_its_intent_says(
    gateway: StripeGateway, fake: FakeStripe, told: dict[str, Any], reply: Reply
) -> None:
    fake.will_answer(told)

    assert gateway.send(authorise(return_url="https://shop.example/paid")) == reply
    assert fake.requests == ["POST /v1/payment_intents"]
    assert fake.keys == [str(KEY)]


def test_an_intent_that_is_being_processed_is_no_answer(
    gateway: StripeGateway, fake: FakeStripe
) -> None:
    fake.will_answer(intent("processing"))
    with pytest.raises(NoAnswer, match="processing"):
        gateway.send(authorise())


def test_a_decline_tells_the_banks_reason_first(gateway: StripeGateway, fake: FakeStripe) -> None:
    fake.will_refuse(
        402,
        type="card_error",
        code="card_declined",
        decline_code="insufficient_funds",
        payment_intent={"id": "pi_1", "object": "payment_intent"},
    )
    fake.will_refuse(402, type="card_error", code="expired_card")

    declined = Reply(gateway_reference="pi_1", refusal="insufficient_funds")
    assert gateway.send(authorise()) == declined
    assert gateway.send(authorise()) == Reply(refusal="expired_card")


def test_a_request_that_makes_no_sense_is_refused(gateway: StripeGateway, fake: FakeStripe) -> None:
    fake.will_refuse(400, type="invalid_request_error", code="resource_missing")
    assert gateway.send(authorise(token="pm_nobody")) == Reply(refusal="resource_missing")


@pytest.mark.parametrize("status", [401, 403, 409, 429])
def test_limits_conflicts_and_refused_keys_are_no_answer(
    gateway: StripeGateway, fake: FakeStripe, status: int
) -> None:
    fake.will_refuse(status, type="api_error", code="lock_timeout")
    with pytest.raises(NoAnswer, match=f" {status}"):
        gateway.send(CAPTURE)
    assert len(fake.asked) == 1  # the library repeats nothing by itself


def test_a_key_used_for_something_else_is_no_answer(
    gateway: StripeGateway, fake: FakeStripe
) -> None:
    fake.will_refuse(400, type="idempotency_error")
    with pytest.raises(NoAnswer, match="IdempotencyError"):
        gateway.send(CAPTURE)


def test_a_fault_of_stripes_is_looked_into(gateway: StripeGateway, fake: FakeStripe) -> None:
    """Under the same key it would be told for a day."""
    fake.will_refuse(500, type="api_error")
    fake.will_answer({"object": "search_result", "data": [intent()], "has_more": False})
    assert gateway.send(authorise()) == Reply(gateway_reference="pi_1")

    fake.will_refuse(500, type="api_error")
    fake.will_answer({"object": "search_result", "data": [], "has_more": False})
    with pytest.raises(NoAnswer, match="APIError 500"):
        gateway.send(authorise())


def test_silence_ends_after_our_time(settings: Any, gateway: StripeGateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.STRIPE_API_BASE = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(NoAnswer, match="APIConnectionError"):
            StripeGateway().send(authorise())
        assert time.monotonic() - started < 20  # Stripe's library would wait for 80 seconds
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    with pytest.raises(NoAnswer, match="APIConnectionError"):
        StripeGateway().lookup(authorise())


def test_a_repeated_answer_is_old_so_the_intent_is_read(
    gateway: StripeGateway, fake: FakeStripe
) -> None:
    fake.will_answer(intent("requires_action", next_action=REDIRECT), replayed=True)
    fake.will_answer(intent())

    assert gateway.send(authorise()) == Reply(gateway_reference="pi_1")
    assert fake.requests == ["POST /v1/payment_intents", "GET /v1/payment_intents/pi_1"]


def test_a_card_is_kept_as_stripe_tells_of_it(gateway: StripeGateway, fake: FakeStripe) -> None:
    card = {"brand": "visa", "last4": "4242", "exp_month": 8, "exp_year": 2031}
    method = {"id": "pm_1", "object": "payment_method", "type": "card", "card": card}
    fake.will_answer({"id": "cus_1", "object": "customer"})
    fake.will_answer(intent(customer="cus_1", payment_method=method))

    kept = gateway.send(authorise(keep=True)).kept

    assert kept == KeptMethod(
        token="cus_1/pm_1", brand="visa", last4="4242", expiry_month=8, expiry_year=2031
    )
    assert fake.keys == [f"{KEY}-customer", str(KEY)]


def test_an_old_kind_of_token_becomes_a_payment_method_first(
    gateway: StripeGateway, fake: FakeStripe
) -> None:
    fake.will_answer({"id": "pm_9", "object": "payment_method"})
    fake.will_answer(intent())

    assert gateway.send(authorise(token="tok_visa")).is_success
    assert fake.keys == [f"{KEY}-method", str(KEY)]
    assert "payment_method=pm_9" in fake.asked[1][1]


def test_a_void_of_what_is_gone_already_is_done(gateway: StripeGateway, fake: FakeStripe) -> None:
    for status in ("canceled", "succeeded"):
        fake.will_refuse(400, type="invalid_request_error", code="payment_intent_unexpected_state")
        fake.will_answer(intent(status))

    assert gateway.send(VOID) == Reply(gateway_reference="pi_1")
    assert gateway.send(VOID) == Reply(refusal="already_captured")


def test_a_capture_of_what_is_gone_is_refused(gateway: StripeGateway, fake: FakeStripe) -> None:
    fake.will_refuse(400, type="invalid_request_error", code="payment_intent_unexpected_state")
    assert gateway.send(CAPTURE) == Reply(refusal="payment_intent_unexpected_state")


def test_a_refund_under_way_is_no_answer_until_it_has_one(
    gateway: StripeGateway, fake: FakeStripe
) -> None:
    fake.will_answer(refund("pending"))
    fake.will_answer(refund("pending"), replayed=True)
    fake.will_answer(refund("failed", failure_reason="lost_or_stolen_card"))

    with pytest.raises(NoAnswer, match="pending"):
        gateway.send(REFUND)
    assert gateway.send(REFUND) == Reply(gateway_reference="re_1", refusal="lost_or_stolen_card")


@pytest.mark.parametrize(
    ("request_", "answer", "reply"),
    [
        (authorise(), {"object": "search_result", "data": [], "has_more": False}, None),
        (CAPTURE, intent("requires_capture"), None),
        (
            CAPTURE,
            intent("succeeded", metadata={f"capture_{KEY.hex}": "500"}),
            Reply(gateway_reference="ch_1"),
        ),
        (VOID, intent("requires_capture"), None),
        (VOID, intent("canceled"), Reply(gateway_reference="pi_1")),
        (
            REFUND,
            {"object": "list", "data": [refund()], "has_more": False, "url": "/v1/refunds"},
            Reply(gateway_reference="re_1"),
        ),
        (
            REFUND,
            {
                "object": "list",
                "data": [refund(metadata={"operation": str(VOID_KEY)})],
                "has_more": False,
                "url": "/v1/refunds",
            },
            None,
        ),
    ],
)
def test_what_became_of_a_request_can_be_looked_up(
    gateway: StripeGateway,
    fake: FakeStripe,
    request_: Request,
    answer: dict[str, Any],
    reply: Reply | None,
) -> None:
    fake.will_answer(answer)
    assert gateway.lookup(request_) == reply


# Notifications


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
        event("charge.captured", CHARGE, key=KEY, previous_attributes={"amount_captured": 700}),
        operation(OperationKind.CAPTURE, reference="ch_1", amount_minor=500),
        Reply(gateway_reference="ch_1"),
    ),
    (
        event("charge.captured", CHARGE, key="from-the-dashboard"),
        operation(OperationKind.CAPTURE, key=None, reference="ch_1", amount_minor=1_200),
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


# Amounts


@pytest.mark.parametrize(
    ("minor", "currency", "at_stripe"),
    [
        (1_999, "GBP", 1_999),
        (500, "JPY", 500),
        (12_340, "KWD", 12_340),
        (500, "ISK", 50_000),
        (500, "UGX", 50_000),
        (50_000, "MGA", 500),
    ],
)
def test_amounts_are_counted_as_stripe_does(minor: int, currency: str, at_stripe: int) -> None:
    assert amounts.to_stripe(minor, currency) == at_stripe
    assert amounts.from_stripe(at_stripe, currency) == minor


@pytest.mark.parametrize(("minor", "currency"), [(12_345, "KWD"), (50_001, "MGA")])
def test_an_amount_that_stripe_cannot_say_is_refused_unsent(
    gateway: StripeGateway, fake: FakeStripe, minor: int, currency: str
) -> None:
    reply = gateway.send(authorise(amount_minor=minor, currency=currency))

    assert reply == Reply(refusal="amount_not_representable")
    assert fake.asked == []


def test_what_stripe_can_do_is_told_honestly(gateway: StripeGateway, settings: Any) -> None:
    assert gateway.capabilities.partial_capture
    assert not gateway.capabilities.multiple_captures
    settings.STRIPE_MULTICAPTURE = True
    assert StripeGateway().capabilities.multiple_captures


def test_a_request_never_shows_its_token() -> None:
    assert "pm_card_visa" not in repr(authorise())
    assert str(new_id()) not in repr(authorise())
