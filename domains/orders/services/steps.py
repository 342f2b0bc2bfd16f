"""Carrying out what was asked of a confirmed order, one step at a time.

What can be refused comes first: the money, then the goods, then the order. Everything that a step
does elsewhere is done under its id, so whoever finds it unfinished begins again at the beginning.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from django.db import DataError, IntegrityError

from domains.orders.errors import (
    CaptureRefused,
    NotInWarehouse,
    OutOfStock,
    PaymentDeclined,
    PaymentNotCompleted,
    RefundRefused,
)
from domains.orders.models import Order, OrderLine, OrderStep
from domains.orders.models.commands.stepping import units_of
from domains.orders.rules.history import SYSTEM
from domains.orders.rules.steps import StepKind, StepState
from domains.orders.services.cases import Case, is_paid
from domains.payments import public as payments
from domains.payments.public import MoveState, OperationOutcome, PaymentStatus
from domains.products import public as products
from infrastructure.aggregates import ConcurrentModification
from infrastructure.errors import DomainError
from infrastructure.money import Money

logger = logging.getLogger(__name__)

# Why a step came to nothing, or to less than was asked for.
STEP_FAILED = "step_failed"
VOID_REFUSED = "void_refused"
# A step that meets one of these meets it again however often it is carried on.
_CANNOT_PASS = (
    DataError,
    IntegrityError,
    DomainError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a step comes to nothing, as a code; faults as of FieldError."""

    code: str
    faults: Sequence[Mapping[str, Any]] = ()


class NotYet(Exception):
    """The gateway, or the customer, has not said; whoever comes next asks again."""


def carry_on(case: Case, now: datetime) -> None:
    """Take the unfinished step of a case's order as far as it gets."""
    order = case.order
    step = order.open_step
    if step is None or step.state == StepState.AWAITING_APPROVAL:
        return
    if not step.is_open:
        # Read after the order was, and meanwhile it ended: nothing of it may be done any more.
        raise ConcurrentModification(f"Order {order.number} was changed meanwhile.")
    try:
        refused = _CARRY_OUT[StepKind(step.kind)](order, step, now)
        if refused is not None:
            order.refuse_step(step, refusal=refused.code, faults=refused.faults, now=now)
        _save(case)
    except NotYet:
        return
    except ConcurrentModification:
        raise
    except _CANNOT_PASS as error:
        if isinstance(error, DomainError) and error.status >= 500:
            raise
        logger.exception(
            "A step of an order cannot be carried out",
            extra={"order_id": str(order.id), "step_id": str(step.id), "kind": step.kind},
        )
        _end_failed(case, step.id, now)


def _end_failed(case: Case, step_id: UUID, now: datetime) -> None:
    """End a step that nobody will ever carry out, so that it holds up nothing else. What it did of
    its effects is undone where it can be; `audit_books` tells of the rest."""
    case.order = order = Order.objects.whole(case.order.id)
    step = order.open_step
    if step is None or step.id != step_id:
        raise ConcurrentModification(f"Order {order.number} was changed meanwhile.")
    if step.state == StepState.APPLIED:
        order.finish_edit(step, refusal=STEP_FAILED, now=now)
    else:
        if step.kind == StepKind.EDIT:
            _undo_edit(order, step, now)
        if step.takes_minor and _has_captured(order, step):
            order.note_capture(step, now=now)
        order.refuse_step(step, refusal=STEP_FAILED, now=now)
    _save(case)


def _undo_edit(order: Order, step: OrderStep, now: datetime) -> None:
    if step.params["pays_anew"]:
        payments.void(payment_id=step.id, now=now)
    try:
        if _rehold(order, step, now) is None:  # the same as before, if it had come so far
            products.change_hold(
                order_id=order.id,
                change_id=uuid5(step.id, "undone"),
                changes=_hold_changes(step, times=-1),
                now=now,
            )
    except (IntegrityError, DomainError):
        logger.exception("The goods of an edit stay held", extra={"order_id": str(order.id)})


def _has_captured(order: Order, step: OrderStep) -> bool:
    payment = payments.payment_view(order.payment_id)
    return payment is not None and any(
        operation.id == step.id and operation.is_succeeded for operation in payment.operations
    )


def _save(case: Case) -> None:
    """The order, and what is known of its payment from now on."""
    order = case.order
    state = payments.payment_states([order.payment_id]).get(order.payment_id)
    if state is not None:
        order.see_payment(state.status)
    order.save()
    case.note_payment(state)
    case.is_paid = is_paid(order, state)


