"""Placing an order and calling it off."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domains.orders.errors import (
    EmailRequired,
    OrderInProgress,
    PaymentCaptured,
    PaymentDeclined,
)
from domains.orders.models import Checkout, Order
from domains.orders.queries.orders import PaymentOfOrder, payments_of
from domains.orders.rules.history import SYSTEM, By
from domains.orders.rules.placement import Status, may_be_at_work
from domains.orders.services import batches, intake, quoting, settling
from domains.orders.services.beginning import change_order
from domains.orders.services.cases import Case
from domains.orders.services.declines import declined
from domains.orders.services.numbers import next_number
from domains.orders.services.payment_choices import refuse_payment
from domains.orders.services.wishes import WantedLine, Wish
from domains.payments.public import PaymentStatus
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import alias_of
from infrastructure.errors import DomainError, FieldError
from infrastructure.http import idempotency
from infrastructure.http.idempotency import IdempotencyKey
from infrastructure.ids import new_id
from infrastructure.money import Money
from infrastructure.work import hint_after_commit

__all__ = ["Placed", "WantedLine", "Wish", "cancel_order", "place", "place_order", "replayed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """`replayed`: the key had been used before, and this is the order that it made then."""

    order: Order
    payment: PaymentOfOrder
    replayed: bool = False

    @property
    def payment_status(self) -> str:
        return self.payment.status

    def refusal(self) -> DomainError | None:
        """What is answered instead of the order: it was rejected, or its payment was declined and
        it waits for another try."""
        order = self.order
        is_declined = self.payment.status == PaymentStatus.DECLINED
        # Without a time to pay until, it is about to be rejected.
        if order.is_undecided and is_declined and order.pay_until is not None:
            waits = f"Order {order.number} waits for another payment."
            fault = FieldError("/payment", PaymentDeclined.code, waits, current=str(order.id))
            return declined(
                waits, self.payment.decline, errors=[fault], members={"order_id": str(order.id)}
            )
        refusal = order.refusal()
        if isinstance(refusal, PaymentDeclined):
            return declined(refusal.detail, self.payment.decline)
        return refusal


def place_order(*, wish: Wish, key: IdempotencyKey, now: datetime) -> Placed:
    """Place an order, once per idempotency key however often it is sent.

    Synchronous: the order comes back decided, or still PENDING if the gateway gave no answer in
    its time, or the customer has to do something first. Asynchronous: it comes back PENDING.
    Raises EmailRequired, UnknownChannel, UnknownSku, NotSoldInCurrency, OutOfStock, QuoteRefused,
    PriceChanged, TotalTooLarge, UnknownPaymentMethod, PaymentTokenRequired, CardNumberRefused,
    PaymentsUnavailable and, for asynchronous ones, OrdersOverloaded before anything is written, and
    OrderInProgress while another request with the key is at work.
    """
    try:
        order = drafted(wish, order_id=new_id(), now=now)
    except DomainError:
        # What is refused now may have been placed before: the key decides, not today's stock.
        if (earlier := idempotency.find(alias_of("orders"), key)) is not None:
            return replayed(earlier, now=now)
        raise
    try:
        return place(order, key=key, now=now)
    except idempotency.Duplicate:
        if (earlier := idempotency.find(alias_of("orders"), key)) is None:
            raise  # the record was purged between the two statements
        return replayed(earlier, now=now)


def drafted(wish: Wish, *, order_id: UUID, now: datetime) -> Order:
    """The order that would be placed, with its prices; nothing is written. Raises as
    `place_order` says."""
    if wish.asynchronous:
        intake.refuse_overload(now=now)
    if wish.customer_id is None and not wish.email:
        fault = FieldError("/email", EmailRequired.code, EmailRequired.title)
        raise EmailRequired(errors=[fault])
    offers = quoting.offers_for(wish, now=now)
    lines, terms = quoting.priced(wish, offers, now=now)
    total = Money(terms.total_minor, wish.currency)
    is_trusted = wish.customer_id is not None or wish.placed_by is not None
    refuse_payment(wish.payment, total, customer_id=wish.customer_id, is_trusted=is_trusted)
    return Order.place(
        order_id=order_id,
        number=next_number(),
        origin=wish.origin_of(order_id),
        lines=lines,
        currency=wish.currency,
        terms=terms,
        shipping_address=wish.shipping_address,
        billing_address=wish.billing_address,
        payment=wish.payment,
        asynchronous=wish.asynchronous,
        now=now,
    )


def place(order: Order, *, key: IdempotencyKey, now: datetime) -> Placed:
    """Write a drafted order down, and take it as far as it gets unless it is asynchronous.

    Raises idempotency.Duplicate where the key was used meanwhile; for an order of a cart
    ConcurrentModification where it is placed already, and IntegrityError where its checkout was
    given up. Then nothing was written.
    """
    also: list[Any] = [key.record(order.id, now)]
    if order.cart_id is not None:
        also.append(Checkout.placed(order_id=order.id, cart_id=order.cart_id, now=now))
    with idempotency.duplicates():
        order.save(also=also, unless_exists=order.cart_id is not None)
    case = Case(order)
    if not order.asynchronous:
        try:
            case = batches.settle_together(case, now=now)
        except ConcurrentModification:
            # Others are settling it at the same time, and one of them will be the last.
            return as_it_stands(Order.objects.whole(order.id))
    return answer_of(case)


def answer_of(case: Case) -> Placed:
    """An order as its settling has just left it; nothing is read.

    One whose payment found this process busy is a worker's at once: it has more places, and nobody
    waits for it.
    """
    if case.is_busy:
        hint_after_commit("orders", "orders.settle_order", order_id=str(case.order.id))
    payment = PaymentOfOrder(
        status=case.payment or PaymentStatus.PENDING,
        action_url=case.action_url,
        captured_minor=case.captured_minor,
        decline=case.decline,
    )
    return Placed(order=case.order, payment=payment)


def cancel_order(
    *,
    order_id: UUID,
    reason: str,
    now: datetime,
    actor: By = SYSTEM,
    key: IdempotencyKey | None = None,
    version: int | None = None,
) -> Order:
    """Call an order off. Its goods and its money come back before this returns, or by recovery.

    Cancelling a cancelled order changes nothing. Raises OrderNotFound, OrderNotCancellable,
    PaymentCaptured if it has been paid, and ConcurrentModification for another version than the
    caller has seen.
    """
    if key is None or idempotency.find(alias_of("orders"), key) is None:
        _request_cancel(order_id, reason, actor, now, key, version)
    order = settling.settle_with_others(order_id=order_id, now=now)
    if order.status == Status.CONFIRMED and order.cancel_requested_at is None:
        raise PaymentCaptured(f"The payment of order {order.number} has been captured.")
    return order


def _request_cancel(
    order_id: UUID,
    reason: str,
    actor: By,
    now: datetime,
    key: IdempotencyKey | None,
    version: int | None,
) -> None:
    def request(order: Order) -> None:
        if order.status == Status.CANCELLED:
            return
        if order.cancel_requested_at is None:
            order.note("cancel_requested", actor=actor, at=now, reason=reason)
        order.request_cancel(reason=reason, now=now)

    with suppress(idempotency.Duplicate):
        change_order(
            order_id=order_id,
            change=request,
            key=key,
            subject=lambda _: order_id,
            version=version,
            now=now,
        )


def replayed(order_id: UUID, *, now: datetime) -> Placed:
    """What a request that is sent again is answered. Raises OrderInProgress while the first one may
    be at work."""
    order = Order.objects.whole(order_id)
    is_waited_for = order.is_undecided and not order.asynchronous and order.pay_until is None
    if is_waited_for and may_be_at_work(since=order.placed_at, now=now):
        raise OrderInProgress(
            f"Order {order.number} is being decided.", headers={"Retry-After": "1"}
        )
    return as_it_stands(order, replayed=True)


def as_it_stands(order: Order, *, replayed: bool = False) -> Placed:
    """An order with its payment, read at this moment."""
    return Placed(order=order, payment=payments_of([order])[order.id], replayed=replayed)
