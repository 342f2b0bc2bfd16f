"""What can be done with orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from domains.orders import rules
from domains.orders.errors import (
    OrderError,
    OrderInProgress,
    OutOfStock,
    PaymentCaptured,
    PaymentDeclined,
    UnknownPaymentMethod,
    UnknownSku,
)
from domains.orders.models import Order, OrderLine, PaymentChoice
from domains.orders.queries import next_number, payment_statuses
from domains.orders.rules import Guarantee, Hold, Step
from domains.payments import public as payments
from domains.payments.public import PaymentStatus
from domains.products import public as products
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import alias_of
from infrastructure.database.threads import in_threads
from infrastructure.errors import FieldError
from infrastructure.http import idempotency
from infrastructure.http.idempotency import IdempotencyKey

# How often whoever lost a compare-and-set looks again before leaving the order to the winner.
RETRIES = 3
# Gateway calls of one settling of many orders at a time.
SETTLING_THREADS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedLine:
    sku: str
    quantity: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """`replayed`: the key had been used before, and this is the order that it made then."""

    order: Order
    payment_status: str
    replayed: bool = False


def place_order(
    *,
    customer_id: UUID,
    lines: Sequence[WantedLine],
    currency: str,
    shipping_address: dict[str, Any],
    payment: PaymentChoice,
    asynchronous: bool,
    key: IdempotencyKey,
    now: datetime,
) -> Placed:
    """Place an order, once per idempotency key however often it is sent.

    Synchronous: the order comes back decided, or still PENDING if the gateway gave no answer in
    its time; recovery decides it then. Asynchronous: it comes back PENDING.
    Raises UnknownSku, OutOfStock and UnknownPaymentMethod before anything is written, and
    OrderInProgress while another request with the key is at work.
    """
    offers = products.offers([line.sku for line in lines], currency=currency, now=now)
    try:
        _refuse_unknown_method(payment.method)
        _refuse_what_cannot_be_had(lines, offers)
    except OrderError:
        # What is refused now may have been placed before: the key decides, not today's stock.
        if (earlier := idempotency.find(alias_of("orders"), key)) is not None:
            return _replayed(earlier)
        raise
    order = Order.place(
        number=next_number(),
        customer_id=customer_id,
        lines=_order_lines(lines, offers),
        currency=currency,
        shipping_address=shipping_address,
        payment=payment,
        asynchronous=asynchronous,
        now=now,
    )
    try:
        with idempotency.duplicates():
            order.save(also=[key.record(order.id, now)])
    except idempotency.Duplicate:
        if (earlier := idempotency.find(alias_of("orders"), key)) is None:
            raise  # the record was purged between the two statements
        return _replayed(earlier)
    case = _Case(order)
    if not asynchronous:
        case = _settle(case, now=now)
    return Placed(order=case.order, payment_status=case.payment or PaymentStatus.PENDING)


def cancel_order(
    *, order_id: UUID, reason: str, now: datetime, key: IdempotencyKey | None = None
) -> Order:
    """Call an order off. Its goods and its money come back before this returns, or by recovery.

    Cancelling a cancelled order changes nothing. Raises OrderNotFound, OrderNotCancellable, and
    PaymentCaptured if it has been paid.
    """
    if key is None or idempotency.find(alias_of("orders"), key) is None:
        _request_cancel(order_id, reason, now, key)
    order = settle(order_id=order_id, now=now)
    if order.status == rules.Status.CONFIRMED and order.cancel_requested_at is None:
        raise PaymentCaptured(f"The payment of order {order.number} has been captured.")
    return order


def _request_cancel(order_id: UUID, reason: str, now: datetime, key: IdempotencyKey | None) -> None:
    for retries_left in range(RETRIES, -1, -1):
        order = Order.objects.whole(order_id)
        if order.status == rules.Status.CANCELLED:
            return
        order.request_cancel(reason=reason, now=now)
        try:
            with idempotency.duplicates():
                order.save(also=[] if key is None else [key.record(order.id, now)])
        except idempotency.Duplicate:
            return
        except ConcurrentModification:
            if not retries_left:
                raise
        else:
            return


def settle(*, order_id: UUID, now: datetime) -> Order:
    """Take an order as far as it gets: read the facts, take the next step, and so on.

    Everybody may call it at any time, also at once. Raises OrderNotFound.
    """
    return _settle(_case_of(Order.objects.whole(order_id)), now=now).order


def settle_many(*, order_ids: Sequence[UUID], now: datetime) -> None:
    """Settle these orders, several gateway calls at a time. Every order gets its turn; then the
    first failure is raised."""
    in_threads(
        lambda order_id: settle(order_id=order_id, now=now), order_ids, threads=SETTLING_THREADS
    )


def settle_unfinished(*, now: datetime, limit: int = 500) -> int:
    """Take up what its request left behind. Returns how many orders were looked at."""
    unsettled = Order.objects.unsettled(before=now - rules.PLACEMENT_DEADLINE)
    order_ids = list(unsettled.values_list("id", flat=True)[:limit])
    settle_many(order_ids=order_ids, now=now)
    return len(order_ids)


@dataclass(slots=True)
class _Case:
    """An order, and what this settling knows of its goods and its money."""

    order: Order
    hold: Hold = Hold.NONE
    payment: PaymentStatus | None = None
    shortages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def guarantee(self) -> Guarantee:
        return Guarantee.NONE if self.payment is None else _GUARANTEES[self.payment]

    @property
    def facts(self) -> rules.Facts:
        return rules.Facts(
            status=self.order.status,
            cancel_requested=self.order.cancel_requested_at is not None,
            finished=self.order.unsettled_since is None,
            hold=self.hold,
            guarantee=self.guarantee,
        )


def _settle(case: _Case, *, now: datetime) -> _Case:
    lost = 0
    while (step := rules.next_step(case.facts)) not in (Step.WAIT, Step.REST):
        before = case.facts
        try:
            _STEPS[step](case, now)
        except ConcurrentModification:
            lost += 1
            if lost > RETRIES:
                raise
            case = _case_of(Order.objects.whole(case.order.id))
            continue
        asked = step in (Step.AUTHORISE, Step.VOID)
        if case.facts == before or (asked and case.guarantee == Guarantee.UNKNOWN):
            break  # the gateway has not said; whoever comes next asks again
    return case


def _hold(case: _Case, now: datetime) -> None:
    lines = [
        products.HoldLine(variant_id=line.variant_id, sku=line.sku, quantity=line.quantity)
        for line in case.order.lines
    ]
    answer = products.hold(order_id=case.order.id, lines=lines, now=now)
    if isinstance(answer, products.Held):
        case.hold = Hold.HELD
    elif isinstance(answer, products.Released):
        case.hold = Hold.RELEASED
    else:
        case.hold = Hold.REFUSED
        case.shortages = [
            {"sku": short.sku, "requested": short.requested, "available": short.available}
            for short in answer.shortages
        ]


def _authorise(case: _Case, now: datetime) -> None:
    order = case.order
    case.payment = payments.authorise(
        payment_id=order.id,
        reference=order.number,
        amount=order.total,
        method=order.payment_method,
        token=order.payment_token,
        customer_id=order.customer_id,
        now=now,
    ).status


def _confirm(case: _Case, now: datetime) -> None:
    case.order.confirm(now=now)
    case.order.save()


def _reject(case: _Case, now: datetime) -> None:
    if case.hold == Hold.REFUSED:
        reason = OutOfStock.code
    elif case.guarantee == Guarantee.REFUSED:
        reason = PaymentDeclined.code
    else:
        reason = "given_up"
    case.order.reject(reason=reason, shortages=case.shortages, now=now)
    case.order.save()


def _cancel(case: _Case, now: datetime) -> None:
    case.order.cancel(now=now)
    case.order.save()


def _refuse_cancel(case: _Case, now: datetime) -> None:
    case.order.refuse_cancel()
    case.order.save()


def _release(case: _Case, now: datetime) -> None:
    products.release(order_id=case.order.id, now=now)
    case.hold = Hold.RELEASED


def _void(case: _Case, now: datetime) -> None:
    case.payment = payments.void(payment_id=case.order.id, now=now).status


def _finish(case: _Case, now: datetime) -> None:
    case.order.finish()
    case.order.save()


_STEPS = {
    Step.HOLD: _hold,
    Step.AUTHORISE: _authorise,
    Step.CONFIRM: _confirm,
    Step.REJECT: _reject,
    Step.CANCEL: _cancel,
    Step.REFUSE_CANCEL: _refuse_cancel,
    Step.RELEASE: _release,
    Step.VOID: _void,
    Step.FINISH: _finish,
}

_GUARANTEES = {
    PaymentStatus.PENDING: Guarantee.UNKNOWN,
    PaymentStatus.UNKNOWN: Guarantee.UNKNOWN,
    PaymentStatus.AUTHORISED: Guarantee.GIVEN,
    PaymentStatus.PARTIALLY_CAPTURED: Guarantee.CAPTURED,
    PaymentStatus.CAPTURED: Guarantee.CAPTURED,
    PaymentStatus.DECLINED: Guarantee.REFUSED,
    PaymentStatus.VOIDED: Guarantee.GIVEN_BACK,
}


def _case_of(order: Order) -> _Case:
    held = products.hold_state([order.id]).get(order.id)
    paid = payments.payment_states([order.id]).get(order.id)
    return _Case(
        order,
        hold=Hold.NONE if held is None else Hold(held),
        payment=None if paid is None else paid.status,
    )


def _replayed(order_id: UUID) -> Placed:
    order = Order.objects.whole(order_id)
    if order.is_undecided and not order.asynchronous:
        raise OrderInProgress(
            f"Order {order.number} is being decided.", headers={"Retry-After": "1"}
        )
    status = payment_statuses([order])[order.id]
    return Placed(order=order, payment_status=status, replayed=True)


def _refuse_unknown_method(method: str) -> None:
    try:
        payments.guarantee_of(method)
    except payments.UnknownPaymentMethod as error:
        raise UnknownPaymentMethod(
            str(error), errors=[FieldError("/payment/method", "unknown_payment_method", str(error))]
        ) from error


def _refuse_what_cannot_be_had(
    lines: Sequence[WantedLine], offers: Mapping[str, products.Offer]
) -> None:
    unknown = [
        FieldError(f"/lines/{position}/sku", "unknown_sku", f"{line.sku} is not sold here.")
        for position, line in enumerate(lines)
        if line.sku not in offers or not offers[line.sku].active
    ]
    if unknown:
        raise UnknownSku(errors=unknown)
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    short = [
        FieldError(
            f"/lines/{position}/quantity",
            "out_of_stock",
            f"{wanted[line.sku]} of {line.sku} ordered, {offers[line.sku].available} available.",
        )
        for position, line in enumerate(lines)
        if wanted[line.sku] > offers[line.sku].available
    ]
    if short:
        raise OutOfStock(errors=short)


def _order_lines(
    lines: Sequence[WantedLine], offers: Mapping[str, products.Offer]
) -> list[OrderLine]:
    return [
        OrderLine(
            position=position,
            variant_id=offers[line.sku].variant_id,
            sku=line.sku,
            name=offers[line.sku].name,
            quantity=line.quantity,
            unit_price_minor=offers[line.sku].unit_price.amount_minor,
            amount_minor=offers[line.sku].unit_price.amount_minor * line.quantity,
        )
        for position, line in enumerate(lines)
    ]
