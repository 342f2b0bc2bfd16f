"""What every step does elsewhere in the same way: take money, give it back, and see to it that a
refused one moves no goods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domains.orders.errors import CaptureRefused, RefundRefused, SecondPersonRequired
from domains.orders.models import Order, OrderStep
from domains.orders.rules.steps import StepKind
from domains.payments import public as payments
from domains.payments.public import MoveState, OperationOutcome
from domains.products import public as products
from infrastructure.aggregates import ConcurrentModification
from infrastructure.errors import DomainError
from infrastructure.money import Money

# A step came to nothing for no reason that whoever asked could do anything about.
STEP_FAILED = "step_failed"
# Whoever asked gave back more meanwhile, at a door of payments, than one person does alone.
NEEDS_SECOND_PERSON = SecondPersonRequired.code

_MOVES_GOODS = (StepKind.EDIT, StepKind.CANCEL_LINES, StepKind.FULFIL, StepKind.RETURN)


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


def bar_goods(order: Order, step: OrderStep, refused: Refused, now: datetime) -> Refused:
    """Before a step is refused: whoever read it before, and slept, moves no goods for it any more.

    Returns why it is refused: what its goods were barred for the first time, also by somebody who
    died, or was overtaken, before saying so. Raises ConcurrentModification where goods have been
    moved: then it is carried on.
    """
    if step.kind not in _MOVES_GOODS:
        return refused
    first = products.bar_change(order_id=order.id, change_id=step.id, refusal=refused.code, now=now)
    if first is None:
        raise ConcurrentModification(f"Goods of order {order.number} were moved meanwhile.")
    return refused if first == refused.code else Refused(first)
