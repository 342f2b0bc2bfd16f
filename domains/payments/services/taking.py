"""Money taken, given back and let go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.db import models

from domains.payments import gateways
from domains.payments.errors import PaymentMismatch, PaymentsUnavailable
from domains.payments.models import Operation, Payment
from domains.payments.rules.gateways import Capabilities
from domains.payments.rules.operations import OperationKind
from domains.payments.services.outcomes import carry_on, change, find, load
from infrastructure.aggregates import ConcurrentModification
from infrastructure.money import Money

# Begins an operation, given what the gateway is able to do.
Begin = Callable[[Payment, Capabilities], Operation]


class LetGo(Protocol):
    """Whether there is something to save, given whether the gateway may be asked now."""

    def __call__(self, payment: Payment, /, *, may_ask: bool) -> bool: ...


def capture(
    *,
    payment_id: UUID,
    key: UUID | None = None,
    amount: Money | None = None,
    reason: str = "",
    actor_id: UUID | None = None,
    now: datetime,
    also: Callable[[UUID], Sequence[models.Model]] = lambda operation_id: (),
) -> tuple[Payment, Operation]:
    """Take the money, all that is left unless told an amount. Returns the operation it became.

    key: makes it repeatable, as the operation's id. reason, actor_id: of staff, where somebody
    asked for it. also: rows to write with the operation, given its id.
    Raises PaymentNotFound, PaymentNotAuthorised, PaymentAlreadyCaptured, CaptureTooLarge,
    InvalidPaymentAmount, PaymentOperationInProgress, PaidByReceipt, NotSupportedByGateway,
    PaymentMismatch if the key was another operation's, and PaymentsUnavailable where the gateway is
    not to be called: then nothing was written.
    """
    return _move_money(
        payment_id,
        OperationKind.CAPTURE,
        lambda payment, can: payment.begin_capture(
            amount, now, key=key, can=can, reason=reason, actor_id=actor_id
        ),
        key=key,
        amount=amount,
        also=also,
        now=now,
    )


def refund(
    *,
    payment_id: UUID,
    key: UUID | None = None,
    amount: Money | None = None,
    reason: str,
    actor_id: UUID | None = None,
    now: datetime,
    also: Callable[[UUID], Sequence[models.Model]] = lambda operation_id: (),
) -> tuple[Payment, Operation]:
    """Give captured money back, all that is left of it unless told an amount.

    Returns the operation it became. key: makes it repeatable, as the operation's id. actor_id: the
    one person who gives it back, no more than REFUND_APPROVAL_ABOVE with what they gave back of the
    payment before, by whichever door; None where a second one agreed. also: rows to write with the
    operation, given its id.
    Raises PaymentNotFound, PaymentNotCaptured, RefundTooLarge, InvalidPaymentAmount,
    SecondPersonRequired, PaymentOperationInProgress, NotSupportedByGateway, PaymentMismatch if the
    key was another operation's, and PaymentsUnavailable, as `capture`.
    """
    limits = None if actor_id is None else settings.REFUND_APPROVAL_ABOVE
    return _move_money(
        payment_id,
        OperationKind.REFUND,
        lambda payment, can: payment.begin_refund(
            amount, now, reason=reason, actor_id=actor_id, key=key, can=can, limits=limits
        ),
        key=key,
        amount=amount,
        also=also,
        now=now,
    )


def would_capture(*, payment_id: UUID, now: datetime) -> Money:
    """How much `capture` without an amount would take; nothing is written. Raises what it does."""
    payment = load(payment_id)
    can = gateways.gateway_named(payment.gateway).capabilities
    return Money(payment.begin_capture(None, now, can=can).amount_minor, payment.currency)


def would_refund(*, payment_id: UUID, actor_id: UUID | None, now: datetime) -> Money:
    """How much `refund` without an amount would give back, likewise."""
    payment = load(payment_id)
    begun = payment.begin_refund(
        None,
        now,
        reason="",
        actor_id=actor_id,
        can=gateways.gateway_named(payment.gateway).capabilities,
        limits=None if actor_id is None else settings.REFUND_APPROVAL_ABOVE,
    )
    return Money(begun.amount_minor, payment.currency)


def would_void(*, payment_id: UUID, now: datetime) -> Money | None:
    """How much `void` would let go, likewise: nothing of what is not held yet; None where it would
    change nothing."""
    payment = load(payment_id)
    held = payment.rest_minor or payment.authorised_minor - payment.captured_minor
    is_changed = _request_void(payment, may_ask=True, reason="", actor_id=None, now=now)
    return Money(held, payment.currency) if is_changed else None


def _move_money(
    payment_id: UUID,
    kind: OperationKind,
    begin: Begin,
    *,
    key: UUID | None,
    amount: Money | None,
    also: Callable[[UUID], Sequence[models.Model]],
    now: datetime,
) -> tuple[Payment, Operation]:
    begun: list[Operation] = []

    def begin_once(payment: Payment) -> bool:
        known = None if key is None else payment.find_operation(key)
        if known is None:
            begun[:] = [begin(payment, gateways.gateway_named(payment.gateway).capabilities)]
        else:
            _check_is(known, kind, amount)
            begun[:] = [known]
        return known is None

    payment = load(payment_id)
    known = None if key is None else payment.find_operation(key)
    if known is not None and not known.is_unfinished:
        _check_is(known, kind, amount)
        return payment, known
    with gateways.admitted(payment.gateway):
        if key is not None and known is None:
            payment = carry_on(payment, now=now)  # one that is in the way may be over by now
        payment = change(payment, begin_once, also=lambda: also(begun[0].id))
        operation_id = begun[0].id
        payment = carry_on(payment, now=now)
        return payment, payment.operation(operation_id)


def _check_is(known: Operation, kind: OperationKind, amount: Money | None) -> None:
    if known.kind != kind or (amount and amount.amount_minor != known.amount_minor):
        raise PaymentMismatch(f"{known.id} is the key of a {known.kind.lower()} already.")


def void(
    *,
    payment_id: UUID,
    reason: str = "",
    actor_id: UUID | None = None,
    now: datetime,
    also: Callable[[], Sequence[models.Model]] = tuple,
) -> Payment:
    """Let the money go, as somebody told; a void that the gateway refused is begun once more. Of
    what a part was taken of, the rest is let go.

    Only VOIDED and DECLINED mean that nothing is held; with anything else the void is remembered
    and follows as soon as the gateway has told what it did.
    reason, actor_id: of staff, where somebody asked for it; kept with the void. also: rows to write
    with the wish, if it is new.
    Raises PaymentNotFound, PaymentAlreadyCaptured, PaymentOperationInProgress, and
    PaymentsUnavailable where the gateway is not to be called and the void cannot wait for it.
    """

    def request(payment: Payment, *, may_ask: bool) -> bool:
        return _request_void(payment, may_ask=may_ask, reason=reason, actor_id=actor_id, now=now)

    return _void(load(payment_id), request, now=now, also=also)


def _request_void(
    payment: Payment, *, may_ask: bool, reason: str, actor_id: UUID | None, now: datetime
) -> bool:
    if payment.released_minor and not payment.rest_minor:
        return False
    if not payment.rest_minor:
        return payment.request_void(
            now, even_if_refused=True, may_begin=may_ask, reason=reason, actor_id=actor_id
        )
    return may_ask and payment.request_release(
        now, even_if_refused=True, reason=reason, actor_id=actor_id
    )


def release_rest(*, payment_id: UUID, now: datetime) -> Payment:
    """Let go of what is held beside the part that was taken; nothing where nothing was taken.

    Repeatable as often as one likes: what the gateway refused is not begun once more.
    Raises PaymentNotFound, PaymentOperationInProgress, PaymentsUnavailable: then nothing was
    written, and nothing is remembered.
    """
    return _void(
        load(payment_id),
        lambda payment, *, may_ask: may_ask and payment.request_release(now),
        now=now,
    )


def void_or_forestall(*, payment_id: UUID, now: datetime) -> Payment:
    """Let the money go, or keep a payment that never began from ever beginning.

    Repeatable as often as one likes: a void that the gateway refused is not begun once more.
    Raises PaymentAlreadyCaptured, PaymentOperationInProgress.
    """
    payment = find(payment_id)
    if payment is None:
        payment = Payment.voided_before_it_began(payment_id=payment_id, now=now)
        try:
            payment.save(unless_exists=True)
            return payment
        except ConcurrentModification:
            payment = find(payment_id)
    assert payment is not None  # payments are never deleted
    if payment.authorisation is None:
        return payment
    return _void(
        payment, lambda current, *, may_ask: current.request_void(now, may_begin=may_ask), now=now
    )


def _void(
    payment: Payment,
    request: LetGo,
    *,
    now: datetime,
    also: Callable[[], Sequence[models.Model]] = tuple,
) -> Payment:
    try:
        with gateways.admitted(payment.gateway):
            if payment.unfinished is not None and payment.unfinished.kind == OperationKind.CAPTURE:
                payment = carry_on(payment, now=now)
            payment = change(payment, lambda current: request(current, may_ask=True), also=also)
            return carry_on(payment, now=now)
    except PaymentsUnavailable:
        # Remembered, it is carried out by the task as soon as the gateway may be called again.
        payment = change(
            load(payment.id), lambda current: request(current, may_ask=False), also=also
        )
        if payment.rest_minor or not (payment.is_released or payment.void_requested_at):
            raise
        return payment
