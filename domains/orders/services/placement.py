"""Placing an order and calling it off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domains.orders.errors import (
    OrderError,
    OrderInProgress,
    OutOfStock,
    PaymentCaptured,
    PaymentTokenRequired,
    TotalTooLarge,
    UnknownChannel,
    UnknownPaymentMethod,
    UnknownSku,
)
from domains.orders.models import Order, OrderLine, Origin, PaymentChoice, Terms
from domains.orders.queries import payment_statuses
from domains.orders.rules.placement import Status
from domains.orders.services import settling
from domains.orders.services.numbers import next_number
from domains.payments import public as payments
from domains.payments.public import PaymentStatus
from domains.products import public as products
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import alias_of
from infrastructure.errors import FieldError
from infrastructure.http import idempotency
from infrastructure.http.idempotency import IdempotencyKey
from infrastructure.money import MAX_AMOUNT_MINOR, Money


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
    channel: str | None = None,
    customer_group: str | None = None,
) -> Placed:
    """Place an order, once per idempotency key however often it is sent.

    channel, customer_group: whose price lists hold besides those for everybody. The price of one
    depends on how many of its SKU all lines together want.
    Synchronous: the order comes back decided, or still PENDING if the gateway gave no answer in
    its time; recovery decides it then. Asynchronous: it comes back PENDING.
    Raises UnknownChannel, UnknownSku, OutOfStock, UnknownPaymentMethod and PaymentTokenRequired
    before anything is written, and OrderInProgress while another request with the key is at work.
    """
    wanted = _wanted(lines)
    try:
        offers = products.offers(
            wanted, currency=currency, channel=channel, customer_group=customer_group, now=now
        )
    except products.UnknownChannel as error:
        fault = FieldError("/channel", error.code, error.detail)
        raise UnknownChannel(error.detail, errors=[fault]) from error
    try:
        _refuse_what_cannot_be_had(lines, wanted, offers)
        order_lines = _order_lines(lines, offers)
        total = Money(sum(line.amount_minor for line in order_lines), currency)
        if total.amount_minor > MAX_AMOUNT_MINOR:
            raise TotalTooLarge(f"An order may be worth {Money(MAX_AMOUNT_MINOR, currency)}.")
        _refuse_payment(payment, total)
    except OrderError:
        # What is refused now may have been placed before: the key decides, not today's stock.
        if (earlier := idempotency.find(alias_of("orders"), key)) is not None:
            return _replayed(earlier)
        raise
    order = Order.place(
        number=next_number(),
        origin=Origin(customer_id=customer_id, channel=channel or ""),
        lines=order_lines,
        currency=currency,
        terms=Terms(subtotal_minor=total.amount_minor, total_minor=total.amount_minor),
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
    case = settling.Case(order)
    if not asynchronous:
        try:
            case = settling.carry_on(case, now=now)
        except ConcurrentModification:
            # Others are settling it at the same time, and one of them will be the last.
            order = Order.objects.whole(order.id)
            return Placed(order=order, payment_status=payment_statuses([order])[order.id])
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
    order = settling.settle(order_id=order_id, now=now)
    if order.status == Status.CONFIRMED and order.cancel_requested_at is None:
        raise PaymentCaptured(f"The payment of order {order.number} has been captured.")
    return order


def _request_cancel(order_id: UUID, reason: str, now: datetime, key: IdempotencyKey | None) -> None:
    for retries_left in range(settling.RETRIES, -1, -1):
        order = Order.objects.whole(order_id)
        if order.status == Status.CANCELLED:
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


def _replayed(order_id: UUID) -> Placed:
    order = Order.objects.whole(order_id)
    if order.is_undecided and not order.asynchronous:
        raise OrderInProgress(
            f"Order {order.number} is being decided.", headers={"Retry-After": "1"}
        )
    status = payment_statuses([order])[order.id]
    return Placed(order=order, payment_status=status, replayed=True)


def _refuse_payment(payment: PaymentChoice, total: Money) -> None:
    try:
        payments.check_method(method=payment.method, amount=total, token=payment.token)
    except payments.UnknownPaymentMethod as error:
        fault = FieldError("/payment/method", error.code, error.detail)
        raise UnknownPaymentMethod(error.detail, errors=[fault]) from error
    except payments.PaymentTokenRequired as error:
        fault = FieldError("/payment/token", error.code, error.detail)
        raise PaymentTokenRequired(error.detail, errors=[fault]) from error


def _wanted(lines: Sequence[WantedLine]) -> dict[str, int]:
    """How many of each SKU all lines together want."""
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    return wanted


def _refuse_what_cannot_be_had(
    lines: Sequence[WantedLine],
    wanted: Mapping[str, int],
    offers: Mapping[str, products.Offer],
) -> None:
    unknown = [
        FieldError(f"/lines/{position}/sku", "unknown_sku", f"{line.sku} is not sold here.")
        for position, line in enumerate(lines)
        if line.sku not in offers or not offers[line.sku].active
    ]
    if unknown:
        raise UnknownSku(errors=unknown)
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
            product_id=offers[line.sku].product_id,
            variant_id=offers[line.sku].variant_id,
            sku=line.sku,
            name=offers[line.sku].name,
            quantity=line.quantity,
            unit_price_minor=offers[line.sku].unit_price.amount_minor,
            subtotal_minor=offers[line.sku].unit_price.amount_minor * line.quantity,
            amount_minor=offers[line.sku].unit_price.amount_minor * line.quantity,
        )
        for position, line in enumerate(lines)
    ]
