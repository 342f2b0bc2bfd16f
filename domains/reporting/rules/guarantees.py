"""Compares what an order's payment method guarantees with what its payment holds."""

from __future__ import annotations

from datetime import datetime

from domains.reporting.rules.books import (
    Guarantee,
    Money,
    Order,
    Payment,
    Placement,
    Stage,
    finding_about,
    is_young,
)
from domains.reporting.rules.findings import Finding

_TAKEN = frozenset({"PARTIALLY_CAPTURED", "CAPTURED"})
_RETURNED = frozenset({"PARTIALLY_REFUNDED", "REFUNDED"})


def payment_finding(placement: Placement, *, due: datetime) -> Finding | None:
    """Whether exactly the guarantee of the payment method is there.

    A payment that only staff can clear up is a difference whatever its order is.
    """
    payment = placement.payment
    wrong, in_flight = _payment_fault(placement, due)
    if payment is not None and payment.needs_attention:
        wrong, in_flight = [*wrong, f"payment {payment.status} needs attention by staff"], False
    return finding_about(placement, "; ".join(wrong), in_flight=in_flight) if wrong else None


def _payment_fault(placement: Placement, due: datetime) -> tuple[list[str], bool]:
    """What is wrong, and whether it is in flight."""
    order, payment = placement.order, placement.payment
    is_over = order is not None and (order.stage == Stage.ENDED or order.is_completed)
    if order is not None and payment is not None and is_over and payment.rest_minor:
        rest = _money(payment.rest_minor, payment.currency)
        end = "completed" if order.is_completed else "ended"
        return [f"{rest} still held for an order that has {end}"], is_young(
            order.unsettled_since, due
        )
    if order is None or order.stage == Stage.ENDED:
        if payment is None or payment.money in (Money.RELEASED, Money.GIVEN_BACK):
            return [], False
        held = f"{_amount(payment)} {payment.status}"
        if order is None:
            return [f"{held} without an order"], payment.created_at > due
        # Between the void and the gateway's answer, or the end of its time, it is on its way.
        return [f"{held} for an order that has ended"], is_young(order.unsettled_since, due)
    if order.guarantee is None:
        return [f"nobody knows what the payment method {order.method!r} guarantees"], False
    if payment is None or payment.money not in (Money.SECURED, Money.GIVEN_BACK):
        if order.stage == Stage.UNDECIDED:
            return [], False
        status = "no payment" if payment is None else f"payment {payment.status}"
        return (
            [f"confirmed by {order.method} ({order.guarantee}), and {status}"],
            # Somebody is calling it off at this moment.
            is_young(order.unsettled_since, due),
        )
    return _shortcomings(order, payment), False


def status_against_counters(payment: Payment) -> str:
    """What a payment's status says that its counters deny; empty if they agree.

    A payment of nothing has nothing to take. What came by bank may be less than was asked, and
    then the status does not tell of it.
    """
    captured = _money(payment.captured_minor, payment.currency)
    is_taken = payment.status in _TAKEN | _RETURNED
    if payment.amount_minor and is_taken and not payment.captured_minor:
        return f"is {payment.status}, and nothing was captured"
    if payment.gateway and payment.captured_minor and not is_taken:
        return f"is {payment.status}, and {captured} was captured"
    if payment.status in _RETURNED and not payment.refunded_minor:
        return f"is {payment.status}, and nothing was refunded"
    return ""


def _shortcomings(order: Order, payment: Payment) -> list[str]:
    """Where a payment that is secured is not what the order's method guarantees."""
    wrong = []
    asked = (order.total_minor, order.currency)
    # What was paid too much may pay for what an edit added.
    paid = max(payment.amount_minor, payment.captured_minor)
    is_enough = order.is_cheaper and paid >= order.total_minor
    if payment.currency != order.currency or not (
        is_enough or payment.amount_minor == order.total_minor
    ):
        wrong.append(f"total {_money(*asked)}, payment {_amount(payment)}")
    if order.refunded_minor > payment.captured_minor:
        refunded = _money(order.refunded_minor, order.currency)
        captured = _money(payment.captured_minor, payment.currency)
        wrong.append(f"refunded {refunded}, captured {captured}")
    wrong += _kept_is_not_charged(order, payment)
    wrong += _sent_unpaid(order, payment)
    if payment.secured_minor != payment.amount_minor:
        wrong.append(
            f"secured {_money(payment.secured_minor, payment.currency)} of {_amount(payment)}"
        )
    if payment.method != order.method:
        wrong.append(f"ordered by {order.method}, paid by {payment.method}")
    if order.guarantee == Guarantee.AUTHORISED and order.total_minor and not payment.gateway:
        wrong.append(f"{order.method} is authorised by a gateway, and none was asked")
    if order.guarantee == Guarantee.PREPAID and payment.captured_minor < payment.amount_minor:
        came = _money(payment.captured_minor, payment.currency)
        wrong.append(f"{order.method} is paid in advance, and {came} came in")
    if order.guarantee == Guarantee.ON_ACCOUNT and payment.gateway:
        wrong.append(f"{order.method} is granted on account, and {payment.gateway} was asked")
    return wrong


def _kept_is_not_charged(order: Order, payment: Payment) -> list[str]:
    """What went back for a lower total pays for nothing any more; once all was sent, what is kept
    is exactly what is charged."""
    for_less = order.for_less_minor if payment.refunded_minor else 0
    secured = max(payment.secured_minor - payment.released_minor, payment.captured_minor) - for_less
    kept = payment.captured_minor - payment.refunded_minor
    charged = order.total_minor - (payment.refunded_minor - for_less)
    if (for_less or payment.released_minor) and secured < order.total_minor:
        left = _money(secured, order.currency)
        return [
            f"total {_money(order.total_minor, order.currency)}, of which {left} was or can be"
            " taken"
        ]
    amounts = _money(charged, order.currency), _money(kept, order.currency)
    if order.guarantee == Guarantee.ON_ACCOUNT:  # what is missing of it is owed
        is_settled = order.unsettled_since is None
        return (
            ["charges {}, and {} is kept".format(*amounts)] if is_settled and kept > charged else []
        )
    if order.is_completed and order.total_minor and kept != charged:
        return ["completed, charges {}, and {} is kept".format(*amounts)]
    return []


def _sent_unpaid(order: Order, payment: Payment) -> list[str]:
    """Goods leave after their money was taken, or are owed on account. What somebody who may sent
    unpaid is told of as well, until its money is there."""
    if order.is_completed or order.guarantee == Guarantee.ON_ACCOUNT:
        return []
    for_less = order.for_less_minor if payment.refunded_minor else 0
    taken, sent = payment.captured_minor - for_less, min(order.sent_minor, order.total_minor)
    if taken >= sent:
        return []
    amounts = _money(sent, order.currency), _money(taken, order.currency)
    return ["sent for {}, and {} was taken".format(*amounts)]


def _amount(payment: Payment) -> str:
    return _money(payment.amount_minor, payment.currency)


def _money(minor: int, currency: str) -> str:
    return f"{minor} {currency} (minor units)"
