"""How Stripe is asked, and how its answers are understood."""

from __future__ import annotations

import socket
import time
from typing import Any
from urllib.parse import parse_qs

import pytest

from domains.payments.gateways.port import NoAnswer, Request
from domains.payments.gateways.stripe import StripeGateway, amounts
from domains.payments.rules.gateways import KeptMethod, Reply
from infrastructure.ids import new_id
from tests.support.fake_stripe import (
    CAPTURE,
    KEY,
    REDIRECT,
    REFUND,
    REST,
    VOID,
    VOID_KEY,
    FakeStripe,
    authorise,
    intent,
    refund,
)


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


def test_an_intent_that_is_being_processed_is_not_decided_which_is_no_silence(
    gateway: StripeGateway, fake: FakeStripe
) -> None:
    fake.will_answer(intent("processing"))
    with pytest.raises(NoAnswer, match="processing") as undecided:
        gateway.send(authorise())
    assert not undecided.value.is_silence


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


@pytest.mark.parametrize("status", [401, 403, 409, 429, 503])
def test_limits_conflicts_and_refused_keys_are_no_answer(
    gateway: StripeGateway, fake: FakeStripe, status: int
) -> None:
    fake.will_refuse(status, type="api_error", code="lock_timeout")
    if status == 503:
        fake.will_answer(intent())  # looked into: nothing was captured
    with pytest.raises(NoAnswer, match=f" {status}") as unanswered:
        gateway.send(CAPTURE)
    assert unanswered.value.is_passing == (status in (429, 503))
    # The library repeats nothing by itself.
    assert [what for what in fake.requests if what.startswith("POST")] == [
        "POST /v1/payment_intents/pi_1/capture"
    ]


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
        settings.PAYMENT_GATEWAY_READ_TIMEOUT = 0.5
        started = time.monotonic()
        with pytest.raises(NoAnswer, match="APIConnectionError") as silence:
            StripeGateway().send(authorise())
        assert not silence.value.is_passing
        assert time.monotonic() - started < 20  # Stripe's library would wait for 80 seconds
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    with pytest.raises(NoAnswer, match="APIConnectionError") as refused:
        StripeGateway().lookup(authorise())
    assert refused.value.is_passing


def test_all_calls_of_one_request_have_one_time(
    settings: Any, gateway: StripeGateway, fake: FakeStripe
) -> None:
    """Four calls are not four time-outs: where the time is over, none is begun any more."""
    settings.PAYMENT_GATEWAY_CONNECT_TIMEOUT = settings.PAYMENT_GATEWAY_READ_TIMEOUT = 0.2
    late = StripeGateway()
    fake.before_answer = lambda: time.sleep(0.15)
    for answer in ("cus_1", "pm_1", "pi_1", "pi_1"):
        fake.will_answer({"id": answer, "object": "customer"})

    with pytest.raises(NoAnswer, match="APIConnectionError"):
        late.send(authorise(token="tok_visa", keep=True))

    assert len(fake.asked) < 4
    late.close()


def test_an_intent_whose_name_is_known_is_read_and_not_searched_for(
    gateway: StripeGateway, fake: FakeStripe
) -> None:
    """Stripe's search lags behind by a minute."""
    fake.will_answer(intent())

    assert gateway.lookup(authorise(known_as="pi_1")) == Reply(gateway_reference="pi_1")
    assert fake.requests == ["GET /v1/payment_intents/pi_1"]


def test_a_saved_card_that_is_let_go_leaves_no_customer_behind(
    gateway: StripeGateway, fake: FakeStripe
) -> None:
    fake.will_answer({"id": "cus_1", "object": "customer", "deleted": True})
    fake.will_refuse(404, type="invalid_request_error", code="resource_missing")

    for _ in range(2):
        gateway.forget("cus_1/pm_1")

    assert fake.requests == ["DELETE /v1/customers/cus_1"] * 2


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


@pytest.mark.parametrize(
    ("multicapture", "asked"),
    [
        (True, "POST /v1/payment_intents/pi_1/capture"),
        # The first capture was the last, and gave up the rest.
        (False, "GET /v1/payment_intents/pi_1"),
    ],
)
def test_the_rest_is_let_go_by_a_last_capture_of_nothing(
    fake: FakeStripe, gateway: StripeGateway, settings: Any, multicapture: bool, asked: str
) -> None:
    settings.STRIPE_MULTICAPTURE = multicapture
    fake.will_answer(intent("succeeded"))

    assert StripeGateway().send(REST) == Reply(gateway_reference="pi_1")

    assert fake.requests == [asked]
    if multicapture:
        assert parse_qs(fake.asked[0][1]) == {"amount_to_capture": ["0"], "final_capture": ["true"]}
        assert fake.keys == [str(VOID_KEY)]


def test_a_rest_that_is_still_held_is_let_go_though_no_more_parts_are_taken(
    fake: FakeStripe, gateway: StripeGateway, settings: Any
) -> None:
    """The payment was made while the account had multicapture: its first capture was no last."""
    settings.STRIPE_MULTICAPTURE = False
    fake.will_answer(intent("requires_capture", amount_received=700))
    fake.will_answer(intent("succeeded", amount_received=700))

    assert StripeGateway().send(REST) == Reply(gateway_reference="pi_1")

    assert fake.requests == [
        "GET /v1/payment_intents/pi_1",
        "POST /v1/payment_intents/pi_1/capture",
    ]
    assert parse_qs(fake.asked[1][1]) == {"amount_to_capture": ["0"], "final_capture": ["true"]}


@pytest.mark.parametrize("multicapture", [True, False])
def test_a_rest_of_which_stripe_says_neither_is_no_answer(
    fake: FakeStripe, gateway: StripeGateway, settings: Any, multicapture: bool
) -> None:
    settings.STRIPE_MULTICAPTURE = multicapture
    fake.will_answer(intent("processing"))

    with pytest.raises(NoAnswer, match="processing"):
        StripeGateway().send(REST)


def test_a_rest_that_is_gone_already_is_let_go(gateway: StripeGateway, fake: FakeStripe) -> None:
    fake.will_refuse(400, type="invalid_request_error", code="payment_intent_unexpected_state")
    fake.will_answer(intent("succeeded"))

    assert gateway.send(REST) == Reply(gateway_reference="pi_1")


def test_a_capture_of_what_is_gone_is_refused(gateway: StripeGateway, fake: FakeStripe) -> None:
    fake.will_refuse(400, type="invalid_request_error", code="payment_intent_unexpected_state")
    assert gateway.send(CAPTURE) == Reply(refusal="payment_intent_unexpected_state")


def test_a_refund_under_way_is_no_answer_until_it_has_one(
    gateway: StripeGateway, fake: FakeStripe
) -> None:
    fake.will_answer(refund("pending"))
    fake.will_answer(refund("pending"), replayed=True)
    fake.will_answer(refund("failed", failure_reason="lost_or_stolen_card"))

    with pytest.raises(NoAnswer, match="pending") as undecided:
        gateway.send(REFUND)
    assert not undecided.value.is_silence
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
        (REST, intent("requires_capture"), None),
        (REST, intent("succeeded"), Reply(gateway_reference="pi_1")),
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
