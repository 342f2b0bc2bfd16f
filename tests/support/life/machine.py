"""A shop and its model: asking both, and comparing them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from domains.orders.models import Order
from domains.orders.services import (
    checkouts,
    settling,
)
from domains.orders.services.placement import Placed
from domains.payments import services as payment_services
from domains.payments.public import payment_states
from domains.pricing import public as pricing
from domains.pricing.models import Tally
from domains.products.models import StockItem
from infrastructure.errors import DomainError
from tests.support.after_placement import differences_in_books
from tests.support.carts import forget_all
from tests.support.life.bank import Bank, Mood
from tests.support.life.model import Life
from tests.support.life.parts import Line, Shop

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

# In minor units: odd ones, so that parts have to be rounded.
PRICES = {"A": 333, "B": 1000, "C": 7}
SHIPPING = 499
CUSTOMERS = (0, 1)

moods = st.sampled_from([Mood.YES, Mood.YES, Mood.YES, *Mood])
counts = st.lists(st.sampled_from([1, 2, 0, 3, 4]), min_size=3, max_size=3)
yes = st.booleans()
customers = st.sampled_from(CUSTOMERS)
letters = st.sampled_from(sorted(PRICES))
numbers = st.integers(0, 15)


def has_orders(machine: Machine) -> bool:
    return bool(machine.orders)


class Machine(RuleBasedStateMachine):
    """What the rules of all commands need."""

    bank: ClassVar[Bank]
    settings: ClassVar[Any]
    now: datetime
    shop: Shop
    orders: dict[UUID, Life]
    mark: str
    code: dict[str, str]
    use: pricing.Use
    coupon_id: UUID
    known: ClassVar[set[str]] = set()

    # Asking both

    def goes_on(self) -> None:
        self.is_at_work = True
        self.now += timedelta(minutes=1)
        self.shop.now = self.now

    def says(self, mood: Mood, command: Callable[[], Any]) -> str | None:
        """With which code a command is refused while the bank is in this mood."""
        self.bank.mood = mood
        try:
            answer = command()
        except DomainError as refusal:
            return refusal.code
        finally:
            self.bank.mood = Mood.YES
        if isinstance(answer, Placed):
            refused = answer.refusal()
            return None if refused is None else refused.code
        return None

    def do(
        self, order_id: UUID, expected: str | None, mood: Mood, command: Callable[[], Any]
    ) -> None:
        assert self.says(mood, command) == expected
        self.compare(order_id)

    def pick(self, number: int, fits: Callable[[Life], bool]) -> UUID:
        """One of the orders, most often one that the command is meant for."""
        fitting = [each for each, life in self.orders.items() if fits(life)]
        known = fitting if fitting and number < 12 else list(self.orders)
        return known[-1 - number % len(known)]

    def units(self, order_id: UUID, wanted: list[int]) -> tuple[dict[UUID, int], dict[int, int]]:
        """So many of the first lines, by id and by place."""
        lines = Order.objects.whole(order_id).lines
        chosen = [(line, n) for line, n in zip(lines, wanted, strict=False) if n]
        return {line.id: n for line, n in chosen}, {line.position: n for line, n in chosen}

    def quoted(
        self,
        wanted: list[tuple[str, int]],
        customer: UUID,
        coupon: bool,
        ships: bool,
        order: Order | None = None,
    ) -> pricing.Quote:
        """What goods come to is asked of pricing, which has tests of its own."""
        offers = {item.sku: item for item in StockItem.objects.filter(sku__in=self.code.values())}
        return pricing.quote(
            pricing.QuoteRequest(
                lines=tuple(
                    pricing.QuoteLine(
                        key=str(place),
                        product_id=offers[sku].pk,
                        sku=sku,
                        quantity=quantity,
                        unit_price_minor=PRICES[sku[0]],
                        tax_class="standard",
                        weight_g=0,
                    )
                    for place, (sku, quantity) in enumerate(wanted)
                ),
                currency="GBP",
                country="GB",
                shipping_method="express" if ships else None,
                coupons=(f"TEN-{self.mark}",) if coupon else (),
                customer_id=customer,
                kept=tuple(
                    pricing.kept(one["terms"], coupon=one["coupon"])
                    for one in (order.promotions if order else ())
                ),
                redeemed=frozenset({self.use} if coupon else ()) if order else None,
            ),
            now=self.now,
        )

    def lines_of(self, quote: pricing.Quote, wanted: list[tuple[str, int]]) -> list[Line]:
        total = sum(line.total_minor for line in quote.lines) + quote.shipping_minor
        assert quote.total_minor == total
        return [
            Line(
                sku=sku,
                quantity=quantity,
                subtotal=quoted.subtotal_minor,
                discount=quoted.discount_minor,
                tax=quoted.tax_minor,
                amount=quoted.total_minor,
            )
            for (sku, quantity), quoted in zip(wanted, quote.lines, strict=True)
        ]

    # Time

    @precondition(has_orders)
    @rule()
    def recover(self) -> None:
        """Some minutes later the recurring jobs have run, and the bank answers again."""
        self.is_at_work = True
        self.now += timedelta(minutes=10)
        self.shop.now = self.now
        self.shop.hear()
        payment_services.resolve_unfinished(now=self.now)
        for order_id, life in self.orders.items():
            if life.waiting and life.competes:
                settling.settle(order_id=order_id, now=self.now)
                life.resume()
        settling.settle_unfinished(now=self.now)
        for life in self.orders.values():
            life.resume()
            life.give_up_if_overdue()
        checkouts.finish_checkouts(now=self.now)
        for order_id in self.orders:
            self.compare(order_id)

    # Comparing

    def compare(self, order_id: UUID) -> None:
        order, life = Order.objects.whole(order_id), self.orders[order_id]
        assert (order.status, order.total_minor) == (life.status, life.total)
        found = {
            line.position: (line.quantity, line.cancelled, line.fulfilled, line.returned)
            for line in order.lines
        }
        assert found == {
            place: (line.quantity, line.cancelled, line.sent, line.back)
            for place, line in life.lines.items()
        }
        assert [line.refunded_minor for line in order.lines] == [
            line.refunded for line in life.lines.values()
        ]
        back = sorted(order.returns, key=lambda found: found.id)
        assert [found.state for found in back] == [parcel.state for parcel in life.parcels]
        worth = sum(line.worth(line.standing) for line in life.lines.values())
        assert order.total_minor == worth + life.shipping
        is_open = life.step is not None
        assert (order.step_id is not None) == is_open
        assert sum(step.is_open for step in order.steps) == is_open
        self.compare_money(order, life)
        self.compare_stock()
        assert Tally.objects.get(pk=self.coupon_id).used == len(self.shop.coupon.users)
        assert self.bank.faults == []

    def compare_money(self, order: Order, life: Life) -> None:
        state = payment_states([order.payment_id]).get(order.payment_id)
        captured = state.captured_minor if state else 0
        refunded = state.refunded_minor if state else 0
        assert 0 <= refunded <= captured
        if life.step is None:
            assert (captured, refunded) == (life.captured, life.refunded)
            assert order.refunded_minor == life.refunded
        if order.status in ("CONFIRMED", "COMPLETED"):
            assert state is not None
            assert captured <= state.authorised_minor == life.authorised
            # What is to be paid can be paid.
            assert life.total - life.for_goods <= life.authorised - life.captured

    def compare_stock(self) -> None:
        items = StockItem.objects.filter(sku__in=self.shop.stock)
        assert {item.sku: (item.on_hand, item.held) for item in items} == {
            sku: (stock.on_hand, stock.held) for sku, stock in self.shop.stock.items()
        }

    def teardown(self) -> None:
        if self.is_at_work:  # something is wrong already, which is not to be hidden
            self.known.update(differences_in_books(self.now))
            return
        self.recover()
        self.now += timedelta(hours=1)  # nobody waits for a customer any more
        self.recover()
        self.recover()
        for order in Order.objects.filter(pk__in=self.orders):
            assert order.step_id is not None or order.pay_until or order.settle_at is None
        self.compare_bank()
        # What an example that failed has left behind is no difference of the next one.
        found = set(differences_in_books(self.now)) - self.known
        self.known.update(found)
        for order_id, life in self.orders.items():
            if life.was_refused_refund:  # staff have to give it back in another way
                found = {one for one in found if str(order_id) not in one}
            if life.was_sent_unpaid:  # which staff are told of until the money is there
                unpaid = f"{order_id}: sent for "
                found = {one for one in found if unpaid not in one}
        assert found == set(), found
        forget_all()

    @invariant()
    def rests(self) -> None:
        """Each command of a customer or of staff went as the model says."""
        self.is_at_work = False

    def compare_bank(self) -> None:
        """What the bank has in its own books is what orders account for."""
        accounts, lives = self.bank.accounts.values(), self.orders.values()
        assert sum(one.captured for one in accounts) == sum(life.captured for life in lives)
        assert sum(one.refunded for one in accounts) == sum(life.refunded for life in lives)
        promised = sorted(
            one.authorised for one in accounts if not one.is_voided and not one.captured
        )
        assert promised == sorted(
            life.authorised
            for life in lives
            if life.status in ("CONFIRMED", "COMPLETED") and not life.captured
        )