def _fulfil(order: Order, step: OrderStep, now: datetime) -> Refused | None:
    lines = _goods(order, units_of(step))
    warehouse = step.params["warehouse"]
    if step.takes_minor:
        # The only thing that can keep goods in after their money was taken is the warehouse.
        if (refused := _lacking(order, step, lines, warehouse)) is not None:
            return refused
        if (refused := _capture(order, step, now)) is not None:
            return refused
    _look_again(order, step)
    try:
        products.take_out(
            order_id=order.id, fulfilment_id=step.id, lines=lines, warehouse=warehouse, now=now
        )
    except DomainError as error:
        if step.takes_minor:
            order.note_capture(step, now=now)  # it counts for what is sent next
        return _lacking(order, step, lines, warehouse) or _refusal_of(error)
    order.finish_fulfilment(step, now=now)
    return None


def _lacking(
    order: Order, step: OrderStep, lines: Sequence[products.HoldLine], warehouse: str
) -> Refused | None:
    short = products.lacking_in(warehouse, lines, fulfilment_id=step.id)
    if not short:
        return None
    return Refused(
        NotInWarehouse.code,
        [
            {
                "pointer": "/warehouse",
                "code": NotInWarehouse.code,
                "detail": f"{lack.requested} of {lack.sku} wanted, {lack.available} there.",
            }
            for lack in short
        ],
    )


def _take(order: Order, step: OrderStep, now: datetime) -> Refused | None:
    if (refused := _capture(order, step, now)) is not None:
        return refused
    order.finish_capture(step, now=now)
    return None


def _cancel(order: Order, step: OrderStep, now: datetime) -> Refused | None:
    if (refused := _refund(order, step, now)) is not None:
        return refused
    order.finish_cancel_with_refund(step, now=now)
    return None


def _cancel_lines(order: Order, step: OrderStep, now: datetime) -> Refused | None:
    if (refused := _refund(order, step, now)) is not None:
        return refused
    units = units_of(step)
    _look_again(order, step)
    products.change_hold(
        order_id=order.id,
        change_id=step.id,
        changes=[
            products.HoldChange(variant_id=line.variant_id, sku=line.sku, delta=-units[line.id])
            for line in order.lines
            if line.id in units
        ],
        now=now,
    )
    order.finish_cancel_lines(step, now=now)
    return None


def _give_back(order: Order, step: OrderStep, now: datetime) -> Refused | None:
    if (refused := _refund(order, step, now)) is not None:
        return refused
    order.finish_refund(step, now=now)
    return None


def _receive(order: Order, step: OrderStep, now: datetime) -> Refused | None:
    units = {
        UUID(line_id): found["restocked"]
        for line_id, found in step.params["lines"].items()
        if found["restocked"]
    }
    if units:
        _look_again(order, step)
        try:
            products.restock(
                order_id=order.id,
                return_id=UUID(step.params["return_id"]),
                lines=_goods(order, units),
                warehouse=step.params["warehouse"],
                now=now,
            )
        except DomainError as error:
            return _refusal_of(error)
    order.finish_receipt(step, now=now)
    return None


def _edit(order: Order, step: OrderStep, now: datetime) -> Refused | None:
    if step.state == StepState.REQUESTED:
        if (refused := _authorise(order, step, now)) is not None:
            return refused
        if (refused := _rehold(order, step, now)) is not None:
            if step.params["pays_anew"]:
                payments.void(payment_id=step.id, now=now)
            return refused
        order.apply_edit(step, now=now)
        order.save()
    refused = _let_earlier_go(order, step, now) if step.params["pays_anew"] else None
    refused = refused or _refund(order, step, now)
    order.finish_edit(step, refusal="" if refused is None else refused.code, now=now)
    return None


def _authorise(order: Order, step: OrderStep, now: datetime) -> Refused | None:
    """Have the higher total authorised as a payment of its own, before the old one is let go."""
    if not step.params["pays_anew"]:
        return None
    try:
        outcome = payments.authorise(
            payment_id=step.id,
            reference=order.number,
            amount=Money(step.takes_minor, order.currency),
            method=step.params["method"],
            token=step.payment_token,
            customer_id=order.customer_id,
            return_url=step.params["return_url"] or None,
            now=now,
        )
    except DomainError as error:
        return _refusal_of(error)
    if outcome.status == PaymentStatus.DECLINED:
        return Refused(PaymentDeclined.code)
    if outcome.status == PaymentStatus.VOIDED:
        return Refused(PaymentNotCompleted.code)
    if outcome.status in (PaymentStatus.AUTHORISED, PaymentStatus.CAPTURED):
        return None
    raise NotYet


