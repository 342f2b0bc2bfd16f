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

RETRY = timedelta(minutes=30)
APPROVAL_ABOVE = 2500


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
        """Of the first units, each part of the price rounded once, half up."""

        def cut(amount: int) -> int:
            return (2 * amount * units + self.quantity) // (2 * self.quantity)

        on_top = self.amount != self.subtotal - self.discount
        return cut(self.subtotal) - cut(self.discount) + (cut(self.tax) if on_top else 0)

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
    """What is being done to an order. gives: what waits for a second person, if anything."""

    carry_out: Callable[[Mood], str | None]
    awaits_approval: bool = False


@dataclass
class Life:
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
    authorised: int = 0
    captured: int = 0
    refunded: int = 0
    less: int = 0  # of refunded, what was given back since the total fell
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
        self.step = Step(carry_out)
        if gives > APPROVAL_ABOVE:
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
        self.step.awaits_approval = False
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
        self.shop.unheard.append(move if mood.agrees else _nothing)
        return None

    def _done(self) -> None:
        self.step = None
        is_sent = self.is_sent and not self.is_open
        if self.status == "CONFIRMED" and is_sent and self.captured >= self.total:
            self.status = "COMPLETED"

    def _units(self, units: Mapping[int, int] | None, left: Mapping[int, int]) -> dict[int, int]:
        """Raises ValueError."""
        chosen = dict(units) if units is not None else {p: n for p, n in left.items() if n}
        if not chosen or any(not 0 < n <= left.get(place, 0) for place, n in chosen.items()):
            raise ValueError
        return chosen

    def fulfil(self, units: Mapping[int, int] | None, captures: bool, mood: Mood) -> str | None:
        if self.status != "CONFIRMED":
            return "order_not_fulfillable"
        if self.is_busy:
            return "step_in_progress"
        try:
            chosen = self._units(units, {place: line.open for place, line in self.lines.items()})
        except ValueError:
            return "too_many_units"
        due = self.shipping + sum(
            line.worth(line.sent + chosen.get(place, 0)) for place, line in self.lines.items()
        )
        takes = max(min(due, self.total) - self.for_goods, 0) if captures else 0
        wanted = self.goods(chosen)

        def lacks() -> bool:
            return any(n > self.shop.stock[sku].on_hand for sku, n in wanted.items())

        def send() -> str | None:
            if lacks():
                self.step = None
                return "not_in_warehouse"
            for place, count in chosen.items():
                self.lines[place].sent += count
            for sku, count in wanted.items():
                self.shop.stock[sku].on_hand -= count
                self.shop.stock[sku].held -= count
            self._done()
            return None

        def carry_out(mood: Mood) -> str | None:
            if lacks():
                self.step = None
                return "not_in_warehouse"
            move = self._capture(takes)
            return self._move(takes, mood, "capture_refused", move, send, competes=True)

        return self._begin(0, carry_out, mood)

    def capture(self, amount: int | None, mood: Mood) -> str | None:
        if self.status not in ("CONFIRMED", "COMPLETED"):
            return "order_not_fulfillable"
        if self.is_busy:
            return "step_in_progress"
        left = max(self.total - self.for_goods, 0)
        if not left:
            return "nothing_to_capture"
        if amount is not None and not 0 < amount <= left:
            return "capture_exceeds_total"
        takes = amount or left

        def then() -> None:
            self._done()

        return self._begin(
            0,
            lambda mood: self._move(takes, mood, "capture_refused", self._capture(takes), then),
            mood,
        )

    def _capture(self, amount: int) -> Callable[[], None]:
        def move() -> None:
            self.captured += amount

        return move

    def _refund(self, amount: int) -> Callable[[], None]:
        def move() -> None:
            self.refunded += amount

        return move

    def cancel_lines(self, units: Mapping[int, int], refund: bool, mood: Mood) -> str | None:
        if not self.is_sent and all(
            units.get(place, 0) == line.open for place, line in self.lines.items() if line.open
        ):
            return self.cancel(refund, mood)
        if self.status != "CONFIRMED":
            return "order_not_cancellable"
        if self.is_busy:
            return "step_in_progress"
        try:
            chosen = self._units(units, {place: line.open for place, line in self.lines.items()})
        except ValueError:
            return "too_many_units"
        cheaper = {
            place: line.worth(line.standing) - line.worth(line.standing - count)
            for place, count in chosen.items()
            for line in (self.lines[place],)
        }
        gives = min(
            self._too_much_for(self.total - sum(cheaper.values())),
            sum(min(less, self.lines[place].refundable) for place, less in cheaper.items()),
        )
        if gives and not refund:
            return "payment_captured"

        def then() -> None:
            for place, count in chosen.items():
                self.lines[place].cancelled += count
                self.shop.stock[self.lines[place].sku].held -= count
            self.total -= sum(cheaper.values())
            self.less += gives
            self._done()

        return self._begin(
            gives,
            lambda mood: self._move(gives, mood, "refund_refused", self._refund(gives), then),
            mood,
        )

    def _too_much_for(self, total: int) -> int:
        return min(max(self.for_goods - total, 0), self.kept)

    def cancel(self, refund: bool, mood: Mood) -> str | None:
        if refund and self.kept:
            if self.status != "CONFIRMED" or self.is_sent:
                return "order_not_cancellable"
            if self.is_busy:
                return "step_in_progress"
            gives = self.kept

            def then() -> None:
                self.step = None
                self.status = "CANCELLED"
                self._end()

            return self._begin(
                gives,
                lambda mood: self._move(gives, mood, "refund_refused", self._refund(gives), then),
                mood,
            )
        if self.status == "CANCELLED":
            return None
        if self.status not in ("PENDING", "CONFIRMED") or self.is_sent:
            return "order_not_cancellable"
        if self.step is not None:
            return "step_in_progress"
        if self.status == "PENDING" or (self.captured and not self.kept):
            self.status = "CANCELLED"
            self._end()
            return None
        if self.captured:
            return "payment_captured"
        return self.let_go(mood)

    def let_go(self, mood: Mood) -> None:
        """The promise of money is given back, and the order ends."""

        def told() -> None:
            self.status = "CANCELLED"
            self._end()

        if mood.answers:
            told()
        else:
            self.is_cancelling, self.waiting, self.competes = True, told, False

    def edit(self, plan: Plan, mood: Mood) -> str | None:
        """plan: what the lines cost then, None for what cannot be quoted."""
        if self.status != "CONFIRMED" or self.is_sent:
            return "order_not_editable"
        if self.is_busy:
            return "step_in_progress"
        if not plan.lines:
            return "order_not_editable"
        more = self._more(plan)
        named = {plan.lines[place].sku for place in plan.named if place in plan.lines}
        if any(more[sku] > max(self.shop.stock[sku].free, 0) for sku in named):
            return "out_of_stock"
        rises = plan.total > self.authorised - self.captured + self.for_goods
        if rises and self.captured:
            return "payment_captured"
        gives = self._too_much_for(plan.total)

        def release() -> None:
            self.less += gives
            self.step = None

        def apply(mood: Mood) -> str | None:
            if any(n > 0 and n > self.shop.stock[sku].free for sku, n in more.items()):
                self.step = None
                return "out_of_stock"
            for sku, count in more.items():
                self.shop.stock[sku].held += count
            for place, line in plan.lines.items():
                if (known := self.lines.get(place)) is not None:
                    line.refunded, line.refunded_units = known.refunded, known.refunded_units
            self.lines, self.total, self.shipping = dict(plan.lines), plan.total, plan.shipping
            if rises:
                self.authorised = plan.total
            self._move(gives, mood, "refund_refused", self._refund(gives), release)
            return None  # what the bank does not give back is for staff

        def carry_out(mood: Mood) -> str | None:
            if not rises:
                return apply(mood)
            return self._move(
                plan.total,
                mood,
                "payment_declined",
                _nothing,
                lambda: apply(Mood.YES),
                competes=True,
            )

        return self._begin(gives, carry_out, mood)

    def _more(self, plan: Plan) -> dict[str, int]:
        more: dict[str, int] = {}
        for line in self.lines.values():
            more[line.sku] = more.get(line.sku, 0) - line.standing
        for line in plan.lines.values():
            more[line.sku] = more.get(line.sku, 0) + line.quantity
        return more

    # Goods that come back, and money

    def announce(self, units: Mapping[int, int]) -> str | None:
        if self.status not in ("CONFIRMED", "COMPLETED"):
            return "order_not_returnable"
        left = {place: line.sent - line.back for place, line in self.lines.items()}
        for parcel in self.parcels:
            if parcel.state in ("REQUESTED", "APPROVED"):
                for place, count in parcel.units.items():
                    left[place] -= count
        try:
            self.parcels.append(Parcel(self._units(units, left)))
        except ValueError:
            return "too_many_units"
        return None

    def decide(self, number: int, approve: bool) -> str | None:
        if self.parcels[number].state != "REQUESTED":
            return "return_not_open"
        self.parcels[number].state = "APPROVED" if approve else "REFUSED"
        return None

    def receive(self, number: int, restocked: Mapping[int, int], broken: int) -> str | None:
        """restocked: what is as good as new; broken: so many more of each line at most."""
        parcel = self.parcels[number]
        if parcel.state != "APPROVED":
            return "return_not_open"
        if self.is_busy:
            return "step_in_progress"
        for place, count in restocked.items():
            line = self.lines[place]
            parcel.received[place] = min(count + broken, parcel.units[place])
            line.back += parcel.received[place]
            self.shop.stock[line.sku].on_hand += count
        parcel.state = "RECEIVED"
        self._done()
        return None

    def refund(
        self,
        mood: Mood,
        *,
        units: Mapping[int, int] | None = None,
        shipping: bool = False,
        parcel: int | None = None,
        amount: int | None = None,
    ) -> str | None:
        if self.status == "PENDING":
            return "order_not_refundable"
        if self.is_busy:
            return "step_in_progress"
        if not self.captured:
            return "nothing_captured"
        left = {
            place: max(line.standing - line.refunded_units, 0) for place, line in self.lines.items()
        }
        chosen = dict(units or {})
        is_for_all = not chosen and not shipping and parcel is None and amount is None
        shares: dict[int, int] = {}
        of_shipping = 0
        room = max(self.shipping - self.shipping_refunded, 0)
        if is_for_all:
            over = self.kept
            for place, line in self.lines.items():
                shares[place] = min(over, line.refundable)
                over -= shares[place]
            of_shipping = min(over, room)
            gives = self.kept
        elif amount is not None:
            gives = amount
        else:
            if parcel is not None:
                if self.parcels[parcel].state != "RECEIVED":
                    return "return_not_received"
                back = self.parcels[parcel].received
                chosen = {p: min(n, left[p]) for p, n in back.items() if min(n, left[p])}
            elif chosen:
                try:
                    chosen = self._units(chosen, left)
                except ValueError:
                    return "too_many_units"
            for place, count in chosen.items():
                line = self.lines[place]
                first = line.refunded_units
                worth = line.worth(first + count) - line.worth(first)
                shares[place] = min(worth, line.refundable)
            of_shipping = room if shipping else 0
            gives = sum(shares.values()) + of_shipping
        if not 0 < gives <= self.kept:
            return "refund_exceeds_payment"

        def then() -> None:
            for place, share in shares.items():
                self.lines[place].refunded += share
            for place, count in chosen.items():
                self.lines[place].refunded_units += count
            self.shipping_refunded += of_shipping
            if parcel is not None:
                self.parcels[parcel].state = "REFUNDED"
            self._done()

        return self._begin(
            gives,
            lambda mood: self._move(gives, mood, "refund_refused", self._refund(gives), then),
            mood,
        )

    # What happens when the shop asks again

    def resume(self) -> None:
        told, self.waiting = self.waiting, None
        if told is not None:
            told()


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
    lives: dict[UUID, Life] = field(default_factory=dict)
    # What the bank has done and not said.
    unheard: list[Callable[[], None]] = field(default_factory=list)

    def hear(self) -> None:
        heard, self.unheard = self.unheard, []
        for move in heard:
            move()


def _nothing() -> None:
    """The bank refused, or nothing of the money changes."""
