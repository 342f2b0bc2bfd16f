"""What the model of the shop is made of. Amounts are in minor units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tests.support.life.bank import Mood


@dataclass
class Stock:
    on_hand: int
    held: int = 0

    @property
    def free(self) -> int:
        return self.on_hand - self.held


@dataclass
class Coupon:
    limit: int
    per_customer: int
    users: list[UUID] = field(default_factory=list)

    def is_used_up_for(self, customer: UUID) -> bool:
        mine = self.users.count(customer)
        return len(self.users) >= self.limit or mine >= self.per_customer


@dataclass
class Line:
    sku: str
    quantity: int
    subtotal: int
    discount: int
    tax: int
    amount: int
    cancelled: int = 0
    sent: int = 0
    back: int = 0
    refunded: int = 0
    refunded_units: int = 0

    @property
    def standing(self) -> int:
        return self.quantity - self.cancelled

    @property
    def open(self) -> int:
        return self.standing - self.sent

    def worth(self, units: int) -> int:
        return self.first(units).amount

    def first(self, units: int) -> Line:
        """Of the first units, each part of the price rounded once, half up."""

        def cut(amount: int) -> int:
            return (2 * amount * units + self.quantity) // (2 * self.quantity)

        subtotal, discount, tax = cut(self.subtotal), cut(self.discount), cut(self.tax)
        on_top = self.amount != self.subtotal - self.discount
        amount = subtotal - discount + (tax if on_top else 0)
        return Line(self.sku, units, subtotal, discount, tax, amount)

    @property
    def refundable(self) -> int:
        return max(self.worth(self.standing) - self.refunded, 0)


@dataclass
class Parcel:
    """Goods that are announced to come back."""

    units: dict[int, int]
    state: str = "REQUESTED"
    received: dict[int, int] = field(default_factory=dict)


@dataclass
class Step:
    """What is being done to an order. gives: so much of its money goes back."""

    carry_out: Callable[[Mood], str | None]
    gives: int = 0
    awaits_approval: bool = False
    is_approved: bool = False


@dataclass
class Drop:
    """An order gets cheaper. lines and shipping: what was refunded before of what is gone."""

    gives: int
    lines: dict[int, int]
    shipping: int
    at_large: int

    @property
    def set_off(self) -> int:
        return sum(self.lines.values()) + self.shipping + self.at_large


@dataclass
class Plan:
    """What an order is to be. named: the places of lines whose quantity somebody said."""

    lines: dict[int, Line]
    named: list[int]
    total: int
    shipping: int


@dataclass
class Shop:
    stock: dict[str, Stock]
    coupon: Coupon
    now: datetime
    # What the bank has done and not said.
    unheard: list[Callable[[], None]] = field(default_factory=list)

    def hear(self) -> None:
        heard, self.unheard = self.unheard, []
        for move in heard:
            move()
