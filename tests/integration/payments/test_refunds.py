"""Money that is given back: never more than was taken, each refund once, and the books agree."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from domains.payments import public, services
from domains.payments.errors import (
    PaymentNotCaptured,
    PaymentOperationInProgress,
    RefundTooLarge,
)
from domains.payments.gateways.port import Refund
from domains.payments.models import JournalEntry, Payment
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.integration.payments.conftest import ScriptedGateway
from tests.integration.payments.test_authorise import told
from tests.support.factories import payments


def refund(payment: Payment, now: datetime, *, minor: int | None = None) -> Any:
    amount = None if minor is None else Money(minor, "GBP")
    return services.refund(payment_id=payment.id, amount=amount, reason="broken", now=now)


@pytest.mark.django_db
def test_a_refund_is_booked_in_the_statement_of_its_outcome(
    now: datetime, django_assert_num_queries: Any
) -> None:
    payment = payments.captured_payment(now)
    clerk = new_id()

    # The payment; the request; the journal so far, and the outcome.
    with django_assert_num_queries(4, using=alias_of("payments")):
        payment, operation = services.refund(
            payment_id=payment.id, reason="broken", actor_id=clerk, now=now
        )

    assert (payment.status, payment.refunded_minor) == ("REFUNDED", 1_999)
    assert (operation.reason, operation.actor_id) == ("broken", clerk)
    _, booked = JournalEntry.objects.order_by("id")
    assert (booked.operation_id, booked.amount_minor) == (operation.id, 1_999)
    assert (booked.debit_account, booked.credit_account) == ("CUSTOMERS", "GATEWAY")
    assert told(payment.id) == [
        "payments.payment_authorised",
        "payments.payment_processed",
        "payments.payment_refunded",
    ]
    assert list(public.journal_differences()) == []


@pytest.mark.django_db
def test_money_can_be_given_back_in_parts_until_nothing_is_left(now: datetime) -> None:
    payment = payments.captured_payment(now, amount_minor=1_000)

    for minor, status in ((300, "PARTIALLY_REFUNDED"), (None, "REFUNDED")):
        payment, operation = refund(payment, now, minor=minor)
        assert (payment.status, operation.state) == (status, "SUCCEEDED")

    with pytest.raises(RefundTooLarge):
        refund(payment, now, minor=1)
    assert Payment.objects.get(pk=payment.id).refunded_minor == 1_000


@pytest.mark.django_db
def test_what_is_left_of_an_authorisation_can_be_taken_after_a_refund(now: datetime) -> None:
    payment = payments.authorised_payment(now, amount_minor=1_000)
    services.capture(payment_id=payment.id, amount=Money(400, "GBP"), now=now)
    refund(payment, now, minor=400)

    payment, _ = services.capture(payment_id=payment.id, now=now)

    assert (payment.status, payment.captured_minor) == ("PARTIALLY_REFUNDED", 1_000)
    payment, _ = refund(payment, now)
    assert (payment.status, payment.refunded_minor) == ("REFUNDED", 1_000)
    assert list(public.journal_differences()) == []


@pytest.mark.django_db
def test_nothing_is_given_back_that_was_not_taken(now: datetime) -> None:
    with pytest.raises(PaymentNotCaptured):
        refund(payments.authorised_payment(now), now)
    with pytest.raises(PaymentNotCaptured):
        refund(payments.voided_payment(now), now)
    with pytest.raises(RefundTooLarge):
        refund(payments.captured_payment(now), now, minor=2_000)


@pytest.mark.django_db
def test_a_refused_refund_books_nothing_and_waits_for_staff(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payment = payments.captured_payment(now)
    gateway.refusal = "card_closed"

    payment, operation = refund(payment, now)

    assert (payment.status, payment.refunded_minor) == ("CAPTURED", 0)
    assert (operation.state, operation.decline_code) == ("FAILED", "card_closed")
    assert payment.attention == "refund_refused"
    assert JournalEntry.objects.count() == 1
    gateway.refusal = ""
    payment, _ = refund(payment, now)
    assert (payment.status, payment.needs_attention_at) == ("REFUNDED", None)


@pytest.mark.django_db
def test_a_refund_without_answer_holds_its_place_and_is_sent_again_under_its_key(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payment = payments.captured_payment(now)
    gateway.is_silent = True

    payment, operation = refund(payment, now, minor=500)

    assert (payment.status, operation.state) == ("CAPTURED", "UNKNOWN")
    with pytest.raises(PaymentOperationInProgress):
        refund(payment, now, minor=1)
    gateway.is_silent = False
    payment = services.resolve(payment_id=payment.id, now=now)
    assert (payment.status, payment.refunded_minor) == ("PARTIALLY_REFUNDED", 500)
    assert {r.key for r in gateway.sent if isinstance(r, Refund)} == {operation.id}
    assert list(public.journal_differences()) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("minor", [None, 700])
def test_refunds_at_once_never_give_back_more_than_was_taken(
    now: datetime,
    gateway: ScriptedGateway,
    in_threads: Callable[..., list[Any]],
    minor: int | None,
) -> None:
    payment = payments.captured_payment(now)

    results = in_threads(*[lambda: refund(payment, now, minor=minor)] * 8)

    refused = {type(result) for result in results if not isinstance(result, tuple)}
    assert refused <= {PaymentOperationInProgress, RefundTooLarge}
    given_back = sum(1 for result in results if isinstance(result, tuple))
    assert 1 <= given_back <= (1 if minor is None else 2)
    stored = Payment.objects.get(pk=payment.id)
    assert stored.refunded_minor == given_back * (minor or 1_999)
    assert len({r.key for r in gateway.sent if isinstance(r, Refund)}) == given_back
    assert list(public.journal_differences()) == []


@pytest.mark.django_db
def test_a_difference_in_what_was_given_back_is_found(now: datetime) -> None:
    payment = payments.captured_payment(now)
    refund(payment, now, minor=500)
    payments.without_guards("UPDATE payments_payment SET refunded_minor = 499")

    (difference,) = public.journal_differences()

    assert (difference.payment_id, difference.what) == (payment.id, "refunded")
    assert (difference.counter_minor, difference.journal_minor) == (499, 500)
