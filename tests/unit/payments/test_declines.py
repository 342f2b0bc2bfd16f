"""What buyers are told of a payment that was declined."""

from __future__ import annotations

import pytest

from domains.orders.errors import PaymentDeclined
from domains.payments.gateways.in_process import REFUSED_TOKENS
from domains.payments.rules.declines import (
    DECLINE_REASONS,
    DeclineReason,
    code_for_customers,
    decline_of,
)

FOR_STAFF_ONLY = ["fraudulent", "lost_card", "stolen_card", "merchant_blacklist", "pickup_card"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("insufficient_funds", "insufficient_funds"),
        ("card_velocity_exceeded", "limit_exceeded"),
        ("expired_card", "card_expired"),
        ("incorrect_cvc", "card_details_wrong"),
        ("currency_not_supported", "card_not_supported"),
        ("authentication_required", "authentication_required"),
        ("authentication_not_handled", "authentication_required"),
        ("payment_intent_authentication_failure", "authentication_failed"),
        ("processing_error", "try_again"),
        ("do_not_honor", "declined"),
        ("a_code_of_tomorrow", "declined"),
        ("", "declined"),
    ],
)
def test_a_gateways_code_comes_to_a_reason_of_ours(code: str, reason: str) -> None:
    assert decline_of(code, can_be_confirmed=True).reason == reason


@pytest.mark.parametrize("code", FOR_STAFF_ONLY)
def test_nobody_is_told_that_a_card_is_stolen_or_a_payment_taken_for_fraud(code: str) -> None:
    like_any_other = decline_of("generic_decline", can_be_confirmed=True)
    assert decline_of(code, can_be_confirmed=True) == like_any_other
    assert code_for_customers(code) == "declined"


@pytest.mark.parametrize("code", ["", "payment_not_completed", "card_declined", "expired_card"])
def test_customers_are_told_the_codes_that_say_nothing_else_of_their_card(code: str) -> None:
    assert code_for_customers(code) == code


def test_what_had_to_be_confirmed_and_could_not_says_what_was_missing() -> None:
    without = decline_of("authentication_required", can_be_confirmed=False)
    assert without.lacks_return_url
    assert without.sentence == (
        "The card holder has to confirm it with their bank. Send a `return_url`, so that they can."
    )
    with_it = decline_of("authentication_required", can_be_confirmed=True)
    assert not with_it.lacks_return_url
    assert with_it.sentence == "The card holder has to confirm it with their bank."
    assert not decline_of("expired_card", can_be_confirmed=False).lacks_return_url


def test_every_reason_has_a_sentence_and_is_named_where_reasons_are_described() -> None:
    sentences = {reason: decline_of(code, can_be_confirmed=True) for code, reason in _SAID.items()}
    assert set(sentences) == set(DeclineReason)
    assert len({told.sentence for told in sentences.values()}) == len(DeclineReason)
    assert all(f"`{reason}`" in DECLINE_REASONS for reason in DeclineReason)


_SAID = {
    "insufficient_funds": DeclineReason.INSUFFICIENT_FUNDS,
    "card_velocity_exceeded": DeclineReason.LIMIT_EXCEEDED,
    "expired_card": DeclineReason.CARD_EXPIRED,
    "invalid_number": DeclineReason.CARD_DETAILS_WRONG,
    "card_not_supported": DeclineReason.CARD_NOT_SUPPORTED,
    "authentication_required": DeclineReason.AUTHENTICATION_REQUIRED,
    "authentication_failed": DeclineReason.AUTHENTICATION_FAILED,
    "issuer_not_available": DeclineReason.TRY_AGAIN,
    "generic_decline": DeclineReason.DECLINED,
}


def test_the_tokens_of_the_gateways_for_tests_come_to_reasons_too() -> None:
    told = {
        token: decline_of(code, can_be_confirmed=True).reason.value
        for token, code in REFUSED_TOKENS.items()
    }
    assert told == {
        "tok_declined": "declined",
        "tok_insufficient_funds": "insufficient_funds",
        "tok_expired": "card_expired",
    }


def test_the_refusal_of_an_order_says_where_its_reason_is() -> None:
    assert "decline_reason" in PaymentDeclined.extensions
