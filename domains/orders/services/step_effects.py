"""What every step does elsewhere in the same way: take money, give it back, and see whether it may
still move goods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domains.orders.errors import CaptureRefused, RefundRefused, SecondPersonRequired
from domains.orders.models import Order, OrderStep
from domains.payments import public as payments
from domains.payments.public import MoveState, OperationOutcome
from infrastructure.aggregates import ConcurrentModification
from infrastructure.errors import DomainError
from infrastructure.money import Money

# Whoever asked gave back more meanwhile, at a door of payments, than one person does alone.
NEEDS_SECOND_PERSON = SecondPersonRequired.code


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a step comes to nothing, as a code; faults as of FieldError."""

    code: str
    faults: Sequence[Mapping[str, Any]] = ()


class NotYet(Exception):
    """The gateway, or the customer, has not said; whoever comes next asks again."""


def capture(order: Order, step: OrderStep, now: datetime) -> Refused | None:
    if not step.takes_minor:
        return None
    outcome = payments.capture(
        payment_id=order.payment_id,
        key=step.id,
        amount=Money(step.takes_minor, order.currency),
        now=now,
    )
    return moved(outcome, CaptureRefused.code)


def refund(order: Order, step: OrderStep, now: datetime) -> Refused | None:
    if not step.gives_minor:
        return None
    outcome = payments.refund(
        payment_id=order.payment_id,
        key=step.id,
        amount=Money(step.gives_minor, order.currency),
        reason=step.reason,
        actor_id=step.actor_id if step.decided_by is None else None,
        now=now,
    )
    if outcome.code == payments.SecondPersonRequired.code:
        return Refused(NEEDS_SECOND_PERSON)
    return moved(outcome, RefundRefused.code)


def moved(outcome: OperationOutcome, code: str) -> Refused | None:
    if outcome.state == MoveState.SUCCEEDED:
        return None
    if outcome.state == MoveState.FAILED:
        detail = f"{outcome.code}."
        return Refused(code, [{"pointer": "", "code": outcome.code or code, "detail": detail}])
    raise NotYet


def refusal_of(error: DomainError) -> Refused:
    if error.status >= 500:
        raise error
    return Refused(error.code, [{"pointer": "", "code": error.code, "detail": error.detail}])


def look_again(order: Order, step: OrderStep) -> None:
    """Before goods move, for which nothing but the order remembers that the step was refused:
    this process may have slept, or waited for the gateway, while others ended it."""
    if not Order.objects.filter(pk=order.id, step_id=step.id).exists():
        raise ConcurrentModification(f"Order {order.number} was changed meanwhile.")