def _let_earlier_go(order: Order, step: OrderStep, now: datetime) -> Refused | None:
    """See to it that nothing is left of the payment that the order relied on before. What somebody
    took of it meanwhile goes back, since another payment has its place."""
    earlier = UUID(step.params["old_payment_id"])
    if payments.void(payment_id=earlier, now=now).is_released:
        return None
    state = payments.payment_states([earlier])[earlier]
    if not state.captured_minor:
        if _is_void_refused(earlier):
            return Refused(VOID_REFUSED)
        raise NotYet  # a void, or a capture, has no outcome yet
    if kept := state.captured_minor - state.refunded_minor:
        outcome = payments.refund(
            payment_id=earlier,
            # Another one if more is taken: each key is for one amount.
            key=uuid5(step.id, f"earlier {state.captured_minor} {state.refunded_minor}"),
            amount=Money(kept, order.currency),
            reason="replaced",
            now=now,
        )
        if (refused := _moved(outcome, RefundRefused.code)) is not None:
            return refused
    order.note("earlier_payment_refunded", actor=SYSTEM, at=now, amount_minor=state.captured_minor)
    return None


def _is_void_refused(payment_id: UUID) -> bool:
    payment = payments.payment_view(payment_id)
    return payment is not None and payment.is_void_refused


def _rehold(order: Order, step: OrderStep, now: datetime) -> Refused | None:
    _look_again(order, step)
    answer = products.change_hold(
        order_id=order.id, change_id=step.id, changes=_hold_changes(step), now=now
    )
    if isinstance(answer, products.Held):
        return None
    if isinstance(answer, products.Released):
        return Refused("released")
    return Refused(
        OutOfStock.code,
        [
            {
                "pointer": "/lines",
                "code": OutOfStock.code,
                "detail": f"{short.requested} more of {short.sku} wanted, "
                f"{short.available} available.",
            }
            for short in answer.shortages
        ],
    )


def _hold_changes(step: OrderStep, *, times: int = 1) -> list[products.HoldChange]:
    return [
        products.HoldChange(
            variant_id=UUID(change["variant_id"]), sku=change["sku"], delta=times * change["delta"]
        )
        for change in step.params["hold_changes"]
    ]


def _capture(order: Order, step: OrderStep, now: datetime) -> Refused | None:
    if not step.takes_minor:
        return None
    outcome = payments.capture(
        payment_id=order.payment_id,
        key=step.id,
        amount=Money(step.takes_minor, order.currency),
        now=now,
    )
    return _moved(outcome, CaptureRefused.code)


def _refund(order: Order, step: OrderStep, now: datetime) -> Refused | None:
    if not step.gives_minor:
        return None
    outcome = payments.refund(
        payment_id=order.payment_id,
        key=step.id,
        amount=Money(step.gives_minor, order.currency),
        reason=step.reason,
        now=now,
    )
    return _moved(outcome, RefundRefused.code)


def _moved(outcome: OperationOutcome, code: str) -> Refused | None:
    if outcome.state == MoveState.SUCCEEDED:
        return None
    if outcome.state == MoveState.FAILED:
        detail = f"{outcome.code}."
        return Refused(code, [{"pointer": "", "code": outcome.code or code, "detail": detail}])
    raise NotYet


def _refusal_of(error: DomainError) -> Refused:
    if error.status >= 500:
        raise error
    return Refused(error.code, [{"pointer": "", "code": error.code, "detail": error.detail}])


def _look_again(order: Order, step: OrderStep) -> None:
    """Before goods move, for which nothing but the order remembers that the step was refused:
    this process may have slept, or waited for the gateway, while others ended it."""
    if not Order.objects.filter(pk=order.id, step_id=step.id).exists():
        raise ConcurrentModification(f"Order {order.number} was changed meanwhile.")


def _goods(order: Order, units: Mapping[UUID, int]) -> tuple[products.HoldLine, ...]:
    lines: list[OrderLine] = order.lines
    return tuple(
        products.HoldLine(variant_id=line.variant_id, sku=line.sku, quantity=units[line.id])
        for line in lines
        if line.id in units
    )


_CARRY_OUT = {
    StepKind.EDIT: _edit,
    StepKind.CANCEL: _cancel,
    StepKind.CANCEL_LINES: _cancel_lines,
    StepKind.FULFIL: _fulfil,
    StepKind.CAPTURE: _take,
    StepKind.RETURN: _receive,
    StepKind.REFUND: _give_back,
}
