"""What the books of the contexts say, side by side.

Everything streams in the order of the ids, so memory stays flat whatever the number of rows.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from domains.reporting.rules.findings import Finding

# Promotions, each with the coupon that brought it, "" for none.
Used = frozenset[tuple[UUID, str]]


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
class Order:
    """`unsettled_since`: something is left to do since then. By variant: `lines`, what is still to
    be sent, `sent`, and `put_back`, what of that is in a warehouse again. is_cheaper: it became so,
    and more may be secured than it costs. waits_until: for its customer, to try another payment.

    guarantee: None for a method that payments does not know, or no more. for_less_minor: what of
    what was given back lowered no price. sent_minor: what was sent costs, at least. uses: what it
    has to redeem.
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
    uses: Used = frozenset()
    sent: Mapping[UUID, int] = field(default_factory=dict)
    put_back: Mapping[UUID, int] = field(default_factory=dict)
    waits_until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """What left a warehouse for an order, and what of it was put back, by variant."""

    order_id: UUID
    sent: Mapping[UUID, int]
    put_back: Mapping[UUID, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    order_id: UUID
    lines: Mapping[UUID, int]
    created_at: datetime


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
class Redemption:
    """What an order used of coupons and limited promotions, and has not given back."""

    order_id: UUID
    redeemed_at: datetime
    uses: Used = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """What the five books say under one id."""

    order_id: UUID
    order: Order | None
    hold: Hold | None
    payment: Payment | None
    redemption: Redemption | None = None
    moved: Moved | None = None

    @property
    def subject(self) -> str:
        return f"order {self.order.number} {self.order_id}" if self.order else str(self.order_id)


def joined(
    orders: Iterable[Order],
    holds: Iterable[Hold],
    payments: Iterable[Payment],
    redemptions: Iterable[Redemption] = (),
    moved: Iterable[Moved] = (),
) -> Iterator[Placement]:
    """The five books side by side; each of them is in the order of its ids."""
    rows = heapq.merge(
        ((order.order_id, "order", order) for order in orders),
        ((hold.order_id, "hold", hold) for hold in holds),
        ((payment.payment_id, "payment", payment) for payment in payments),
        ((one.order_id, "redemption", one) for one in redemptions),
        ((one.order_id, "moved", one) for one in moved),
        key=itemgetter(0),
    )
    for order_id, found in groupby(rows, key=itemgetter(0)):
        books: dict[str, Any] = {"order": None, "hold": None, "payment": None}
        books.update((book, row) for _, book, row in found)
        yield Placement(order_id=order_id, **books)


def finding_about(placement: Placement, detail: str, *, in_flight: bool) -> Finding:
    return Finding(subject=placement.subject, detail=detail, in_flight=in_flight)


def is_young(since: datetime | None, due: datetime) -> bool:
    return since is not None and since > due
