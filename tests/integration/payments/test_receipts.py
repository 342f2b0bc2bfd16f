"""Money that comes to the bank account: transfers in advance, and invoices paid later."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from domains.payments import public, services
from domains.payments.errors import (
    InvalidPaymentAmount,
    InvalidReceipt,
    PaidByReceipt,
    ReceiptDiffers,
    ReceiptsNotTaken,
)
from domains.payments.models import JournalEntry, Payment
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.integration.payments.test_authorise import told
from tests.support.factories import payments

AUTHORISED, PROCESSED = "payments.payment_authorised", "payments.payment_processed"


def receive(payment_id: Any, minor: int, now: datetime, *, reference: str = "tx-1") -> Payment:
    return services.record_receipt(
        payment_id=payment_id,
        amount=Money(minor, "GBP"),
        reference=reference,
        received_at=now,
        now=now,
    )


def booked() -> list[tuple[str, str, int]]:
    rows = JournalEntry.objects.order_by("id")
    return list(rows.values_list("debit_account", "credit_account", "amount_minor"))


@pytest.mark.django_db
def test_a_transfer_waits_for_its_money_and_asks_nobody(
    now: datetime, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.PAYMENT_DUE_DAYS = 7
    asked = payments.request(now, method="bank_transfer")
    with django_assert_num_queries(1, using=alias_of("payments")):
        outcome = public.authorise(**asked)

    assert (outcome.status, outcome.due_at) == ("PENDING", now + timedelta(days=7))
    assert public.authorise(**asked) == outcome
    assert told(outcome.payment_id) == []
    assert services.resolve_unfinished(now=now + timedelta(days=6, hours=23)) == 0


@pytest.mark.django_db
def test_a_transfer_is_authorised_once_the_whole_amount_is_there(now: datetime) -> None:
    payment_id = payments.authorised_payment(now, method="bank_transfer").id

    statuses = [
        receive(payment_id, 999, now, reference="tx-1").status,
        receive(payment_id, 1_000, now, reference="tx-2").status,
    ]

    assert statuses == ["PENDING", "CAPTURED"]
    state = public.payment_states([payment_id])[payment_id]
    assert (state.authorised_minor, state.captured_minor, state.due_at) == (1_999, 1_999, None)
    assert told(payment_id) == [PROCESSED, AUTHORISED, PROCESSED]
    assert booked() == [("BANK", "CUSTOMERS", 999), ("BANK", "CUSTOMERS", 1_000)]
    assert list(public.journal_differences()) == []


@pytest.mark.django_db
def test_a_receipt_is_recorded_once_under_its_reference(now: datetime) -> None:
    payment_id = payments.authorised_payment(now, method="bank_transfer").id

    first, again = (receive(payment_id, 500, now) for _ in range(2))

    assert first.version == again.version
    assert again.captured_minor == 500
    with pytest.raises(ReceiptDiffers, match=r"5\.00 GBP came with 'tx-1'"):
        receive(payment_id, 501, now)


@pytest.mark.django_db(transaction=True)
def test_a_receipt_that_is_imported_many_times_at_once_is_one(
    now: datetime, in_threads: Callable[..., list[Any]]
) -> None:
    payment_id = payments.authorised_payment(now, method="bank_transfer").id

    results = in_threads(*[lambda: receive(payment_id, 1_999, now)] * 6)

    assert [payment.status for payment in results] == ["CAPTURED"] * 6
    assert booked() == [("BANK", "CUSTOMERS", 1_999)]
    assert told(payment_id) == [AUTHORISED, PROCESSED]


@pytest.mark.django_db
def test_what_was_paid_too_much_needs_attention_until_it_is_given_back(now: datetime) -> None:
    payment_id = payments.authorised_payment(now, method="bank_transfer").id

    paid = receive(payment_id, 2_500, now)
    assert (paid.status, paid.owed_back_minor, paid.needs_attention_at) == ("CAPTURED", 501, now)

    outcome = public.refund(
        payment_id=payment_id,
        key=new_id(),
        amount=Money(501, "GBP"),
        reason="paid too much",
        now=now,
    )
    stored = Payment.objects.get(pk=payment_id)
    assert outcome.state == "SUCCEEDED"
    assert (stored.status, stored.owed_back_minor) == ("CAPTURED", 0)
    assert stored.needs_attention_at is None
    assert booked()[-1] == ("CUSTOMERS", "BANK", 501)


@pytest.mark.django_db
def test_a_transfer_that_does_not_come_is_let_go_when_it_is_due(now: datetime) -> None:
    payment_id = payments.authorised_payment(now, method="bank_transfer").id

    services.resolve_unfinished(now=now + timedelta(days=7))

    state = public.payment_states([payment_id])[payment_id]
    assert (state.status, state.decline_code) == ("VOIDED", public.NOT_COMPLETED)
    assert told(payment_id) == ["payments.payment_voided"]


@pytest.mark.django_db
def test_money_that_came_in_part_or_too_late_is_owed_back(now: datetime) -> None:
    payment_id = payments.authorised_payment(now, method="bank_transfer").id
    receive(payment_id, 700, now, reference="early")
    late = now + timedelta(days=8)

    services.resolve_unfinished(now=late)
    payment = receive(payment_id, 1_299, late, reference="late")

    assert (payment.status, payment.owed_back_minor) == ("VOIDED", 1_999)
    assert payment.needs_attention_at == late
    assert AUTHORISED not in told(payment_id)
    payment, _ = services.refund(payment_id=payment_id, reason="too late", now=late)
    assert (payment.status, payment.needs_attention_at) == ("VOIDED", None)
    assert list(public.journal_differences()) == []


@pytest.mark.django_db(transaction=True)
def test_the_last_receipt_and_the_void_leave_one_outcome(
    now: datetime, in_threads: Callable[..., list[Any]]
) -> None:
    for _ in range(5):
        payment_id = payments.authorised_payment(now, method="bank_transfer").id

        in_threads(
            lambda key=payment_id: receive(key, 1_999, now),
            lambda key=payment_id: public.void(payment_id=key, now=now),
        )

        payment = Payment.objects.get(pk=payment_id)
        assert (payment.status, payment.owed_back_minor) in (("CAPTURED", 0), ("VOIDED", 1_999))
        assert ("payments.payment_voided" in told(payment_id)) == (payment.status == "VOIDED")


@pytest.mark.django_db
def test_an_invoice_is_granted_at_once_and_paid_later(now: datetime) -> None:
    payment_id = payments.authorised_payment(now, method="invoice").id

    statuses = [receive(payment_id, n, now, reference=f"tx-{n}").status for n in (500, 1_499)]

    assert statuses == ["PARTIALLY_CAPTURED", "CAPTURED"]
    assert told(payment_id) == [AUTHORISED, PROCESSED, PROCESSED]


@pytest.mark.django_db
def test_what_comes_by_bank_is_not_captured_and_cards_get_no_receipts(now: datetime) -> None:
    invoice = payments.authorised_payment(now, method="invoice")
    card = payments.authorised_payment(now)

    with pytest.raises(PaidByReceipt):
        services.capture(payment_id=invoice.id, now=now)
    outcome = public.capture(payment_id=invoice.id, key=new_id(), amount=Money(1, "GBP"), now=now)
    assert (outcome.state, outcome.code) == ("FAILED", "paid_by_receipt")
    with pytest.raises(ReceiptsNotTaken):
        receive(card.id, 1, now)


@pytest.mark.django_db
def test_receipts_that_cannot_be_true_are_refused(now: datetime) -> None:
    payment_id = payments.authorised_payment(now, method="invoice").id

    for wrong, refusal in (
        ({"amount": Money(0, "GBP")}, InvalidPaymentAmount),
        ({"amount": Money(1, "EUR")}, InvalidPaymentAmount),
        ({"received_at": now + timedelta(seconds=1)}, InvalidReceipt),
    ):
        facts = {"amount": Money(1, "GBP"), "received_at": now, **wrong}
        with pytest.raises(refusal):
            services.record_receipt(payment_id=payment_id, reference="tx", now=now, **facts)
