"""Beginning a step: what is asked of a confirmed order is written down first, then carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.conf import settings

from domains.orders import errors
from domains.orders.models import Order, OrderStep
from domains.orders.queries.orders import confirmation_of
from domains.orders.rules.placement import may_be_at_work
from domains.orders.rules.steps import NOT_APPROVED, GivenAlone, Limits, Money, StepState
from domains.orders.services import settling
from domains.orders.services.cases import Case, money_of
from domains.orders.services.declines import declined
from domains.payments import public as payments
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import alias_of
from infrastructure.errors import DomainError, FieldError
from infrastructure.http import idempotency
from infrastructure.http.idempotency import IdempotencyKey

T = TypeVar("T")

# What a step that came to nothing answers to whoever asked for it; anything else is StepRefused.
_REFUSALS: dict[str, type[errors.OrderError]] = {
    refusal.code: refusal
    for refusal in (
        errors.OutOfStock,
        errors.NotInWarehouse,
        errors.PaymentDeclined,
        errors.PaymentNotCompleted,
        errors.CaptureRefused,
        errors.RefundRefused,
    )
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """A step, as far as it got. It is done unless it is still open: then the gateway has not
    answered, or a second person has to agree, and recovery or they carry it on.

    replayed: the key had been used before, and this is the step that it began then.
    """

    order: Order
    step: OrderStep
    replayed: bool = False

    @property
    def is_done(self) -> bool:
        return self.step.state == StepState.DONE


def begin(
    *,
    order_id: UUID,
    make: Callable[[Order, Money], OrderStep],
    key: IdempotencyKey | None,
    now: datetime,
    version: int | None = None,
) -> Begun:
    """Write the step that `make` begins on the order, or agrees to, and carry it out as far as it
    gets.

    make: gets the order as it is, and what was taken and given back for it. version: what the
    caller has seen; another one is refused. Once per key, however often it is sent.
    Raises what `make` raises, OrderNotFound, ConcurrentModification, Duplicate while the first with
    the key may be at work, and why the step came to nothing: see OrderStep.refusal.
    """
    if key is not None and (earlier := idempotency.find(alias_of("orders"), key)) is not None:
        return _again(order_id, earlier, now=now)

    def change(order: Order) -> OrderStep:
        return make(order, money_of(order))

    try:
        order, step = change_order(
            order_id=order_id,
            change=change,
            key=key,
            subject=lambda made: made.id,
            version=version,
            now=now,
        )
    except DomainError:
        # The twin that was faster may show in any refusal: it is under way, or nothing is left.
        if key is None or (earlier := idempotency.find(alias_of("orders"), key)) is None:
            raise
        return _again(order_id, earlier, now=now)
    return _carried_on(order, step.id, now=now)


def change_order(
    *,
    order_id: UUID,
    change: Callable[[Order], T],
    key: IdempotencyKey | None = None,
    subject: Callable[[T], UUID] | None = None,
    version: int | None = None,
    now: datetime,
) -> tuple[Order, T]:
    """Load an order, change it and save it, if that changed it; again from the beginning where
    somebody else was faster. Returns the order and what `change` made.

    subject: of what `change` made, what the key stands for. Raises Duplicate for a used key.
    """
    for retries_left in range(settling.RETRIES, -1, -1):
        order = Order.objects.whole(order_id)
        order.require_version(version)
        made = change(order)
        if not order.has_changes:
            return order, made
        record = [] if key is None or subject is None else [key.record(subject(made), now)]
        try:
            with idempotency.duplicates():
                order.save(also=record)
        except ConcurrentModification:
            if not retries_left:
                raise
        else:
            return order, made
    raise AssertionError("unreachable")


def approval_limits(order: Order, money: Money) -> Limits:
    """What of an order's money takes a second person. Once some was taken, payments tell who gave
    back of it, since the order hears of their own doors by an event."""
    payment = payments.payment_view(order.payment_id) if money.captured else None
    return Limits(
        above=settings.REFUND_APPROVAL_ABOVE,
        given=tuple(
            GivenAlone(refund.id, refund.actor_id, refund.amount.amount_minor)
            for refund in (() if payment is None else payment.given_back_alone)
        ),
    )


def _carried_on(order: Order, step_id: UUID, *, now: datetime) -> Begun:
    if order.step(step_id).state == StepState.AWAITING_APPROVAL:
        return Begun(order=order, step=order.step(step_id))
    try:
        order = settling.carry_on(Case(order), now=now).order
    except ConcurrentModification:
        # Others are settling it at the same time, and one of them will be the last.
        order = Order.objects.whole(order.id)
    return _answered(Begun(order=order, step=order.step(step_id)))


def _again(order_id: UUID, step_id: UUID, *, now: datetime) -> Begun:
    """Raises Duplicate while the first request may be at work on it, and nobody is waited for."""
    order = Order.objects.whole(order_id)
    step = order.step(step_id)
    is_open = step.is_open and step.state != StepState.AWAITING_APPROVAL
    is_at_work = is_open and may_be_at_work(since=step.requested_at, now=now)
    if is_at_work and confirmation_of(step) is None:
        raise idempotency.Duplicate(f"This change of order {order.number} is being carried out.")
    return _answered(Begun(order=order, step=step, replayed=True))


def _answered(begun: Begun) -> Begun:
    """Raises why a step came to nothing."""
    step = begun.step
    if step.state != StepState.REFUSED or step.refusal == NOT_APPROVED:
        return begun
    refusal = _REFUSALS.get(step.refusal, errors.StepRefused)
    detail = f"Refused: {step.refusal}." if refusal is errors.StepRefused else ""
    faults = [FieldError(**fault) for fault in step.faults]
    if refusal is errors.PaymentDeclined:
        state = payments.payment_states([step.id]).get(step.id)
        decline = None if state is None else state.decline
        raise declined("The order stays as it was.", decline, errors=faults)
    raise refusal(detail, errors=faults)
