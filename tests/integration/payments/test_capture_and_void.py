from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import IntegrityError

from domains.payments import public, services
from domains.payments.errors import (
    PaymentAlreadyCaptured,
    PaymentNotFound,
    PaymentOperationInProgress,
)
from domains.payments.gateways.port import Authorise, Capture, Void
from domains.payments.models import JournalEntry, Operation, Payment
from domains.payments.rules.gateways import Reply
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.integration.payments.conftest import ScriptedGateway
from tests.integration.payments.test_authorise import told
from tests.support.factories import payments


@pytest.mark.django_db
def test_captured_money_is_booked_in_the_statement_of_its_outcome(
    now: datetime, django_assert_num_queries: Any
) -> None:
    payment = payments.authorised_payment(now)

    # The payment; the request; the journal so far, and the outcome.
    with django_assert_num_queries(4, using=alias_of("payments")):
        services.capture(payment_id=payment.id, now=now)

    (booked,) = JournalEntry.objects.all()
    assert (booked.payment_id, booked.amount_minor, booked.currency) == (payment.id, 1_999, "GBP")
    assert (booked.debit_account, booked.credit_account) == ("GATEWAY", "CUSTOMERS")
    assert told(payment.id) == ["payments.payment_authorised", "payments.payment_processed"]
    assert list(public.journal_differences()) == []


@pytest.mark.django_db
def test_money_can_be_captured_in_parts(now: datetime) -> None:
    payment = payments.authorised_payment(now, amount_minor=1_000)

    for amount, status in ((Money(300, "GBP"), "PARTIALLY_CAPTURED"), (None, "CAPTURED")):
        payment, operation = services.capture(payment_id=payment.id, amount=amount, now=now)
        assert (payment.status, operation.state) == (status, "SUCCEEDED")

    assert sorted(JournalEntry.objects.values_list("amount_minor", flat=True)) == [300, 700]
    assert list(public.journal_differences()) == []


@pytest.mark.django_db
def test_a_refused_capture_books_nothing(now: datetime, gateway: ScriptedGateway) -> None:
    payment = payments.authorised_payment(now)
    gateway.refusal = "expired"

    payment, operation = services.capture(payment_id=payment.id, now=now)

    assert (payment.status, operation.state, operation.decline_code) == (
        "AUTHORISED",
        "FAILED",
        "expired",
    )
    assert JournalEntry.objects.count() == 0
    assert told(payment.id) == ["payments.payment_authorised"]


