"""Taking an order as far as it gets, from whatever is true of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings

from domains.carts import public as carts
from domains.orders.errors import OutOfStock, PaymentDeclined, PaymentNotCompleted
from domains.orders.models import Order
from domains.orders.rules import placement as rules
from domains.orders.rules.placement import Guarantee, Hold, Step, Uses
from domains.orders.services import steps
from domains.orders.services.cases import Case, case_of, latest_try
from domains.payments import public as payments
from domains.payments.public import PaymentStatus
from domains.pricing import public as pricing
from domains.products import public as products
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.threads import in_threads
from infrastructure.errors import DomainError

log = structlog.get_logger(__name__)

# How often whoever lost a compare-and-set looks again before leaving the order to the winner.
RETRIES = 3
# Orders settled at a time: so many calls to the gateway may be waiting for it.
THREADS = 8
# Orders that one run of the recovery takes. With a gateway that never answers, each costs a
# thread its time-out.
RECOVERY_BATCH = 100


def settle(*, order_id: UUID, now: datetime) -> Order:
    """Take an order as far as it gets: read the facts, take the next step, and so on.

    Everybody may call it at any time, also at once. Raises OrderNotFound.
    """
    return carry_on(case_of(Order.objects.whole(order_id), now=now), now=now).order


def settle_with_others(*, order_id: UUID, now: datetime) -> Order:
    """The same for whoever has nothing to lose: where others are settling it at the same time, and
    are always faster, one of them will be the last. Raises OrderNotFound."""
    try:
        return settle(order_id=order_id, now=now)
    except ConcurrentModification:
        return Order.objects.whole(order_id)


def settle_unfinished(*, now: datetime) -> int:
    """Take up what its request left behind, what waits longest first. Returns how many orders.

    Each is due again later before it is tried, so one that cannot be settled holds up no other.
    """
    due = Order.objects.take_due(now=now, limit=RECOVERY_BATCH)
    in_threads(lambda order_id: settle(order_id=order_id, now=now), due, threads=THREADS)
    return len(due)


def carry_on(case: Case, *, now: datetime) -> Case:
    """Take the steps that are left, beginning with what the case knows already."""
    lost = 0
    while (step := rules.next_step(case.facts)) not in (Step.WAIT, Step.REST):
        before = case.facts
        try:
            _STEPS[step](case, now)
        except ConcurrentModification:
            lost += 1
            if lost > RETRIES:
                raise
            case = case_of(Order.objects.whole(case.order.id), now=now)
            continue
        asked = step in (Step.AUTHORISE, Step.VOID, Step.DROP_PAYMENT)
        if case.facts == before or (asked and case.guarantee == Guarantee.UNKNOWN):
            break  # the gateway has not said; whoever comes next asks again
    return case


def _hold(case: Case, now: datetime) -> None:
    order = case.order
    answer = products.hold(
        order_id=order.id, lines=lines_to_hold(order), instead_of=order.cart_id, now=now
    )
    case.note_hold(answer)


def lines_to_hold(order: Order) -> tuple[products.HoldLine, ...]:
    return tuple(
        products.HoldLine(variant_id=line.variant_id, sku=line.sku, quantity=line.quantity)
        for line in order.lines
    )


def _redeem(case: Case, now: datetime) -> None:
    order = case.order
    answer = pricing.redeem(
        order_id=order.id,
        uses=[
            pricing.Use(promotion_id=UUID(use["promotion_id"]), coupon=use["coupon"])
            for use in order.uses
        ],
        customer_key=order.customer_key,
        now=now,
    )
    if isinstance(answer, pricing.Redeemed):
        case.uses = Uses.REDEEMED
    elif isinstance(answer, pricing.Returned):
        case.uses = Uses.GIVEN_BACK
    else:
        case.uses, case.refused_use = Uses.REFUSED, answer.codes[0]


def _authorise(case: Case, now: datetime) -> None:
    order = case.order
    try:
        outcome = payments.authorise(
            payment_id=order.payment_id,
            reference=order.number,
            amount=order.total,
            method=order.payment_method,
            token=order.payment_token,
            customer_id=order.customer_id,
            return_url=order.payment_return_url or None,
            not_after=latest_try(order),
            now=now,
        )
    except DomainError as refusal:
        if refusal.status >= 500:
            raise
        case.refusal = refusal.code
    else:
        case.is_unpayable, case.is_busy = not outcome.has_begun, outcome.is_busy
        case.note_payment(outcome if outcome.has_begun else None)


def _await_payment(case: Case, now: datetime) -> None:
    """The customer's turn, for as long as payments say, or as the shop waits for another try."""
    until = case.pay_until or now + timedelta(minutes=settings.PAYMENT_RETRY_MINUTES)
    case.order.await_payment(until=until, now=now)
    _save(case)
    if case.is_prepaid:
        # Money takes days to come. The order is placed, and the cart is not needed any more.
        close_cart(case.order, now)


