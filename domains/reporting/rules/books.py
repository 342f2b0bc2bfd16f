"""Compares what the contexts' books say: stock with its ledger, orders with goods and money.

Everything streams in the order of the ids, so memory stays flat whatever the number of rows.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from domains.reporting.rules.findings import Finding


class Stage(StrEnum):
    """How far an order is."""

    UNDECIDED = "undecided"
    CONFIRMED = "confirmed"
    ENDED = "ended"


class Money(StrEnum):
    """What a payment holds. WAITING: only the gateway, or the customer, can tell. GIVEN_BACK: it
    was taken, and all of it given back by somebody's decision."""

    SECURED = "secured"
    WAITING = "waiting"
    RELEASED = "released"
    GIVEN_BACK = "given back"


class Guarantee(StrEnum):
    """What a payment method promises: that a gateway holds the money, that it is on our account,
    or that we trust."""

    AUTHORISED = "authorised"
    PREPAID = "prepaid"
    ON_ACCOUNT = "on_account"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stock:
    sku: str
    on_hand: int
    held: int
    ledger_on_hand: int
    ledger_held: int
    levels_on_hand: int
    reserved: int
    oversold_holds: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """`unsettled_since`: something is left to do since then. `lines`: by variant, what is still to
    be sent. is_cheaper: it became so, and more may be secured than it costs. waits_until: for its
    customer, to try another payment.

    guarantee: None for a method that payments does not know, or no more. for_less_minor: what of
    what was given back lowered no price. sent_minor: what was sent costs, at least.
    """

    order_id: UUID
    number: str
    stage: Stage
    total_minor: int
    currency: str
    method: str
    guarantee: Guarantee | None
    lines: Mapping[UUID, int]
    placed_at: datetime
    unsettled_since: datetime | None
    refunded_minor: int = 0
    for_less_minor: int = 0
    sent_minor: int = 0
    is_completed: bool = False
    is_cheaper: bool = False
    waits_until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    order_id: UUID
    lines: Mapping[UUID, int]
    created_at: datetime


# The job that frees them comes every few seconds; a worker may be away for some minutes.
EXPIRY_ALLOWED = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """How often something with a limit is in use: the counter, and the redemptions in it."""

    subject: str
    counted: int
    kept: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OverdueHold:
    """What a cart holds though its time is over."""

    cart_id: UUID
    expired_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Payment:
    """`secured_minor`: what was authorised, or granted on account; `released_minor`: what of that
    was let go after a part was taken.

    gateway: who was asked, empty where nobody was. needs_attention: only staff can clear it up.
    waits_until: while it is the customer's turn, to confirm or to pay it. captured_minor: what was
    taken, or came to our bank account.
    """

    payment_id: UUID
    status: str
    money: Money
    method: str
    gateway: str
    needs_attention: bool
    amount_minor: int
    secured_minor: int
    currency: str
    created_at: datetime
    waits_until: datetime | None = None
    captured_minor: int = 0
    refunded_minor: int = 0
    released_minor: int = 0

    @property
    def rest_minor(self) -> int:
        """What a gateway holds beside the part that was taken."""
        if not (self.gateway and self.captured_minor):
            return 0
        return self.secured_minor - self.captured_minor - self.released_minor


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """What the three books say under one id."""

    order_id: UUID
    order: Order | None
    hold: Hold | None
    payment: Payment | None

    @property
    def subject(self) -> str:
        return f"order {self.order.number} {self.order_id}" if self.order else str(self.order_id)


def joined(
    orders: Iterable[Order], holds: Iterable[Hold], payments: Iterable[Payment]
) -> Iterator[Placement]:
    """The three books side by side; each of them is in the order of its ids."""
    rows = heapq.merge(
        ((order.order_id, "order", order) for order in orders),
        ((hold.order_id, "hold", hold) for hold in holds),
        ((payment.payment_id, "payment", payment) for payment in payments),
        key=itemgetter(0),
    )
    for order_id, found in groupby(rows, key=itemgetter(0)):
        books: dict[str, Any] = {"order": None, "hold": None, "payment": None}
        books.update((book, row) for _, book, row in found)
        yield Placement(order_id=order_id, **books)


