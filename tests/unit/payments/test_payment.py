"""The aggregate without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.payments.errors import (
    CaptureTooLarge,
    InvalidPaymentAmount,
    PaymentAlreadyCaptured,
    PaymentMismatch,
    PaymentNotAuthorised,
    PaymentOperationInProgress,
)
from domains.payments.events import (
    PaymentAuthorised,
    PaymentDeclined,
    PaymentProcessed,
    PaymentVoided,
)
from domains.payments.models import Payment
from domains.payments.rules.gateways import Reply
from infrastructure.errors import DomainError
from infrastructure.ids import new_id
from infrastructure.money import Money

HELD = Reply(gateway_reference="auth_1")
DONE = Reply(gateway_reference="done_1")
NO = Reply(refusal="card_declined")


def begun(now: datetime, *, amount_minor: int = 1_000, method: str = "card") -> Payment:
    return Payment.authorise(
        payment_id=new_id(),
        reference="K-1",
        customer_id=None,
        amount=Money(amount_minor, "GBP"),
        method=method,
        gateway="in_process",
        token="tok_visa",
        now=now,
    )


def authorised(now: datetime, *, amount_minor: int = 1_000) -> Payment:
    payment = begun(now, amount_minor=amount_minor)
    answer(payment, HELD, now)
    return payment


def answer(payment: Payment, reply: Reply, now: datetime) -> None:
    assert payment.unfinished is not None
    assert payment.record_reply(payment.unfinished.id, reply, now)


def told(payment: Payment) -> list[type]:
    return [type(event) for event in payment.__dict__.get("_events", [])]


def test_a_payment_begins_with_its_authorisation_sent(now: datetime) -> None:
    payment = begun(now)

    assert (payment.status, payment.authorised_minor, payment.token) == ("PENDING", 0, "tok_visa")
    assert [(o.kind, o.state, o.amount_minor) for o in payment.operations] == [
        ("AUTHORISE", "SENT", 1_000)
    ]
    assert payment.retry_at == now + timedelta(seconds=10)
    assert told(payment) == []


def test_an_authorisation_forgets_the_token_and_tells(now: datetime) -> None:
    payment = authorised(now)

    assert (payment.status, payment.authorised_minor, payment.token) == ("AUTHORISED", 1_000, "")
    assert payment.retry_at is None
    assert told(payment) == [PaymentAuthorised]


def test_a_decline_forgets_the_token_and_tells_why(now: datetime) -> None:
    payment = begun(now)
    answer(payment, NO, now)

    assert (payment.status, payment.authorised_minor, payment.token) == ("DECLINED", 0, "")
    assert payment.decline_code == "card_declined"
    assert told(payment) == [PaymentDeclined]


def test_an_outcome_is_written_once(now: datetime) -> None:
    payment = authorised(now)
    operation = payment.operations[0]

    assert payment.record_reply(operation.id, NO, now) is False
    assert payment.record_silence(operation.id, now) is False
    assert payment.status == "AUTHORISED"
    assert told(payment) == [PaymentAuthorised]


def test_silence_leaves_the_payment_unknown_and_due_again(now: datetime) -> None:
    payment = begun(now)
    operation = payment.operations[0]

    assert payment.record_silence(operation.id, now)
    assert (payment.status, payment.token) == ("UNKNOWN", "tok_visa")
    assert payment.retry_at == now + timedelta(seconds=5)
    assert payment.record_silence(operation.id, now)
    assert payment.retry_at == now + timedelta(seconds=10)
    assert told(payment) == []


def test_after_23_hours_of_silence_staff_has_to_look(now: datetime) -> None:
    payment = begun(now)
    later = now + timedelta(hours=23)

    payment.record_silence(payment.operations[0].id, later)

    assert payment.needs_attention_at == later
    assert (payment.status, payment.retry_at) == ("UNKNOWN", None)
    answer(payment, HELD, later)
    assert (payment.status, payment.needs_attention_at) == ("AUTHORISED", None)


def test_a_capture_takes_what_is_left_and_books_it(now: datetime) -> None:
    payment = authorised(now)
    payment.begin_capture(Money(300, "GBP"), now)
    answer(payment, DONE, now)
    assert (payment.status, payment.captured_minor) == ("PARTIALLY_CAPTURED", 300)

    last = payment.begin_capture(None, now)
    assert last.amount_minor == 700
    answer(payment, DONE, now)

    assert (payment.status, payment.captured_minor) == ("CAPTURED", 1_000)
    assert [
        (e.debit_account, e.credit_account, e.amount_minor, e.currency) for e in payment.journal
    ] == [("GATEWAY", "CUSTOMERS", 300, "GBP"), ("GATEWAY", "CUSTOMERS", 700, "GBP")]
    assert told(payment) == [PaymentAuthorised, PaymentProcessed, PaymentProcessed]


def test_a_capture_is_refused_when_there_is_nothing_to_take(now: datetime) -> None:
    with pytest.raises(PaymentNotAuthorised):
        begun(now).begin_capture(None, now)
    payment = authorised(now)
    with pytest.raises(CaptureTooLarge, match=r"10\.00 GBP at most"):
        payment.begin_capture(Money(1_001, "GBP"), now)
    for nothing in (Money(0, "GBP"), Money(-5, "GBP"), Money(100, "EUR")):
        with pytest.raises(InvalidPaymentAmount):
            payment.begin_capture(nothing, now)
    payment.begin_capture(None, now)
    with pytest.raises(PaymentOperationInProgress):
        payment.begin_capture(None, now)
    answer(payment, DONE, now)
    with pytest.raises(PaymentAlreadyCaptured):
        payment.begin_capture(None, now)
    assert payment.captured_minor == 1_000


def test_a_void_lets_held_money_go(now: datetime) -> None:
    payment = authorised(now)

    assert payment.request_void(now)
    assert payment.status == "PENDING"
    answer(payment, DONE, now)

    assert (payment.status, payment.retry_at) == ("VOIDED", None)
    assert told(payment) == [PaymentAuthorised, PaymentVoided]
    assert payment.request_void(now) is False


def test_a_void_waits_for_an_authorisation_without_outcome(now: datetime) -> None:
    payment = begun(now)

    assert payment.request_void(now)
    assert payment.request_void(now) is False
    assert (payment.status, payment.is_void_due) == ("PENDING", False)
    answer(payment, HELD, now)
    assert (payment.status, payment.is_void_due) == ("PENDING", True)
    assert payment.retry_at is not None
    assert payment.begin_due_void(now)
    assert payment.begin_due_void(now) is False
    answer(payment, DONE, now)
    assert payment.status == "VOIDED"


def test_a_declined_payment_needs_no_void(now: datetime) -> None:
    payment = begun(now)
    payment.request_void(now)
    answer(payment, NO, now)

    assert (payment.status, payment.is_void_due, payment.retry_at) == ("DECLINED", False, None)
    assert payment.request_void(now) is False


def test_a_refused_void_is_put_before_staff(now: datetime) -> None:
    payment = authorised(now)
    payment.request_void(now)
    answer(payment, Reply(refusal="already_captured"), now)

    assert (payment.status, payment.needs_attention_at) == ("AUTHORISED", now)
    assert payment.request_void(now) is False
    assert payment.needs_attention_at == now
    assert payment.request_void(now, even_if_refused=True)
    assert payment.needs_attention_at is None
    answer(payment, DONE, now)
    assert payment.status == "VOIDED"


def test_captured_money_is_not_let_go_by_a_void(now: datetime) -> None:
    payment = authorised(now)
    payment.begin_capture(Money(400, "GBP"), now)
    with pytest.raises(PaymentOperationInProgress):
        payment.request_void(now)
    answer(payment, DONE, now)
    with pytest.raises(PaymentAlreadyCaptured):
        payment.request_void(now)


def test_a_payment_that_never_began_is_voided_and_tells_nobody(now: datetime) -> None:
    payment = Payment.voided_before_it_began(payment_id=new_id(), now=now)

    assert (payment.status, payment.retry_at, told(payment)) == ("VOIDED", None, [])
    assert payment.request_void(now) is False


def test_amounts_must_make_sense(now: datetime) -> None:
    with pytest.raises(InvalidPaymentAmount):
        begun(now, amount_minor=-1)
    with pytest.raises(InvalidPaymentAmount, match=r"10\.00 GBP is not free"):
        begun(now, method="free")


def test_an_id_stays_with_what_it_was_first_used_for(now: datetime) -> None:
    payment = begun(now)
    same = {"reference": "K-1", "amount": Money(1_000, "GBP"), "method": "card"}

    payment.check_is_for(**same)
    for other in (
        {"reference": "K-2"},
        {"amount": Money(1_001, "GBP")},
        {"amount": Money(1_000, "EUR")},
        {"method": "invoice"},
    ):
        with pytest.raises(PaymentMismatch):
            payment.check_is_for(**same | other)


commands = st.lists(
    st.one_of(
        st.tuples(st.just("capture"), st.one_of(st.none(), st.integers(1, 1_200))),
        st.tuples(st.just("void"), st.sampled_from([None, 1])),
        st.tuples(st.sampled_from(["succeed", "refuse", "silence", "due"]), st.none()),
    ),
    max_size=12,
)


@given(commands)
def test_counter_journal_and_captures_agree_whatever_happens(
    steps: list[tuple[str, int | None]],
) -> None:
    now = datetime.fromisoformat("2026-03-02T09:30:00+00:00")
    payment = begun(now)
    for step, amount_minor in steps:
        unfinished = payment.unfinished
        try:
            if step == "capture":
                payment.begin_capture(amount_minor and Money(amount_minor, "GBP"), now)
            elif step == "void":
                payment.request_void(now, even_if_refused=bool(amount_minor))
            elif step == "due":
                payment.begin_due_void(now)
            elif unfinished is not None and step == "silence":
                payment.record_silence(unfinished.id, now)
            elif unfinished is not None:
                payment.record_reply(unfinished.id, DONE if step == "succeed" else NO, now)
        except DomainError:
            pass

        taken = sum(
            o.amount_minor
            for o in payment.operations
            if (o.kind, o.state) == ("CAPTURE", "SUCCEEDED")
        )
        assert payment.captured_minor == taken == sum(e.amount_minor for e in payment.journal)
        assert payment.captured_minor <= payment.authorised_minor <= payment.amount_minor
        assert sum(o.is_unfinished for o in payment.operations) <= 1
        assert (payment.status == "VOIDED") <= (taken == 0)
        assert all(e.debit_account != e.credit_account for e in payment.journal)
        assert len({e.operation_id for e in payment.journal}) == len(payment.journal)


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["capture", "refund"]),
            st.integers(min_value=-1, max_value=1_200),
            st.sampled_from([DONE, NO]),
        ),
        max_size=12,
    )
)
def test_whatever_is_asked_no_more_is_taken_than_held_and_no_more_given_back_than_taken(
    steps: list[tuple[str, int, Reply]],
) -> None:
    now = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    payment = authorised(now, amount_minor=1_000)
    taken = returned = 0
    for kind, minor, reply in steps:
        amount = Money(minor, "GBP")
        try:
            if kind == "capture":
                payment.begin_capture(amount, now)
            else:
                payment.begin_refund(amount, now, reason="broken", actor_id=None)
        except DomainError:
            left = 1_000 - taken if kind == "capture" else taken - returned
            assert not 0 < minor <= left
            continue
        answer(payment, reply, now)
        if reply is DONE and kind == "capture":
            taken += minor
        elif reply is DONE:
            returned += minor
    assert (payment.captured_minor, payment.refunded_minor) == (taken, returned)
    assert 0 <= returned <= taken <= 1_000
    balance = sum(
        row.amount_minor if row.debit_account == "GATEWAY" else -row.amount_minor
        for row in payment.journal
    )
    assert balance == taken - returned
    expected = "AUTHORISED" if not taken else "CAPTURED" if taken == 1_000 else "PARTIALLY_CAPTURED"
    if returned:
        expected = "REFUNDED" if returned == taken else "PARTIALLY_REFUNDED"
    assert payment.status == expected