@pytest.mark.django_db
def test_a_capture_without_answer_holds_its_place_until_it_is_resolved(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payment = payments.authorised_payment(now)
    gateway.is_silent = True

    payment, operation = services.capture(payment_id=payment.id, now=now)
    assert (payment.status, operation.state) == ("AUTHORISED", "UNKNOWN")
    with pytest.raises(PaymentOperationInProgress):
        services.capture(payment_id=payment.id, now=now)
    assert public.void(payment_id=payment.id, now=now).status == "AUTHORISED"
    gateway.is_silent = False
    payment = services.resolve(payment_id=payment.id, now=now)

    assert (payment.status, payment.captured_minor) == ("CAPTURED", 1_999)
    assert {r.key for r in gateway.sent if isinstance(r, Capture)} == {operation.id}
    assert JournalEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_captures_at_once_one_wins(
    now: datetime, gateway: ScriptedGateway, in_threads: Callable[..., list[Any]]
) -> None:
    payment = payments.authorised_payment(now)

    def capture() -> Any:
        return services.capture(payment_id=payment.id, now=now)

    results = in_threads(*[capture] * 8)

    won = [result for result in results if isinstance(result, tuple)]
    lost = [result for result in results if not isinstance(result, tuple)]
    assert len(won) == 1
    assert {type(error) for error in lost} <= {PaymentOperationInProgress, PaymentAlreadyCaptured}
    assert len({r.key for r in gateway.sent if isinstance(r, Capture)}) == 1
    assert JournalEntry.objects.count() == 1
    assert Payment.objects.get(pk=payment.id).captured_minor == 1_999


@pytest.mark.django_db
def test_the_database_refuses_a_second_unfinished_operation(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payment = payments.authorised_payment(now)
    gateway.is_silent = True
    payment, _ = services.capture(payment_id=payment.id, amount=Money(1, "GBP"), now=now)

    payment.operations.append(Operation(kind="VOID", amount_minor=0, state="SENT", sent_at=now))
    with pytest.raises(IntegrityError, match="operation_one_unfinished"):
        payment.save()


@pytest.mark.django_db
def test_the_database_refuses_a_booking_from_an_account_to_itself(now: datetime) -> None:
    payment, _ = services.capture(
        payment_id=payments.authorised_payment(now).id, amount=Money(900, "GBP"), now=now
    )
    payment.begin_capture(None, now)
    payment.record_reply(payment.unfinished.id, Reply(gateway_reference="cap_2"), now)  # type: ignore[union-attr]
    payment.journal[1].credit_account = "GATEWAY"

    with pytest.raises(IntegrityError, match="journal_accounts_differ"):
        payment.save()


@pytest.mark.django_db
def test_a_difference_in_the_books_is_found(now: datetime) -> None:
    payment = payments.captured_payment(now)
    payments.captured_payment(now)
    (entry,) = payment.journal
    payments.without_guards(
        "UPDATE payments_journalentry SET amount_minor = 1 WHERE id = %s", entry.id
    )

    (difference,) = public.journal_differences()

    assert (difference.payment_id, difference.what) == (payment.id, "captured")
    assert (difference.counter_minor, difference.journal_minor) == (1_999, 1)
    assert difference.operations_minor == 1_999


@pytest.mark.django_db
def test_a_void_lets_the_money_go_once(now: datetime, gateway: ScriptedGateway) -> None:
    payment = payments.authorised_payment(now)

    outcomes = [public.void(payment_id=payment.id, now=now) for _ in range(2)]

    assert [(o.status, o.is_released) for o in outcomes] == [("VOIDED", True)] * 2
    assert [type(request) for request in gateway.sent] == [Authorise, Void]
    assert told(payment.id) == ["payments.payment_authorised", "payments.payment_voided"]


@pytest.mark.django_db
def test_a_void_before_the_payment_began_keeps_it_from_beginning(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payment_id = new_id()

    assert public.void(payment_id=payment_id, now=now).status == "VOIDED"
    assert public.void(payment_id=payment_id, now=now).status == "VOIDED"
    late = public.authorise(**payments.request(now, payment_id=payment_id))

    assert late.status == "VOIDED"
    assert gateway.sent == []
    assert told(payment_id) == []


@pytest.mark.django_db
def test_a_declined_payment_has_nothing_to_let_go(now: datetime, gateway: ScriptedGateway) -> None:
    gateway.refusal = "card_declined"
    payment = payments.authorised_payment(now)

    outcome = public.void(payment_id=payment.id, now=now)

    assert (outcome.status, outcome.decline_code) == ("DECLINED", "card_declined")
    assert [type(request) for request in gateway.sent] == [Authorise]


@pytest.mark.django_db
def test_a_refused_void_is_begun_again_by_command_only(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payment = payments.authorised_payment(now)
    gateway.refusal = "already_captured"
    assert public.void(payment_id=payment.id, now=now).status == "AUTHORISED"
    before = Payment.objects.get(pk=payment.id)

    outcomes = [public.void(payment_id=payment.id, now=now) for _ in range(3)]

    after = Payment.objects.get(pk=payment.id)
    assert [(o.status, o.is_released) for o in outcomes] == [("AUTHORISED", False)] * 3
    assert (after.version, after.needs_attention_at) == (before.version, before.needs_attention_at)
    assert after.attention == "void_refused"
    assert [type(request) for request in gateway.sent] == [Authorise, Void]

    services.void(payment_id=payment.id, now=now)
    assert [type(request) for request in gateway.sent] == [Authorise, Void, Void]
    gateway.refusal = ""
    assert services.void(payment_id=payment.id, now=now).status == "VOIDED"
    assert Payment.objects.get(pk=payment.id).needs_attention_at is None


@pytest.mark.django_db
def test_a_void_finds_out_first_what_became_of_the_authorisation(
    now: datetime, gateway: ScriptedGateway
) -> None:
    gateway.is_silent = True
    payment = payments.authorised_payment(now)

    assert public.void(payment_id=payment.id, now=now).status == "UNKNOWN"
    gateway.is_silent = False
    assert services.resolve(payment_id=payment.id, now=now).status == "VOIDED"

    assert [type(r) for r in gateway.sent] == [Authorise, Authorise, Authorise, Void]
    assert gateway.authorisations == 1
    assert told(payment.id) == ["payments.payment_authorised", "payments.payment_voided"]


@pytest.mark.django_db
def test_a_void_during_the_authorisation_wins(now: datetime, gateway: ScriptedGateway) -> None:
    asked = payments.request(now)
    voided: list[str] = []
    gateway.before_answer = lambda: voided.append(
        public.void(payment_id=asked["payment_id"], now=now).status
    )

    outcome = public.authorise(**asked)

    assert (voided, outcome.status) == (["VOIDED"], "VOIDED")
    assert told(asked["payment_id"]) == ["payments.payment_authorised", "payments.payment_voided"]


@pytest.mark.django_db(transaction=True)
def test_voids_that_race_an_authorisation_leave_nothing_held(
    now: datetime, gateway: ScriptedGateway, in_threads: Callable[..., list[Any]]
) -> None:
    for _ in range(10):
        asked = payments.request(now)

        def authorise(asked: dict[str, Any] = asked) -> Any:
            return public.authorise(**asked)

        def void(asked: dict[str, Any] = asked) -> Any:
            return public.void(payment_id=asked["payment_id"], now=now)

        results = in_threads(authorise, void, void)

        assert [result.status for result in results[1:]] == ["VOIDED", "VOIDED"]
        payment = Payment.objects.get(pk=asked["payment_id"])
        assert (payment.status, payment.unfinished, payment.retry_at) == ("VOIDED", None, None)


@pytest.mark.django_db
def test_captured_money_stays_captured(now: datetime) -> None:
    payment = payments.captured_payment(now)

    assert public.void(payment_id=payment.id, now=now).status == "CAPTURED"
    with pytest.raises(PaymentAlreadyCaptured):
        services.void(payment_id=payment.id, now=now)


@pytest.mark.django_db
def test_what_does_not_exist_is_not_captured(now: datetime) -> None:
    for command in (
        lambda: services.capture(payment_id=new_id(), now=now),
        lambda: services.resolve(payment_id=new_id(), now=now),
    ):
        with pytest.raises(PaymentNotFound):
            command()