def _drop_payment(case: Case, now: datetime) -> None:
    """Make sure that the payment before another try holds nothing, or keep it if it is good."""
    order = case.order
    assert order.superseded_payment_id is not None
    outcome = payments.void(payment_id=order.superseded_payment_id, now=now)
    if outcome.is_released:
        order.drop_superseded_payment()
        order.save()
    elif outcome.status in _TAKEN:
        order.keep_superseded_payment()
        order.save()
        case.note_payment(outcome)


def _confirm(case: Case, now: datetime) -> None:
    case.order.confirm(now=now)
    _save(case)
    close_cart(case.order, now)


def _reject(case: Case, now: datetime) -> None:
    case.order.reject(reason=_reason_of(case), shortages=case.shortages, now=now)
    _save(case)
    _give_cart_back(case, now)


def _reason_of(case: Case) -> str:
    if case.hold == Hold.REFUSED:
        return OutOfStock.code
    if case.refused_use:
        return case.refused_use
    if case.refusal:
        return case.refusal
    if case.is_unpayable:
        return payments.PaymentsUnavailable.code
    if case.guarantee == Guarantee.REFUSED:
        return PaymentDeclined.code
    if case.guarantee == Guarantee.GIVEN_BACK and case.decline_code == payments.NOT_COMPLETED:
        return PaymentNotCompleted.code
    return PaymentNotCompleted.code if case.is_overdue else "given_up"


def _cancel(case: Case, now: datetime) -> None:
    was_pending = case.order.is_undecided
    case.order.cancel(now=now)
    _save(case)
    if was_pending:
        _give_cart_back(case, now)


def _refuse_cancel(case: Case, now: datetime) -> None:
    case.order.refuse_cancel()
    _save(case)


def _complete(case: Case, now: datetime) -> None:
    case.order.complete(holds_rest=case.holds_rest, now=now)
    _save(case)


def _release(case: Case, now: datetime) -> None:
    products.release(order_id=case.order.id, now=now)
    case.hold = Hold.RELEASED


def _void(case: Case, now: datetime) -> None:
    case.refusal = ""
    case.note_payment(payments.void(payment_id=case.order.payment_id, now=now))


def _release_rest(case: Case, now: datetime) -> None:
    """Only once nothing is to be taken any more: a void would end what the order relies on."""
    case.note_payment(payments.release_rest(payment_id=case.order.payment_id, now=now))


def _give_back(case: Case, now: datetime) -> None:
    pricing.give_back(order_id=case.order.id, now=now)
    case.uses = Uses.GIVEN_BACK


def _finish(case: Case, now: datetime) -> None:
    case.order.finish()
    _save(case)


def _save(case: Case) -> None:
    if case.payment is not None:
        case.order.see_payment(case.payment)
    case.order.save()


def close_cart(order: Order, now: datetime) -> None:
    if order.cart_id is not None:
        try:
            carts.close(cart_id=order.cart_id, order_id=order.id, now=now)
        except DomainError:
            log.warning("cart_stays_frozen_for_now", order_id=str(order.id))


def _give_cart_back(case: Case, now: datetime) -> None:
    """After the order's goods, so that the cart can hold again what it held."""
    order = case.order
    if order.cart_id is not None:
        _release(case, now)
        try:
            carts.reopen(cart_id=order.cart_id, order_id=order.id, now=now)
        except DomainError:
            log.warning("cart_stays_frozen_for_now", order_id=str(order.id))


# Money that a void does not give back.
_TAKEN = (PaymentStatus.CAPTURED, PaymentStatus.PARTIALLY_CAPTURED)

_STEPS = {
    Step.HOLD: _hold,
    Step.REDEEM: _redeem,
    Step.DROP_PAYMENT: _drop_payment,
    Step.AUTHORISE: _authorise,
    Step.AWAIT_PAYMENT: _await_payment,
    Step.CONFIRM: _confirm,
    Step.REJECT: _reject,
    Step.CANCEL: _cancel,
    Step.REFUSE_CANCEL: _refuse_cancel,
    Step.CARRY_ON: steps.carry_on,
    Step.COMPLETE: _complete,
    Step.RELEASE: _release,
    Step.GIVE_BACK: _give_back,
    Step.VOID: _void,
    Step.RELEASE_REST: _release_rest,
    Step.FINISH: _finish,
}
