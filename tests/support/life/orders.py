"""Orders of the shop beside orders of its model: what is done to both after placement."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from domains.orders.models import Order
from domains.orders.models.commands.refunding import RefundWish
from domains.orders.models.commands.returning import Inspected
from domains.orders.services import cancelling, editing, fulfilling, placement, refunding, returning
from domains.payments import services as payment_services
from domains.products.services import inventory
from tests.support.after_placement import ANOTHER, STAFF
from tests.support.factories import orders
from tests.support.life.bank import Mood
from tests.support.life.machine import counts, has_orders, letters, moods, numbers, yes
from tests.support.life.parts import Plan
from tests.support.life.placing import Placing


class LifeOfOrders(Placing):
    # After placement

    @precondition(has_orders)
    @rule(number=numbers, wanted=st.none() | counts, captures=st.sampled_from([True, True, False]))
    def fulfil_at_once(self, number: int, wanted: list[int] | None, captures: bool) -> None:
        order_id = self.pick(number, lambda life: life.is_confirmed)
        self.fulfil(order_id, wanted, captures, Mood.YES)

    @precondition(has_orders)
    @rule(number=numbers, wanted=st.none() | counts, captures=yes, mood=moods)
    def fulfil_somehow(
        self, number: int, wanted: list[int] | None, captures: bool, mood: Mood
    ) -> None:
        order_id = self.pick(number, lambda life: life.is_confirmed)
        self.fulfil(order_id, wanted, captures, mood)

    def fulfil(self, order_id: UUID, wanted: list[int] | None, captures: bool, mood: Mood) -> None:
        self.goes_on()
        by_id, by_place = (None, None) if wanted is None else self.units(order_id, wanted)
        self.do(
            order_id,
            self.orders[order_id].fulfil(by_place, captures, mood),
            mood,
            lambda: fulfilling.fulfil(
                order_id=order_id,
                lines=by_id,
                warehouse="main",
                capture=captures,
                may_be_unpaid=True,
                by=STAFF,
                key=orders.key(),
                now=self.now,
            ),
        )

    @precondition(has_orders)
    @rule(number=numbers, amount=st.none() | st.integers(1, 3000), mood=moods)
    def capture(self, number: int, amount: int | None, mood: Mood) -> None:
        order_id = self.pick(number, lambda life: life.is_standing)
        self.goes_on()
        self.do(
            order_id,
            self.orders[order_id].capture(amount, mood),
            mood,
            lambda: fulfilling.capture(
                order_id=order_id, amount_minor=amount, by=STAFF, key=orders.key(), now=self.now
            ),
        )

    @precondition(has_orders)
    @rule(number=numbers, wanted=st.none() | counts, refund=yes, mood=moods)
    def cancel(self, number: int, wanted: list[int] | None, refund: bool, mood: Mood) -> None:
        order_id = self.pick(number, lambda life: life.is_confirmed)
        self.goes_on()
        by_id, by_place = (None, {}) if wanted is None else self.units(order_id, wanted)
        life = self.orders[order_id]
        expected = (
            life.cancel(refund, mood)
            if by_id is None
            else life.cancel_lines(by_place, refund, mood)
        )
        self.do(
            order_id,
            expected,
            mood,
            lambda: cancelling.cancel(
                order_id=order_id,
                reason="changed_mind",
                lines=by_id,
                refund=refund,
                by=STAFF,
                key=orders.key(),
                now=self.now,
            ),
        )

    @precondition(has_orders)
    @rule(
        number=numbers,
        wanted=st.lists(st.none() | st.integers(0, 5), min_size=3, max_size=3),
        new=st.none() | st.tuples(letters, st.integers(1, 3)),
        mood=moods,
    )
    def edit(
        self,
        number: int,
        wanted: list[int | None],
        new: tuple[str, int] | None,
        mood: Mood,
    ) -> None:
        order_id = self.pick(number, lambda life: life.is_unsent)
        self.goes_on()
        order, life = Order.objects.whole(order_id), self.orders[order_id]
        named = {
            line.position: n for line, n in zip(order.lines, wanted, strict=False) if n is not None
        }
        after = {line.position: named.get(line.position, line.standing) for line in order.lines}
        lines = {p: (life.lines[p].sku, n) for p, n in after.items() if n}
        last = max(line.position for line in order.lines)
        if new is not None:
            lines[last + 1] = (self.code[new[0]], new[1])
            named[last + 1] = new[1]
        plan = Plan({}, [place for place, n in named.items() if n], 0, 0)
        if lines:
            used = life.coupon is not None
            ships = bool(order.shipping_method)
            goods_wanted = list(lines.values())
            quote = self.quoted(goods_wanted, life.customer, used, ships, order)
            assert not quote.problems
            quoted = self.lines_of(quote, goods_wanted)
            plan.lines = dict(zip(lines, quoted, strict=True))
            plan.total, plan.shipping = quote.total_minor, quote.shipping_minor
            before = {p: line.first(line.standing) for p, line in life.lines.items()}
            if lines == {
                p: (line.sku, line.quantity) for p, line in before.items() if line.quantity
            }:
                plan.lines = {p: before[p] for p in lines}
                plan.total, plan.shipping = life.total, life.shipping
        changes = [
            editing.LineEdit(line_id=line.id, quantity=named[line.position])
            for line in order.lines
            if line.position in named
        ]
        if new is not None:
            changes.append(editing.LineEdit(sku=self.code[new[0]], quantity=new[1]))
        self.do(
            order_id,
            life.edit(plan, mood),
            mood,
            lambda: editing.edit(
                order_id=order_id,
                changes=editing.Edit(lines=changes, token="tok_visa"),
                reason="wanted otherwise",
                by=STAFF,
                key=orders.key(),
                now=self.now,
            ),
        )

    @precondition(has_orders)
    @rule(number=numbers, wanted=counts, shipping=yes, mood=moods)
    def refund_units(self, number: int, wanted: list[int], shipping: bool, mood: Mood) -> None:
        order_id = self.pick(number, lambda life: life.has_money)
        by_id, by_place = self.units(order_id, wanted)
        self.refund(
            order_id,
            self.orders[order_id].refund(mood, units=by_place, shipping=shipping),
            mood,
            RefundWish(units=by_id, shipping=shipping),
        )

    @precondition(has_orders)
    @rule(number=numbers, amount=st.none() | st.integers(1, 4000), mood=moods)
    def refund_amount(self, number: int, amount: int | None, mood: Mood) -> None:
        order_id = self.pick(number, lambda life: life.has_money)
        expected = self.orders[order_id].refund(mood, amount=amount)
        self.refund(order_id, expected, mood, RefundWish(amount_minor=amount))

    def refund(self, order_id: UUID, expected: str | None, mood: Mood, wish: RefundWish) -> None:
        self.do(
            order_id,
            expected,
            mood,
            lambda: refunding.refund(
                order_id=order_id,
                wish=wish,
                reason="as a courtesy",
                by=STAFF,
                key=orders.key(),
                now=self.now,
            ),
        )

    @precondition(has_orders)
    @rule(number=numbers, agrees=st.sampled_from([True, True, False]), by_same=yes, mood=moods)
    def decide_step(self, number: int, agrees: bool, by_same: bool, mood: Mood) -> None:
        order_id = self.pick(number, lambda life: life.awaits_approval)
        self.goes_on()
        steps = Order.objects.whole(order_id).steps
        if not steps:
            return
        step, actor = max(steps, key=lambda each: each.id), STAFF if by_same else ANOTHER
        assert actor.id is not None
        told = {"order_id": order_id, "step_id": step.id, "actor_id": actor.id, "now": self.now}
        self.do(
            order_id,
            self.orders[order_id].approve(by_same=by_same, agrees=agrees, mood=mood),
            mood,
            lambda: (
                refunding.approve_step(**told)
                if agrees
                else refunding.disapprove_step(**told, reason="too much")
            ),
        )

    # Goods that come back

    @precondition(has_orders)
    @rule(number=numbers, wanted=counts)
    def announce_return(self, number: int, wanted: list[int]) -> None:
        order_id = self.pick(number, lambda life: life.is_sent)
        self.goes_on()
        by_id, by_place = self.units(order_id, wanted)
        self.do(
            order_id,
            self.orders[order_id].announce(by_place),
            Mood.YES,
            lambda: returning.request_return(
                order_id=order_id,
                lines=by_id,
                reason="too small",
                by=STAFF,
                key=orders.key(),
                now=self.now,
            ),
        )

    @precondition(has_orders)
    @rule(number=numbers, approve=st.sampled_from([True, True, False]))
    def decide_return(self, number: int, approve: bool) -> None:
        order_id = self.pick(number, lambda life: life.has_parcels)
        self.goes_on()
        for number, announced in enumerate(self.returns_of(order_id)):
            self.do(
                order_id,
                self.orders[order_id].decide(number, approve),
                Mood.YES,
                lambda announced=announced: returning.decide_return(  # type: ignore[misc]
                    order_id=order_id,
                    return_id=announced.id,
                    approve=approve,
                    reason="",
                    by=STAFF,
                    now=self.now,
                ),
            )

    @precondition(has_orders)
    @rule(number=numbers, fewer=st.integers(0, 2), broken=st.integers(0, 1))
    def receive_returns(self, number: int, fewer: int, broken: int) -> None:
        order_id = self.pick(number, lambda life: life.has_parcels)
        self.goes_on()
        for number, announced in enumerate(self.returns_of(order_id)):
            life = self.orders[order_id]
            units = life.parcels[number].units
            good = {place: max(count - fewer, 0) for place, count in units.items()}
            ids = {line.position: line.id for line in Order.objects.whole(order_id).lines}
            inspected = {
                ids[place]: Inspected(restocked=count, damaged=min(broken, units[place] - count))
                for place, count in good.items()
            }
            self.do(
                order_id,
                life.receive(number, good, broken),
                Mood.YES,
                lambda announced=announced, inspected=inspected: returning.receive_return(  # type: ignore[misc]
                    order_id=order_id,
                    return_id=announced.id,
                    inspected=inspected,
                    warehouse="main",
                    by=STAFF,
                    key=orders.key(),
                    now=self.now,
                ),
            )

    @precondition(has_orders)
    @rule(number=numbers, shipping=yes, mood=moods)
    def refund_returns(self, number: int, shipping: bool, mood: Mood) -> None:
        order_id = self.pick(number, lambda life: life.has_parcels)
        for number, announced in enumerate(self.returns_of(order_id)):
            self.refund(
                order_id,
                self.orders[order_id].refund(mood, parcel=number, shipping=shipping),
                mood,
                RefundWish(return_id=announced.id, shipping=shipping),
            )

    def returns_of(self, order_id: UUID) -> list[Any]:
        return sorted(Order.objects.whole(order_id).returns, key=lambda found: found.id)

    # Staff, the bank and time

    @precondition(has_orders)
    @rule(number=numbers, mood=moods)
    def void(self, number: int, mood: Mood) -> None:
        """Staff let the promise of money go; what is told of it calls the order off."""
        order_id = self.pick(number, lambda life: life.is_unsent)
        life = self.orders[order_id]
        if life.status != "CONFIRMED" or life.is_busy or life.captured or life.is_sent:
            return
        self.goes_on()
        payment_id = Order.objects.get(pk=order_id).payment_id

        def command() -> None:
            payment_services.void(payment_id=payment_id, now=self.now)
            # As the handler of PaymentVoided does; until then the money is only asked for.
            placement.cancel_order(order_id=order_id, reason="payment_voided", now=self.now)

        life.let_go(mood)
        self.do(order_id, None, mood, command)

    @precondition(has_orders)
    @rule(letter=letters, delta=st.integers(-4, 4).filter(bool))
    def adjust(self, letter: str, delta: int) -> None:
        self.goes_on()
        stock = self.shop.stock[self.code[letter]]
        expected = "negative_stock" if stock.on_hand + delta < 0 else None
        found = self.says(
            Mood.YES,
            lambda: inventory.adjust_stock(
                sku=self.code[letter], delta=delta, reason="count", actor_id=None, now=self.now
            ),
        )
        assert found == expected
        if expected is None:
            stock.on_hand += delta
        self.compare_stock()
