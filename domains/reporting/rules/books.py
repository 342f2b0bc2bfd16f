"""Compares what the contexts' books say: stock with its ledger, orders with goods and money.

Everything streams in the order of the ids, so memory stays flat whatever the number of rows.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
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
    """What a payment holds. WAITING: only the gateway can tell."""

    SECURED = "secured"
    WAITING = "waiting"
    RELEASED = "released"


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
    """`unsettled_since`: something is left to do since then. `lines`: quantity by variant."""

    order_id: UUID
    number: str
    stage: Stage
    total_minor: int
    currency: str
    method: str
    guarantee: str
    lines: Mapping[UUID, int]
    placed_at: datetime
    unsettled_since: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    order_id: UUID
    lines: Mapping[UUID, int]
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Payment:
    """`secured_minor`: what is authorised, or granted on account."""

    payment_id: UUID
    status: str
    money: Money
    method: str
    amount_minor: int
    secured_minor: int
    currency: str
    created_at: datetime


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
        return _finding(placement, "confirmed, and nothing is held", False)
    if dict(hold.lines) != dict(order.lines):
        wrong = [
            f"{variant_id}: ordered {order.lines.get(variant_id, 0)},"
            f" held {hold.lines.get(variant_id, 0)}"
            for variant_id in sorted({*order.lines, *hold.lines})
            if order.lines.get(variant_id, 0) != hold.lines.get(variant_id, 0)
        ]
        return _finding(placement, "; ".join(wrong), False)
    return None


def payment_finding(placement: Placement, *, due: datetime) -> Finding | None:
    """Whether exactly the guarantee of the payment method is there."""
    order, payment = placement.order, placement.payment
    if order is None:
        if payment is None or payment.money == Money.RELEASED:
            return None
        return _finding(
            placement, f"{_amount(payment)} {payment.status} without an order",
            payment.created_at > due,
        )  # fmt: skip
    if order.stage == Stage.ENDED:
        if payment is None or payment.money == Money.RELEASED:
            return None
        return _finding(
            placement,
            f"{_amount(payment)} {payment.status} for an order that has ended",
            # Between the void and the gateway's answer only the gateway can tell.
            order.unsettled_since is not None
            and (payment.money == Money.WAITING or order.unsettled_since > due),
        )
    if payment is None or payment.money != Money.SECURED:
        if order.stage == Stage.UNDECIDED:
            return None
        status = "no payment" if payment is None else f"payment {payment.status}"
        return _finding(
            placement,
            f"confirmed by {order.method} ({order.guarantee}), and {status}",
            # Somebody is calling it off at this moment.
            order.unsettled_since is not None
            and (
                order.unsettled_since > due
                or (payment is not None and payment.money == Money.WAITING)
            ),
        )
    wrong = []
    asked = (order.total_minor, order.currency)
    if (payment.amount_minor, payment.currency) != asked:
        wrong.append(f"total {_money(*asked)}, payment {_amount(payment)}")
    if payment.secured_minor != payment.amount_minor:
        wrong.append(
            f"secured {_money(payment.secured_minor, payment.currency)} of {_amount(payment)}"
        )
    if payment.method != order.method:
        wrong.append(f"ordered by {order.method}, paid by {payment.method}")
    return _finding(placement, "; ".join(wrong), False) if wrong else None


def settling_finding(placement: Placement, *, due: datetime) -> Finding | None:
    """Whether an order is decided, and finished once it has ended, in its time."""
    order = placement.order
    if order is None or order.unsettled_since is None:
        return None
    since = order.placed_at if order.stage == Stage.UNDECIDED else order.unsettled_since
    waits = placement.payment is not None and placement.payment.money == Money.WAITING
    return _finding(
        placement,
        f"{order.stage} and unfinished since {since:%Y-%m-%d %H:%M:%S}",
        waits or since > due,
    )


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
