"""Another try of payment for an order that waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domains.orders.errors import OrderInProgress, PaymentNotRetryable
from domains.orders.models import Order, PaymentChoice
from domains.orders.rules.history import By, Kind
from domains.orders.rules.placement import Guarantee, Hold
from domains.orders.services import placement, settling
from domains.orders.services.cases import Case, case_of
from domains.orders.services.payment_choices import refuse_payment
from domains.orders.services.placement import Placed
from domains.payments import public as payments
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import alias_of
from infrastructure.http import idempotency
from infrastructure.http.idempotency import IdempotencyKey
from infrastructure.ids import new_id
from infrastructure.money import Money


@dataclass(frozen=True, kw_only=True, slots=True)
class AnotherTry:
    """What another try of payment would come to. drops_earlier: whether the payment before may
    still become good, so that it is let go first."""

    total: Money
    drops_earlier: bool


def can_pay_again(order: Order, *, now: datetime) -> bool:
    """Whether an order waits for a payment that another one may take the place of."""
    if not order.is_undecided or order.pay_until is None:
        return False
    return _waits(case_of(order, now=now))


def another_try(*, order_id: UUID, payment: PaymentChoice, actor: By, now: datetime) -> AnotherTry:
    """What `pay_again` would come to; nothing is written. Raises what it refuses."""
    case = _case_to_pay(order_id, payment, actor, now)
    return AnotherTry(total=case.order.total, drops_earlier=case.guarantee == Guarantee.WAITING)


def pay_again(
    *, order_id: UUID, payment: PaymentChoice, actor: By, key: IdempotencyKey, now: datetime
) -> Placed:
    """Try another payment for an order whose first one was declined, or waits for its customer.

    The earlier payment is let go before the new one begins; where it became good meanwhile, it
    is the order's, and the new one never begins. Once per key.
    Raises OrderNotFound, PaymentNotRetryable, UnknownPaymentMethod, PaymentTokenRequired,
    CardNumberRefused, PaymentsUnavailable, and OrderInProgress while a try is being made.
    """
    if (earlier := idempotency.find(alias_of("orders"), key)) is not None:
        return placement.replayed(earlier, now=now)
    case = _case_to_pay(order_id, payment, actor, now)
    order = case.order
    order.pay_again(
        payment,
        payment_id=new_id(),
        # What was declined stays declined; what waits for its customer may still become good.
        drop_earlier=case.guarantee == Guarantee.WAITING,
        now=now,
    )
    order.note("payment_tried_again", actor=actor, at=now, method=payment.method)
    try:
        with idempotency.duplicates():
            order.save(also=[key.record(order.id, now)])
    except (ConcurrentModification, idempotency.Duplicate):
        # Somebody else pays for it, or it is being decided at this moment.
        return placement.replayed(order_id, now=now)
    case.note_payment(None)
    try:
        case = settling.carry_on(case, now=now)
    except ConcurrentModification:
        # Others are settling it at the same time, and one of them will be the last.
        return placement.as_it_stands(Order.objects.whole(order_id))
    return placement.answer_of(case)


def look(*, order_id: UUID, now: datetime) -> Order:
    """Look at the gateway how the payment of an order stands, or of an edit that is being paid, and
    go on by what it says. Raises OrderNotFound, PaymentsUnavailable."""
    order = Order.objects.whole(order_id)
    step = order.open_step
    payment_id = step.id if step is not None and step.is_paying else order.payment_id
    if payments.payment_states([payment_id]):
        payments.refresh(payment_id=payment_id, now=now)
    return settling.settle_with_others(order_id=order.id, now=now)


def _case_to_pay(order_id: UUID, payment: PaymentChoice, actor: By, now: datetime) -> Case:
    """An order that can be paid again, and in this way. Raises as `pay_again` says."""
    order = Order.objects.whole(order_id)
    refuse_payment(
        payment,
        order.total,
        customer_id=order.customer_id,
        is_trusted=order.customer_id is not None or actor.kind == Kind.STAFF,
    )
    case = case_of(order, now=now)
    if order.is_undecided and order.pay_until is None:
        raise OrderInProgress(
            f"Order {order.number} is being decided.", headers={"Retry-After": "1"}
        )
    if not _waits(case):
        raise PaymentNotRetryable(f"Order {order.number} is {order.status}.")
    return case


def _waits(case: Case) -> bool:
    is_open = case.guarantee in (Guarantee.WAITING, Guarantee.REFUSED)
    return case.order.is_undecided and case.hold == Hold.HELD and is_open and not case.is_overdue


def see_payments(numbers: Mapping[UUID, str]) -> None:
    """Have the list of orders tell how these payments stand. numbers: of the orders, by the
    payments. Three statements.

    The payments are read after the orders, and again where one of these was saved meanwhile: so
    nobody writes over what was seen later. Raises ConcurrentModification where that goes on.
    """
    for retries_left in range(settling.RETRIES, -1, -1):
        # By their numbers, which have an index; an order shows the payment that is its own by now.
        found = Order.objects.filter(number__in=set(numbers.values()), payment_id__in=numbers)
        orders = {order.payment_id: order for order in found}
        for payment_id, state in payments.payment_states(orders).items():
            orders[payment_id].see_payment(state.status)
        try:
            Order.objects.save_all([order for order in orders.values() if order.has_changes])
        except ConcurrentModification:
            if not retries_left:
                raise
        else:
            return