def overdue_finding(hold: OverdueHold) -> Finding:
    return Finding(
        subject=f"cart {hold.cart_id}",
        detail=f"still holds, though its time was over at {hold.expired_at:%Y-%m-%d %H:%M:%S} UTC",
    )


def use_findings(uses: Iterable[Uses]) -> Iterator[Finding]:
    for one in uses:
        if one.counted != one.kept:
            yield Finding(
                subject=one.subject,
                detail=f"counted {one.counted} uses, of which redemptions keep {one.kept}",
            )


def stock_findings(stock: Iterable[Stock]) -> Iterator[Finding]:
    """Counters against ledger, levels and reservations; and holds beyond what there was."""
    for item in stock:
        wrong = []
        if not item.on_hand == item.ledger_on_hand == item.levels_on_hand:
            wrong.append(
                f"on hand: counter {item.on_hand}, ledger {item.ledger_on_hand},"
                f" warehouses {item.levels_on_hand}"
            )
        if not item.held == item.ledger_held == item.reserved:
            wrong.append(
                f"held: counter {item.held}, ledger {item.ledger_held},"
                f" reservations {item.reserved}"
            )
        if item.oversold_holds:
            wrong.append(f"oversold: {item.oversold_holds} holds took more than there was")
        if wrong:
            yield Finding(subject=f"SKU {item.sku}", detail="; ".join(wrong))


def hold_finding(placement: Placement, *, due: datetime) -> Finding | None:
    """Whether exactly the right goods are held. What is younger than `due` is in flight."""
    order, hold = placement.order, placement.hold
    if order is None:
        if hold is None:
            return None
        return _finding(
            placement, f"{_goods(hold.lines)} held without an order", hold.created_at > due
        )
    if order.stage == Stage.ENDED:
        if hold is None:
            return None
        return _finding(
            placement,
            f"{_goods(hold.lines)} held for an order that has ended",
            _is_young(order.unsettled_since, due),
        )
    if hold is None:
        if order.stage == Stage.UNDECIDED:
            return None
        if not order.lines:
            return None  # everything was sent, or called off
        in_flight = _is_young(order.unsettled_since, due)
        return _finding(placement, "confirmed, and nothing is held", in_flight)
    if dict(hold.lines) != dict(order.lines):
        wrong = [
            f"{variant_id}: to be sent {order.lines.get(variant_id, 0)},"
            f" held {hold.lines.get(variant_id, 0)}"
            for variant_id in sorted({*order.lines, *hold.lines})
            if order.lines.get(variant_id, 0) != hold.lines.get(variant_id, 0)
        ]
        # Goods move before the order says so.
        return _finding(placement, "; ".join(wrong), _is_young(order.unsettled_since, due))
    return None


def payment_finding(placement: Placement, *, due: datetime) -> Finding | None:
    """Whether exactly the guarantee of the payment method is there.

    A payment that only staff can clear up is a difference whatever its order is.
    """
    payment = placement.payment
    wrong, in_flight = _payment_fault(placement, due)
    if payment is not None and payment.needs_attention:
        wrong, in_flight = [*wrong, f"payment {payment.status} needs attention by staff"], False
    return _finding(placement, "; ".join(wrong), in_flight) if wrong else None


def _payment_fault(placement: Placement, due: datetime) -> tuple[list[str], bool]:
    """What is wrong, and whether it is in flight."""
    order, payment = placement.order, placement.payment
    is_over = order is not None and (order.stage == Stage.ENDED or order.is_completed)
    if order is not None and payment is not None and is_over and payment.rest_minor:
        rest = _money(payment.rest_minor, payment.currency)
        end = "completed" if order.is_completed else "ended"
        return [f"{rest} still held for an order that has {end}"], _is_young(
            order.unsettled_since, due
        )
    if order is None or order.stage == Stage.ENDED:
        if payment is None or payment.money in (Money.RELEASED, Money.GIVEN_BACK):
            return [], False
        held = f"{_amount(payment)} {payment.status}"
        if order is None:
            return [f"{held} without an order"], payment.created_at > due
        # Between the void and the gateway's answer, or the end of its time, it is on its way.
        return [f"{held} for an order that has ended"], _is_young(order.unsettled_since, due)
    if order.guarantee is None:
        return [f"nobody knows what the payment method {order.method!r} guarantees"], False
    if payment is None or payment.money not in (Money.SECURED, Money.GIVEN_BACK):
        if order.stage == Stage.UNDECIDED:
            return [], False
        status = "no payment" if payment is None else f"payment {payment.status}"
        return (
            [f"confirmed by {order.method} ({order.guarantee}), and {status}"],
            # Somebody is calling it off at this moment.
            _is_young(order.unsettled_since, due),
        )
    return _shortcomings(order, payment), False


