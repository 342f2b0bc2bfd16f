"""A small shop in plain Python: what an order should be after whatever was done with it.

Every command says with which code it is refused, None for not at all, and changes the model only
then. Amounts are in minor units. What is asked of a bank that does not answer is `waiting`: the
model goes on with it when the shop asks again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from tests.support.life.bank import Mood
from tests.support.life.parts import Coupon, Line, Parcel, Shop, Step

RETRY = timedelta(minutes=30)
APPROVAL_ABOVE = 2500


@dataclass
class Placed:
    """An order. Lines are known by their position in it; a line that was edited away is None."""

    shop: Shop
    customer: UUID
    lines: dict[int, Line]
    shipping: int
    total: int
    coupon: Coupon | None
    now: datetime
    keeps: bool = False
    status: str = "PENDING"
    holds: bool = False
    uses: bool = False
    was_confirmed: bool = False
    was_refused_refund: bool = False
    was_sent_unpaid: bool = False
    authorised: int = 0
    captured: int = 0
    refunded: int = 0
    less: int = 0  # of refunded, what lowers no price: the total fell, or it was never due
    alone: int = 0  # what staff gave back with nobody else agreeing
    shipping_refunded: int = 0
    is_cancelling: bool = False
    pay_until: datetime | None = None
    step: Step | None = None
    waiting: Callable[[], None] | None = None
    competes: bool = False  # what it waits for depends on what others leave
    parcels: list[Parcel] = field(default_factory=list)

    # Questions

    @property
    def kept(self) -> int:
        return self.captured - self.refunded

    @property
    def for_goods(self) -> int:
        return self.captured - self.less

    @property
    def is_confirmed(self) -> bool:
        return self.status == "CONFIRMED"

    @property
    def is_standing(self) -> bool:
        return self.status in ("CONFIRMED", "COMPLETED")

    @property
    def is_unsent(self) -> bool:
        return self.is_confirmed and not self.is_sent

    @property
    def is_waiting(self) -> bool:
        """For its customer to pay."""
        return self.status == "PENDING" and self.pay_until is not None

    @property
    def has_money(self) -> bool:
        return self.kept > 0

    @property
    def awaits_approval(self) -> bool:
        return self.step is not None and self.step.awaits_approval

    @property
    def has_parcels(self) -> bool:
        return bool(self.parcels)

    @property
    def is_sent(self) -> bool:
        return any(line.sent for line in self.lines.values())

    @property
    def is_open(self) -> bool:
        return any(line.open for line in self.lines.values())

    @property
    def is_busy(self) -> bool:
        return self.step is not None or self.is_cancelling

    @property
    def is_accepted(self) -> bool:
        """Placed asynchronously, and nobody has taken it up."""
        return self.status == "PENDING" and self.competes and self.waiting is not None

    def goods(self, units: Mapping[int, int]) -> dict[str, int]:
        found: dict[str, int] = {}
        for place, count in units.items():
            sku = self.lines[place].sku
            found[sku] = found.get(sku, 0) + count
        return found

    # Placement

    def place(self, mood: Mood) -> str | None:
        """Goods, coupon and money of a pending order."""
        wanted = self.goods({place: line.quantity for place, line in self.lines.items()})
        if any(count > self.shop.stock[sku].free for sku, count in wanted.items()):
            return self._reject("out_of_stock")
        self._hold(wanted)
        if self.coupon is not None:
            if self.coupon.is_used_up_for(self.customer):
                return self._reject("coupon_used_up")
            self.coupon.users.append(self.customer)
            self.uses = True
        return self._pay(mood)

    def _pay(self, mood: Mood) -> str | None:
        def told() -> None:
            self._paid(mood.agrees)

        if mood.answers:
            return self._paid(mood.agrees)
        self.waiting, self.competes = told, False
        return None

    def _paid(self, agrees: bool) -> str | None:
        if agrees:
            self.status, self.authorised, self.pay_until = "CONFIRMED", self.total, None
            self.was_confirmed = True
            return None
        if self.keeps and self.pay_until is None:
            self.pay_until = self.shop.now + RETRY
        elif not self.keeps or self.is_overdue:
            return self._reject("payment_declined")
        return "payment_declined"

    @property
    def is_overdue(self) -> bool:
        return self.pay_until is not None and self.pay_until <= self.shop.now

    def pay_again(self, mood: Mood) -> str | None:
        if self.status == "PENDING" and self.pay_until is None:
            return "in_progress"
        if self.status != "PENDING" or self.waiting or self.is_overdue:
            return "payment_not_retryable"
        return self._pay(mood)

    def give_up_if_overdue(self) -> None:
        if self.status == "PENDING" and self.is_overdue:
            self._reject("payment_declined")

    def _reject(self, code: str) -> str:
        self.status = "REJECTED"
        self._end()
        return code

    def _hold(self, wanted: Mapping[str, int]) -> None:
        self.holds = True
        for sku, count in wanted.items():
            self.shop.stock[sku].held += count

    def _end(self) -> None:
        """Goods and coupon are free again."""
        if self.holds:
            for line in self.lines.values():
                self.shop.stock[line.sku].held -= line.open
        if self.uses:
            assert self.coupon is not None
            self.coupon.users.remove(self.customer)
        self.holds = self.uses = self.is_cancelling = False
        self.waiting = self.pay_until = None

    # Steps

    def _begin(self, gives: int, carry_out: Callable[[Mood], str | None], mood: Mood) -> str | None:
        self.step = Step(carry_out, gives)
        if gives and gives + self.alone > APPROVAL_ABOVE:
            self.step.awaits_approval = True
            return None
        return carry_out(mood)

    def approve(self, *, by_same: bool, agrees: bool, mood: Mood) -> str | None:
        if self.step is None or not self.step.awaits_approval:
            return "step_not_awaiting_approval"
        if not agrees:
            self.step = None
            return None
        if by_same:
            return "second_person_required"
        self.step.awaits_approval, self.step.is_approved = False, True
        return self.step.carry_out(mood)

    def _move(
        self,
        amount: int,
        mood: Mood,
        refusal: str,
        move: Callable[[], None],
        then: Callable[[], str | None],
        *,
        competes: bool = False,
    ) -> str | None:
        """Money first, then the rest; now or when the bank has said."""

        def after() -> str | None:
            if amount and not mood.agrees:
                self.step = None
                self.was_refused_refund |= refusal == "refund_refused"
                return refusal
            return then()

        def told() -> None:
            after()

        if not amount:
            return then()
        if mood.answers:
            if mood.agrees:
                move()
            return after()
        self.waiting, self.competes = told, competes
        # The bank is asked by payments first; what follows is up to the order.
        self.shop.unheard.append(move if mood.agrees else nothing)
        return None

    def _succeeded(self) -> None:
        if self.step is not None and not self.step.is_approved:
            self.alone += self.step.gives
        self.step = None

    def _done(self) -> None:
        self._succeeded()
        is_sent = self.is_sent and not self.is_open
        if self.status == "CONFIRMED" and is_sent and self.for_goods >= self.total:
            self.status = "COMPLETED"

    def _units(self, units: Mapping[int, int] | None, left: Mapping[int, int]) -> dict[int, int]:
        """Raises ValueError."""
        chosen = dict(units) if units is not None else {p: n for p, n in left.items() if n}
        if not chosen or any(not 0 < n <= left.get(place, 0) for place, n in chosen.items()):
            raise ValueError
        return chosen

    # What happens when the shop asks again

    def resume(self) -> None:
        told, self.waiting = self.waiting, None
        if told is not None:
            told()


def nothing() -> None:
    """The bank refused, or nothing of the money changes."""
