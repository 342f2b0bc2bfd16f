"""Carrying out what was asked of a confirmed order, one step at a time.

What can be refused comes first: the money, then the goods, then the order. Everything that a step
does elsewhere is done under its id, so whoever finds it unfinished begins again at the beginning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from django.db import DataError, IntegrityError

from domains.orders.errors import NotInWarehouse
from domains.orders.models import Order, OrderLine, OrderStep
from domains.orders.models.commands.stepping import units_of
from domains.orders.rules.steps import StepKind, StepState
from domains.orders.services import edit_steps
from domains.orders.services.cases import Case, is_paid, money_in, money_of
from domains.orders.services.step_effects import (
    NEEDS_SECOND_PERSON,
    STEP_FAILED,
    NotYet,
    Refused,
    bar_goods,
    capture,
    refund,
    refusal_of,
)
from domains.payments import public as payments
from domains.products import public as products
from infrastructure.aggregates import ConcurrentModification
from infrastructure.errors import DomainError

log = structlog.get_logger(__name__)

# How often whoever lost a compare-and-set counts a refund again.
_RETRIES = 3
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
        if refused is not None and refused.code == NEEDS_SECOND_PERSON:
            order.ask_approval(step, now=now)
        elif refused is not None:
            refused = bar_goods(order, step, refused, now)
            order.refuse_step(step, refusal=refused.code, faults=refused.faults, now=now)
        _save(case, now)
    except NotYet:
        return
    except ConcurrentModification:
        raise
    except _CANNOT_PASS as error:
        if isinstance(error, DomainError) and error.status >= 500:
            raise
        log.exception(
            "step_cannot_be_carried_out",
            order_id=str(order.id),
            step_id=str(step.id),
            kind=step.kind,
        )
        _end_failed(case, step.id, now)
    if case.order.step(step.id).refusal:
        _see_late_refund(case, step.id, now)


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
            edit_steps.undo_edit(order, step, now)
        if step.takes_minor and _money_moved(order, step):
            order.note_capture(step, now=now)
        products.bar_change(order_id=order.id, change_id=step.id, refusal=STEP_FAILED, now=now)
        order.refuse_step(step, refusal=STEP_FAILED, now=now)
    _see_refund(order, step, now)
    _save(case, now)


def _see_refund(order: Order, step: OrderStep, now: datetime) -> bool:
    """Count what went back for a refused step all the same. Whether there is more than before."""
    if not step.gives_minor or not _money_moved(order, step):
        return False
    return order.see_refund(
        step.id, step.gives_minor, money=money_of(order), actor=step.actor, now=now
    )


def _see_late_refund(case: Case, step_id: UUID, now: datetime) -> None:
    """The same for money that a sleeper gave back before the refusal was saved: its event may have
    come while the step was open, when it counted nothing. What goes back later has an event that
    counts it."""
    for retries_left in range(_RETRIES, -1, -1):
        try:
            if _see_refund(case.order, case.order.step(step_id), now):
                _save(case, now)
            return
        except ConcurrentModification:
            if not retries_left:
                raise
            case.order = Order.objects.whole(case.order.id)


def _money_moved(order: Order, step: OrderStep) -> bool:
    """Whether the step's money was taken or given back."""
    payment = payments.payment_view(order.payment_id)
    return payment is not None and any(
        operation.id == step.id and operation.is_succeeded for operation in payment.operations
    )


def _save(case: Case, now: datetime) -> None:
    """The order, and what is known of its payment from now on."""
    order = case.order
    state = payments.payment_states([order.payment_id]).get(order.payment_id)
    case.note_payment(state)
    if state is not None:
        order.see_payment(state.status)
    order.close_returns(money_in(order, state))
    if case.holds_rest:
        order.stay_unsettled(now=now)
    order.save()
    case.is_paid = is_paid(order, state)


def _fulfil(order: Order, step: OrderStep, now: datetime) -> Refused | None:
    lines = _goods(order, units_of(step))
    warehouse = step.params["warehouse"]
    if step.takes_minor:
        # The only thing that can keep goods in after their money was taken is the warehouse.
        if (refused := _lacking(order, step, lines, warehouse)) is not None:
            return refused
        if (refused := capture(order, step, now)) is not None:
            return refused
    try:
        products.take_out(
            order_id=order.id, fulfilment_id=step.id, lines=lines, warehouse=warehouse, now=now
        )
    except ConcurrentModification:
        raise
    except DomainError as error:
        if step.takes_minor:
            order.note_capture(step, now=now)  # it counts for what is sent next
        return _lacking(order, step, lines, warehouse) or refusal_of(error)
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
    if (refused := capture(order, step, now)) is not None:
        return refused
    order.finish_capture(step, now=now)
    return None


def _cancel(order: Order, step: OrderStep, now: datetime) -> Refused | None:
    if (refused := refund(order, step, now)) is not None:
        return refused
    order.finish_cancel_with_refund(step, now=now)
    return None


def _cancel_lines(order: Order, step: OrderStep, now: datetime) -> Refused | None:
    if (refused := refund(order, step, now)) is not None:
        return refused
    units = units_of(step)
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
    if (refused := refund(order, step, now)) is not None:
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
        try:
            products.restock(
                order_id=order.id,
                change_id=step.id,
                lines=_goods(order, units),
                warehouse=step.params["warehouse"],
                now=now,
            )
        except ConcurrentModification:
            raise
        except DomainError as error:
            return refusal_of(error)
    order.finish_receipt(step, now=now)
    return None


def _goods(order: Order, units: Mapping[UUID, int]) -> tuple[products.HoldLine, ...]:
    lines: list[OrderLine] = order.lines
    return tuple(
        products.HoldLine(variant_id=line.variant_id, sku=line.sku, quantity=units[line.id])
        for line in lines
        if line.id in units
    )


_CARRY_OUT = {
    StepKind.EDIT: edit_steps.edit,
    StepKind.CANCEL: _cancel,
    StepKind.CANCEL_LINES: _cancel_lines,
    StepKind.FULFIL: _fulfil,
    StepKind.CAPTURE: _take,
    StepKind.RETURN: _receive,
    StepKind.REFUND: _give_back,
}