def _shortcomings(order: Order, payment: Payment) -> list[str]:
    """Where a payment that is secured is not what the order's method guarantees."""
    wrong = []
    asked = (order.total_minor, order.currency)
    is_enough = order.is_cheaper and payment.amount_minor > order.total_minor
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
    is_exact = order.is_completed and order.guarantee != Guarantee.ON_ACCOUNT
    if is_exact and order.total_minor and kept != charged:
        amounts = _money(charged, order.currency), _money(kept, order.currency)
        return ["completed, charges {}, and {} is kept".format(*amounts)]
    return []


def _sent_unpaid(order: Order, payment: Payment) -> list[str]:
    """Goods leave after their money was taken, unless somebody who may said otherwise."""
    if order.is_completed or order.guarantee == Guarantee.ON_ACCOUNT:
        return []
    for_less = order.for_less_minor if payment.refunded_minor else 0
    taken, sent = payment.captured_minor - for_less, min(order.sent_minor, order.total_minor)
    if taken >= sent:
        return []
    amounts = _money(sent, order.currency), _money(taken, order.currency)
    return ["sent for {}, and {} was taken".format(*amounts)]


def settling_finding(placement: Placement, *, due: datetime) -> Finding | None:
    """Whether an order is decided, and finished once it has ended, in its time.

    Whatever it waits for: a gateway that is silent for longer does not excuse it.
    """
    order = placement.order
    if order is None or order.unsettled_since is None:
        return None
    if order.stage == Stage.UNDECIDED and _is_the_customers_turn(order, placement.payment, due):
        return None
    since = order.placed_at if order.stage == Stage.UNDECIDED else order.unsettled_since
    return _finding(
        placement,
        f"{order.stage} and unfinished since {since:%Y-%m-%d %H:%M:%S},"
        f" waits for {_awaited(order, placement.hold, placement.payment)}",
        since > due,
    )


def _is_the_customers_turn(order: Order, payment: Payment | None, due: datetime) -> bool:
    return _is_young(order.waits_until, due) or (
        payment is not None and _is_young(payment.waits_until, due)
    )


def _awaited(order: Order, hold: Hold | None, payment: Payment | None) -> str:
    if payment is not None and payment.needs_attention:
        return f"staff: its payment, {payment.status}, needs attention"
    if payment is not None and payment.money == Money.WAITING:
        return f"the gateway {payment.gateway}: its payment is {payment.status}"
    if order.stage == Stage.UNDECIDED:
        if hold is None and payment is None:
            return "its goods to be held"
        return "its payment to begin" if payment is None else "its outcome to be written down"
    if order.stage == Stage.ENDED and hold is not None:
        return "its goods to be released"
    if payment is not None and payment.money == Money.SECURED:
        return f"its payment, {payment.status}, to be let go"
    return "its end to be written down"


def _finding(placement: Placement, detail: str, in_flight: bool) -> Finding:
    return Finding(subject=placement.subject, detail=detail, in_flight=in_flight)


def _is_young(since: datetime | None, due: datetime) -> bool:
    return since is not None and since > due


def _goods(lines: Mapping[UUID, int]) -> str:
    return f"{sum(lines.values())} pieces of {len(lines)} variants"


def _amount(payment: Payment) -> str:
    return _money(payment.amount_minor, payment.currency)


def _money(minor: int, currency: str) -> str:
    return f"{minor} {currency} (minor units)"
