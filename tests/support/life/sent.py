"""The model of an order: what is sent, called off and changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.support.life.bank import Mood
from tests.support.life.parts import Plan
from tests.support.life.placed import nothing
from tests.support.life.priced import Priced


@dataclass
class Sent(Priced):
    def fulfil(self, units: Mapping[int, int] | None, captures: bool, mood: Mood) -> str | None:
        if self.status != "CONFIRMED":
            return "order_not_fulfillable"
        if self.is_busy:
            return "step_in_progress"
        try:
            chosen = self._units(units, {place: line.open for place, line in self.lines.items()})
        except ValueError:
            return "too_many_units"
        takes = max(self._due(sends=chosen) - self.for_goods, 0) if captures else 0
        wanted = self.goods(chosen)

        def lacks() -> bool:
            return any(n > self.shop.stock[sku].on_hand for sku, n in wanted.items())

        def send() -> str | None:
            if lacks():
                self.step = None
                return "not_in_warehouse"
            self.was_sent_unpaid |= not captures
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
        left = {
            place: line.worth(line.standing - chosen.get(place, 0))
            for place, line in self.lines.items()
        }
        drop = self._drop(left, self.shipping, self.total - sum(cheaper.values()))
        gives = drop.gives
        if gives and not refund:
            return "payment_captured"

        def then() -> None:
            self._set_off(drop, chosen)
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

    def cancel(self, refund: bool, mood: Mood) -> str | None:
        if refund and self.kept:
            if self.status != "CONFIRMED" or self.is_sent:
                return "order_not_cancellable"
            if self.is_busy:
                return "step_in_progress"
            gives = self.kept

            def then() -> None:
                self._succeeded()
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
        self.let_go(mood)
        return None

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
        standing = {p: line.standing for p, line in self.lines.items() if line.standing}
        if standing == {p: line.standing for p, line in plan.lines.items()}:
            return "nothing_to_change"
        more = self._more(plan)
        named = {plan.lines[place].sku for place in plan.named if place in plan.lines}
        if any(more[sku] > max(self.shop.stock[sku].free, 0) for sku in named):
            return "out_of_stock"
        left = {place: line.amount for place, line in plan.lines.items()}
        if any(line.refunded > left.get(place, 0) for place, line in self.lines.items()):
            return "line_refunded"
        drop = self._drop(left, plan.shipping, plan.total)
        gives = drop.gives
        rises = plan.total > self.authorised - self.less - gives - drop.set_off
        if rises and self.captured:
            return "payment_captured"
        fewer = {
            place: line.standing - (plan.lines[place].quantity if place in plan.lines else 0)
            for place, line in self.lines.items()
        }

        def release() -> None:
            self.less += gives
            self._succeeded()

        def apply(mood: Mood) -> str | None:
            if any(n > 0 and n > self.shop.stock[sku].free for sku, n in more.items()):
                self.step = None
                return "out_of_stock"
            for sku, count in more.items():
                self.shop.stock[sku].held += count
            self._set_off(drop, fewer)
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
                nothing,
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
