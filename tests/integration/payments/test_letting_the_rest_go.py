"""Of a payment of which a part was taken: what is held beside it is let go, once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domains.payments import public, services
from domains.payments.errors import (
    CaptureTooLarge,
    PaymentAlreadyCaptured,
    PaymentOperationInProgress,
    PaymentsUnavailable,
)
from domains.payments.gateways.port import Void
from domains.payments.models import JournalEntry, Operation, Payment
from domains.payments.rules.operations import OperationKind
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.integration.payments.conftest import ScriptedGateway
from tests.integration.payments.test_authorise import told
from tests.support.factories import payments

pytestmark = pytest.mark.django_db(transaction=True)


def part_taken(now: datetime, *, taken: int = 300, **how: Any) -> UUID:
    payment = payments.authorised_payment(now, amount_minor=1_000, **how)
    services.capture(payment_id=payment.id, amount=Money(taken, "GBP"), now=now)
    return payment.id


def state_of(payment_id: UUID) -> tuple[str, int, int, int]:
    payment = Payment.objects.get(pk=payment_id)
    return payment.status, payment.captured_minor, payment.released_minor, payment.rest_minor


def elsewhere(payment_id: UUID, kind: OperationKind, minor: int, now: datetime) -> None:
    """As the gateway tells of what somebody did in its dashboard."""
    services.outcomes.change(
        services.outcomes.load(payment_id),
        lambda payment: payment.record_elsewhere(
            kind, amount_minor=minor, reference="elsewhere_1", at=now, now=now
        ),
    )


def voids_sent(gateway: ScriptedGateway) -> list[Void]:
    return [request for request in gateway.sent if isinstance(request, Void)]


def test_what_was_not_taken_is_let_go_and_what_was_taken_stays(
    now: datetime, gateway: ScriptedGateway, django_assert_num_queries: Any
) -> None:
    payment_id = part_taken(now)
    assert public.payment_states([payment_id])[payment_id].holds_rest

    # The payment; the request; the outcome.
    with django_assert_num_queries(3, using=alias_of("payments")):
        outcome = public.release_rest(payment_id=payment_id, now=now)

    assert (outcome.status, outcome.holds_rest) == ("PARTIALLY_CAPTURED", False)
    assert state_of(payment_id) == ("PARTIALLY_CAPTURED", 300, 700, 0)
    (asked,) = voids_sent(gateway)
    assert asked.rest
    void = Operation.objects.get(kind="VOID")
    assert (void.id, void.state, void.amount_minor) == (asked.key, "SUCCEEDED", 700)
    # No money moved: nothing is booked, and it is not told as a payment that was let go.
    assert list(JournalEntry.objects.values_list("amount_minor", flat=True)) == [300]
    assert told(payment_id) == [
        "payments.payment_authorised",
        "payments.payment_processed",
        "payments.payment_rest_released",
    ]
    assert list(public.journal_differences()) == []


def test_it_is_let_go_once_and_nothing_can_be_taken_of_it_any_more(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payment_id = part_taken(now)
    for _ in range(3):
        assert not public.release_rest(payment_id=payment_id, now=now).holds_rest
    assert len(voids_sent(gateway)) == 1

    with pytest.raises(PaymentAlreadyCaptured):
        services.capture(payment_id=payment_id, amount=Money(1, "GBP"), now=now)
    payment, refund = services.refund(payment_id=payment_id, reason="returned", now=now)
    assert (payment.status, refund.state, refund.amount_minor) == ("REFUNDED", "SUCCEEDED", 300)


def test_where_nothing_was_taken_or_everything_there_is_no_rest(
    now: datetime, gateway: ScriptedGateway
) -> None:
    held, taken = payments.authorised_payment(now).id, payments.captured_payment(now).id

    assert public.release_rest(payment_id=held, now=now).status == "AUTHORISED"
    assert public.release_rest(payment_id=taken, now=now).status == "CAPTURED"

    assert voids_sent(gateway) == []


def test_money_that_is_owed_on_account_is_held_by_nobody(now: datetime) -> None:
    invoice = payments.authorised_payment(now, amount_minor=1_000, method="invoice")
    services.record_receipt(
        payment_id=invoice.id,
        amount=Money(300, "GBP"),
        reference="bank-1",
        received_at=now,
        actor_id=new_id(),
        now=now,
    )

    assert not public.release_rest(payment_id=invoice.id, now=now).holds_rest
    assert state_of(invoice.id) == ("PARTIALLY_CAPTURED", 300, 0, 0)


def test_a_gateway_that_does_not_answer_is_asked_again_under_the_same_key(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payment_id = part_taken(now)
    gateway.is_silent = True

    assert public.release_rest(payment_id=payment_id, now=now).holds_rest
    assert Operation.objects.get(kind="VOID").state == "UNKNOWN"
    assert state_of(payment_id) == ("PARTIALLY_CAPTURED", 300, 0, 700)
    with pytest.raises(PaymentOperationInProgress):  # nobody knows whether it could be taken
        services.capture(payment_id=payment_id, amount=Money(700, "GBP"), now=now)
    gateway.is_silent = False
    assert services.resolve_unfinished(now=now + timedelta(minutes=1)) == 1

    assert state_of(payment_id) == ("PARTIALLY_CAPTURED", 300, 700, 0)
    assert len({request.key for request in voids_sent(gateway)}) == 1


def test_what_the_gateway_refuses_to_let_go_is_up_to_staff(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payment_id = part_taken(now)
    gateway.refusal = "cannot_be_released"
    for _ in range(2):
        assert public.release_rest(payment_id=payment_id, now=now).holds_rest
    assert len(voids_sent(gateway)) == 1
    assert Payment.objects.filter(needs_attention_at__gte=now).count() == 1

    gateway.refusal = ""
    for _ in range(2):  # harmless to repeat
        payment = services.void(payment_id=payment_id, reason="by hand", now=now)

    assert state_of(payment_id) == ("PARTIALLY_CAPTURED", 300, 700, 0)
    assert (payment.needs_attention_at, payment.operations[-1].reason) == (None, "by hand")
    assert len(voids_sent(gateway)) == 2


def test_while_the_gateway_is_not_to_be_called_nothing_is_written(
    now: datetime, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment_id = part_taken(now)

    def closed(name: str) -> Any:
        raise PaymentsUnavailable.for_seconds(30)

    monkeypatch.setattr("domains.payments.gateways.admitted", closed)

    assert public.release_rest(payment_id=payment_id, now=now).holds_rest
    with pytest.raises(PaymentsUnavailable):
        services.void(payment_id=payment_id, now=now)
    assert Operation.objects.filter(kind="VOID").count() == 0


def test_taking_and_letting_go_at_once_never_come_to_more_than_is_authorised(
    now: datetime, gateway: ScriptedGateway, in_threads: Callable[..., list[Any]]
) -> None:
    payment_id = part_taken(now)

    def take() -> Any:
        return services.capture(payment_id=payment_id, amount=Money(400, "GBP"), now=now)

    def let_go() -> Any:
        return services.release_rest(payment_id=payment_id, now=now)

    results = in_threads(*[take, let_go] * 4)

    refused = {type(result) for result in results if isinstance(result, Exception)}
    assert refused <= {PaymentOperationInProgress, PaymentAlreadyCaptured, CaptureTooLarge}
    services.release_rest(payment_id=payment_id, now=now)
    status, captured, released, rest = state_of(payment_id)
    assert (status, captured + released, rest) == ("PARTIALLY_CAPTURED", 1_000, 0)
    assert captured in (300, 700)
    assert list(public.journal_differences()) == []


@pytest.mark.parametrize(
    ("kind", "minor", "becomes"),
    [
        (OperationKind.VOID, 0, ("PARTIALLY_CAPTURED", 300, 700, 0)),
        (OperationKind.CAPTURE, 700, ("CAPTURED", 1_000, 0, 0)),
        (OperationKind.CAPTURE, 200, ("PARTIALLY_CAPTURED", 500, 500, 0)),
    ],
)
def test_what_somebody_did_with_the_rest_before_our_request_was_answered_stays_so(
    now: datetime, gateway: ScriptedGateway, kind: OperationKind, minor: int, becomes: Any
) -> None:
    payment_id = part_taken(now)
    gateway.is_silent = True
    public.release_rest(payment_id=payment_id, now=now)
    elsewhere(payment_id, kind, minor, now)
    gateway.is_silent = False

    services.resolve_unfinished(now=now + timedelta(minutes=1))

    assert Operation.objects.get(kind="VOID", asked_elsewhere=False).state == "SUCCEEDED"
    assert state_of(payment_id) == becomes
    payment = Payment.objects.whole(payment_id)
    assert payment is not None
    assert (payment.owed_back_minor, payment.needs_attention_at) == (0, None)
    assert "payments.payment_voided" not in told(payment_id)
    assert list(public.journal_differences()) == []


def test_where_the_rest_was_taken_meanwhile_the_refusal_to_let_it_go_asks_nobody(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payment_id = part_taken(now)
    gateway.refusal, gateway.is_silent = "already_captured", True
    public.release_rest(payment_id=payment_id, now=now)
    elsewhere(payment_id, OperationKind.CAPTURE, 700, now)
    gateway.is_silent = False

    services.resolve_unfinished(now=now + timedelta(minutes=1))

    assert Operation.objects.get(kind="VOID").state == "FAILED"
    assert state_of(payment_id) == ("CAPTURED", 1_000, 0, 0)
    assert Payment.objects.get(pk=payment_id).needs_attention_at is None


def test_a_void_that_was_refused_before_a_part_was_taken_is_no_refusal_to_let_the_rest_go(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payment_id = payments.authorised_payment(now, amount_minor=1_000).id
    gateway.refusal = "not_now"
    public.void(payment_id=payment_id, now=now)
    gateway.refusal = ""
    later = now + timedelta(minutes=1)
    services.capture(payment_id=payment_id, amount=Money(300, "GBP"), now=later)
    view = public.payment_view(payment_id)
    assert view is not None
    assert not view.is_void_refused

    assert not public.release_rest(payment_id=payment_id, now=later).holds_rest

    assert state_of(payment_id) == ("PARTIALLY_CAPTURED", 300, 700, 0)
    assert [asked.rest for asked in voids_sent(gateway)] == [False, True]


def test_once_more_was_taken_the_rest_may_be_asked_for_again(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payment_id = part_taken(now)
    gateway.refusal = "not_now"
    public.release_rest(payment_id=payment_id, now=now)
    view = public.payment_view(payment_id)
    assert view is not None
    assert view.is_void_refused
    gateway.refusal = ""
    later = now + timedelta(minutes=1)
    services.capture(payment_id=payment_id, amount=Money(200, "GBP"), now=later)

    assert not public.release_rest(payment_id=payment_id, now=later).holds_rest
    assert state_of(payment_id) == ("PARTIALLY_CAPTURED", 500, 500, 0)


def test_what_a_void_cannot_let_go_is_told_with_the_rest_that_is_held(now: datetime) -> None:
    payment_id = part_taken(now)

    refused = public.void(payment_id=payment_id, now=now)

    assert (refused.status, refused.holds_rest) == ("PARTIALLY_CAPTURED", True)
    told_of = public.payment_states([payment_id])[payment_id]
    assert refused == public.Outcome(
        payment_id=payment_id,
        status=told_of.status,
        decline_code=told_of.decline_code,
        action_url=told_of.action_url,
        action_deadline=told_of.action_deadline,
        due_at=told_of.due_at,
        holds_rest=True,
        captured_minor=told_of.captured_minor,
    )
