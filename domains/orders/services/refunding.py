"""Giving money back, and the second person that much of it takes."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domains.orders.models import Order, OrderStep
from domains.orders.models.commands.refunding import RefundWish
from domains.orders.rules.history import SYSTEM, By, Kind
from domains.orders.rules.steps import Money
from domains.orders.services.beginning import (
    Begun,
    approval_limits,
    begin,
    change_order,
)
from domains.orders.services.cases import money_in
from domains.payments import public as payments
from infrastructure.http.idempotency import IdempotencyKey


def refund(
    *,
    order_id: UUID,
    wish: RefundWish,
    reason: str,
    by: By,
    key: IdempotencyKey | None,
    now: datetime,
    version: int | None = None,
) -> Begun:
    """Give back what the wish names. More than REFUND_APPROVAL_ABOVE waits for a second person.

    Raises OrderNotFound, InvalidPaymentAmount, OrderNotRefundable, NothingCaptured,
    RefundExceedsPayment, UnknownLine, TooManyUnits, ReturnNotFound, ReturnNotReceived,
    StepInProgress, RefundRefused.
    """

    def make(order: Order, money: Money) -> OrderStep:
        return order.begin_refund(
            wish,
            reason=reason,
            money=money,
            limits=approval_limits(order, money),
            actor=by,
            now=now,
        )

    return begin(order_id=order_id, make=make, key=key, version=version, now=now)


def see_refund(*, order_id: UUID, operation_id: UUID, amount_minor: int, now: datetime) -> None:
    """Take note of money that went back without a step of the order asking for it: by payments'
    own doors, or at the gateway. Once per operation, however often it is told. Who did it by those
    doors is known, and it counts for what they give back alone; who did it at the gateway is not.

    Raises OrderNotFound.
    """

    def see(order: Order) -> None:
        state = payments.payment_states([order.payment_id])[order.payment_id]
        order.see_payment(state.status)
        money = money_in(order, state)
        actor = who_asked(order.payment_id, operation_id)
        order.see_refund(operation_id, amount_minor, money=money, actor=actor, now=now)

    change_order(order_id=order_id, change=see, now=now)


def who_asked(payment_id: UUID, operation_id: UUID) -> By:
    """Who asked for an operation by payments' own doors; the system where that is not known."""
    payment = payments.payment_view(payment_id)
    found = () if payment is None else payment.operations
    for operation in found:
        if operation.id == operation_id and operation.actor_id is not None:
            return By(kind=Kind.STAFF, id=operation.actor_id)
    return SYSTEM


def approve_step(
    *,
    order_id: UUID,
    step_id: UUID,
    actor_id: UUID,
    key: IdempotencyKey | None = None,
    now: datetime,
) -> Begun:
    """Agree to what somebody else asked for; it is carried out at once.

    Raises OrderNotFound, StepNotFound, StepNotAwaitingApproval, SecondPersonRequired, StepOutdated,
    and why the step came to nothing.
    """

    def approve(order: Order, money: Money) -> OrderStep:
        return order.approve_step(step_id, money=money, actor_id=actor_id, now=now)

    return begin(order_id=order_id, make=approve, key=key, now=now)


def disapprove_step(
    *,
    order_id: UUID,
    step_id: UUID,
    actor_id: UUID,
    reason: str,
    key: IdempotencyKey | None = None,
    now: datetime,
) -> Begun:
    """Do not agree: nothing of the step is carried out. Whoever asked for it may take it back.

    Raises OrderNotFound, StepNotFound, StepNotAwaitingApproval, and Duplicate for a key that was
    used before.
    """
    order, step = change_order(
        order_id=order_id,
        change=lambda order: order.disapprove_step(
            step_id, actor_id=actor_id, reason=reason, now=now
        ),
        key=key,
        subject=lambda step: step.id,
        now=now,
    )
    return Begun(order=order, step=step)
