"""Carrying out an edit: the one step that is applied before all of it is done."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid5

import structlog
from django.db import IntegrityError

from domains.orders.errors import (
    OutOfStock,
    PaymentDeclined,
    PaymentNotCompleted,
    RefundRefused,
)
from domains.orders.models import Order, OrderStep
from domains.orders.rules.history import SYSTEM
from domains.orders.rules.steps import StepState
from domains.orders.services import invoicing
from domains.orders.services.declines import RETURN_URL
from domains.orders.services.step_effects import (
    STEP_FAILED,
    NotYet,
    Refused,
    bar_goods,
    moved,
    refund,
    refusal_of,
)
from domains.payments import public as payments
from domains.payments.public import PaymentStatus
from domains.products import public as products
from infrastructure.database.contexts import atomic
from infrastructure.errors import DomainError
from infrastructure.money import Money

log = structlog.get_logger(__name__)

# What is left of the earlier payment, since the gateway keeps it.
VOID_REFUSED = "void_refused"


def edit(order: Order, step: OrderStep, now: datetime) -> Refused | None:
    if step.state == StepState.REQUESTED:
        refused = _authorise(order, step, now) or _rehold(order, step, now)
        if refused is not None:
            refused = bar_goods(order, step, refused, now)
            if step.params["pays_anew"]:
                payments.void(payment_id=step.id, now=now)
            return refused
        _apply(order, step, now)
    refused = _let_earlier_go(order, step, now) if step.params["pays_anew"] else None
    refused = refused or refund(order, step, now)
    order.finish_edit(step, refusal="" if refused is None else refused.code, now=now)
    return None


def _apply(order: Order, step: OrderStep, now: datetime) -> None:
    if not step.changes_billing:
        order.apply_edit(step, now=now)
        order.save()
        return
    with atomic("orders"):
        # An invoice is made out to whom the order names at that moment, and for good.
        is_invoiced = invoicing.is_invoiced(order.id, from_now_on=True)
        order.apply_edit(step, is_invoiced=is_invoiced, now=now)
        order.save()


def undo_edit(order: Order, step: OrderStep, now: datetime) -> None:
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
        log.exception("goods_of_an_edit_stay_held", order_id=str(order.id))


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
        return refusal_of(error)
    if outcome.status == PaymentStatus.DECLINED:
        return Refused(PaymentDeclined.code, _faults_of(outcome.decline))
    if outcome.status == PaymentStatus.VOIDED:
        return Refused(PaymentNotCompleted.code)
    if outcome.status in (PaymentStatus.AUTHORISED, PaymentStatus.CAPTURED):
        return None
    raise NotYet


def _faults_of(decline: payments.Decline | None) -> list[dict[str, str]]:
    if decline is None:
        return []
    pointer = RETURN_URL if decline.lacks_return_url else "/payment"
    return [{"pointer": pointer, "code": PaymentDeclined.code, "detail": decline.sentence}]


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
    refused = None
    if kept := state.captured_minor - state.refunded_minor:
        outcome = payments.refund(
            payment_id=earlier,
            # Another one if more is taken: each key is for one amount.
            key=uuid5(step.id, f"earlier {state.captured_minor} {state.refunded_minor}"),
            amount=Money(kept, order.currency),
            reason="replaced",
            now=now,
        )
        refused = moved(outcome, RefundRefused.code)
    # After the money that is not ours, since nothing may go back once this has no outcome.
    if payments.release_rest(payment_id=earlier, now=now).holds_rest:
        if not _is_void_refused(earlier):
            raise NotYet
        refused = refused or Refused(VOID_REFUSED)
    if refused is None or refused.code == VOID_REFUSED:
        taken = state.captured_minor
        order.note("earlier_payment_refunded", actor=SYSTEM, at=now, amount_minor=taken)
    return refused


def _is_void_refused(payment_id: UUID) -> bool:
    payment = payments.payment_view(payment_id)
    return payment is not None and payment.is_void_refused


def _rehold(order: Order, step: OrderStep, now: datetime) -> Refused | None:
    try:
        answer = products.change_hold(
            order_id=order.id, change_id=step.id, changes=_hold_changes(step), now=now
        )
    except products.ChangeBarred:
        return Refused(STEP_FAILED)  # or rather what it was barred for: see `bar_goods`
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
