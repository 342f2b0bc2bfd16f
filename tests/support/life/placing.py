"""Carts and orders until they are placed, as rules."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    precondition,
    rule,
)

from domains.carts.models import Change
from domains.carts.public import CartContents
from domains.carts.services import carts
from domains.carts.services.carts import Shopper
from domains.orders.services import (
    batches,
    checkouts,
    paying,
    placement,
)
from domains.orders.services.placement import Placed
from domains.orders.services.wishes import WantedLine, Wish
from domains.pricing.models import Coupon as CouponRow
from infrastructure.ids import new_id
from infrastructure.observability import correlation
from tests.support.after_placement import STAFF
from tests.support.factories import orders
from tests.support.factories import pricing as prices
from tests.support.factories import products as goods
from tests.support.life.bank import Mood
from tests.support.life.machine import (
    CUSTOMERS,
    NOW,
    PRICES,
    Machine,
    counts,
    customers,
    has_orders,
    letters,
    moods,
    numbers,
    yes,
)
from tests.support.life.model import Life
from tests.support.life.parts import Coupon, Shop, Stock


@dataclass
class Basket:
    """A cart in the model. order: what it became, or is becoming."""

    id: UUID
    lines: dict[str, int] = field(default_factory=dict)
    has_coupon: bool = False
    order: UUID | None = None


class Placing(Machine):
    @initialize(
        stock=st.lists(st.integers(8, 18), min_size=3, max_size=3),
        includes_tax=yes,
        wanted=counts,
        coupon=yes,
        ships=yes,
    )
    def open(
        self, stock: list[int], includes_tax: bool, wanted: list[int], coupon: bool, ships: bool
    ) -> None:
        self.now, self.is_at_work = NOW, True
        self.settings.PRICES_INCLUDE_TAX = includes_tax
        self.mark = str(new_id())[-12:].upper()
        self.bank.accounts.clear()
        self.bank.faults.clear()
        self.code = {letter: f"{letter}-{self.mark}" for letter in PRICES}
        self.variants: dict[str, UUID] = {}
        for letter, on_hand in zip(PRICES, stock, strict=True):
            goods.product(
                name=f"Thing {letter}",
                sku=self.code[letter],
                price_minor=PRICES[letter],
                stock=on_hand,
                now=self.now,
            )
        self.use = prices.coupon(
            f"TEN-{self.mark}", now=self.now, usage_limit=3, usage_limit_per_customer=2
        )
        self.coupon_id = CouponRow.objects.get(promotion_id=self.use.promotion_id).pk
        levels = {self.code[x]: Stock(n) for x, n in zip(PRICES, stock, strict=True)}
        self.shop = Shop(levels, Coupon(limit=3, per_customer=2), self.now)
        self.customers = [new_id() for _ in CUSTOMERS]
        self.baskets: list[Basket | None] = [None for _ in CUSTOMERS]
        self.orders = {}
        chosen = wanted if any(wanted) else [2, 1, 3]
        self.place(chosen, 0, coupon, ships, later=False, keeps=False, mood=Mood.YES)
        self.place([3, 2, 4], 1, False, True, later=False, keeps=False, mood=Mood.YES)

    # Placing

    def wish(self, wanted: list[tuple[str, int]], customer: UUID, **more: Any) -> Wish:
        chosen: dict[str, Any] = {
            "customer_id": customer,
            "lines": [WantedLine(sku=sku, quantity=n) for sku, n in wanted],
            "currency": "GBP",
            "shipping_address": orders.ADDRESS,
            "payment": orders.VISA,
        }
        return Wish(**chosen | more)

    def life(
        self, wanted: list[tuple[str, int]], customer: UUID, coupon: bool, ships: bool
    ) -> Life | None:
        """An order that nothing has happened to yet; None for what cannot be quoted."""
        quote = self.quoted(wanted, customer, coupon, ships)
        if quote.problems:
            assert coupon
            assert self.shop.coupon.is_used_up_for(customer)
            return None
        assert not (coupon and self.shop.coupon.is_used_up_for(customer))
        return Life(
            shop=self.shop,
            customer=customer,
            lines=dict(enumerate(self.lines_of(quote, wanted))),
            shipping=quote.shipping_minor,
            total=quote.total_minor,
            coupon=self.shop.coupon if coupon else None,
            now=self.now,
        )

    @rule(
        wanted=counts,
        customer=customers,
        coupon=yes,
        ships=yes,
        later=st.sampled_from([False, False, True]),
        keeps=yes,
        mood=moods,
    )
    def place(
        self,
        wanted: list[int],
        customer: int,
        coupon: bool,
        ships: bool,
        later: bool,
        keeps: bool,
        mood: Mood,
    ) -> None:
        self.goes_on()
        lines = [(self.code[x], n) for x, n in zip(PRICES, wanted, strict=True) if n]
        if not lines:
            return
        who = self.customers[customer]
        made: list[UUID] = []

        def command() -> Placed:
            payment = orders.PaymentChoice(
                method="card", token="tok_visa", keep_on_decline=keeps and not later
            )
            answer = placement.place_order(
                wish=self.wish(
                    lines,
                    who,
                    payment=payment,
                    coupons=[f"TEN-{self.mark}"] if coupon else [],
                    shipping_method="express" if ships else None,
                    asynchronous=later,
                ),
                key=orders.key(),
                now=self.now,
            )
            made.append(answer.order.id)
            return answer

        life = self.life(lines, who, coupon, ships)
        expected: str | None
        if self.is_short(lines):
            expected, life = "out_of_stock", None
        elif life is None:
            expected = "quote_refused"
        elif later:
            life.waiting, life.competes = lambda: _place(life), True
            expected = None
        else:
            life.keeps = keeps
            expected = life.place(mood)
        assert self.says(mood, command) == expected
        if life is None:
            assert made == []
            return
        self.orders[made[0]] = life
        self.compare(made[0])

    def is_short(self, lines: list[tuple[str, int]]) -> bool:
        return any(n > self.shop.stock[sku].free for sku, n in lines)

    # Carts

    @precondition(has_orders)
    @rule(customer=customers, letter=letters, quantity=st.integers(0, 4), coupon=yes)
    def fill(self, customer: int, letter: str, quantity: int, coupon: bool) -> None:
        self.goes_on()
        basket = self.basket_of(customer)
        sku = self.code[letter]
        expected = None if self.is_open(basket) else "cart_frozen"
        coupons = json.dumps([f"TEN-{self.mark}"] if coupon else [])
        found = self.says(
            Mood.YES,
            lambda: carts.change(
                cart_id=basket.id,
                shopper=Shopper(self.customers[customer]),
                changes=[Change(kind="set", sku=sku, quantity=quantity)],
                fields={"coupons": coupons},
                now=self.now,
            ),
        )
        assert found == expected
        if expected is None:
            basket.has_coupon = coupon
            basket.lines.pop(sku, None) if not quantity else basket.lines.update({sku: quantity})

    def basket_of(self, customer: int) -> Basket:
        basket = self.baskets[customer]
        if basket is None or self.is_checked_out(basket):
            made = carts.create(
                shopper=Shopper(self.customers[customer]),
                currency="GBP",
                channel=None,
                once=None,
                now=self.now,
            )
            basket = self.baskets[customer] = Basket(made.cart.id)
        return basket

    def is_checked_out(self, basket: Basket) -> bool:
        order = None if basket.order is None else self.orders[basket.order]
        return order is not None and order.was_confirmed

    def is_open(self, basket: Basket) -> bool:
        order = None if basket.order is None else self.orders[basket.order]
        return order is None or (order.status != "PENDING" and not order.was_confirmed)

    @rule(customer=customers, mood=moods, keeps=yes, wanted=counts)
    def check_out(self, customer: int, mood: Mood, keeps: bool, wanted: list[int]) -> None:
        """wanted: what comes into a cart that is empty before."""
        basket = self.basket_of(customer)
        if not basket.lines and self.is_open(basket):
            for letter, quantity in zip(PRICES, wanted, strict=True):
                self.fill(customer, letter, quantity, basket.has_coupon)
        self.goes_on()
        who = self.customers[customer]
        # Lines of a cart are in the order in which they came.
        lines = list(basket.lines.items())
        made: list[UUID] = []

        def wish(contents: CartContents) -> Wish:
            assert [(line.sku, line.quantity) for line in contents.lines] == lines
            return self.wish(
                lines,
                who,
                payment=orders.PaymentChoice(
                    method="card", token="tok_visa", keep_on_decline=keeps
                ),
                coupons=contents.coupons,
                cart_id=contents.id,
            )

        def command() -> Placed:
            answer = checkouts.check_out(
                cart_id=basket.id,
                owner=who,
                version=None,
                wish=wish,
                key=orders.key(),
                now=self.now,
            )
            made.append(answer.order.id)
            return answer

        if not self.is_open(basket):
            assert basket.order is not None
            waiting = self.orders[basket.order]
            is_declined = waiting.pay_until and not waiting.waiting
            expected = "payment_declined" if is_declined else None
            assert self.says(mood, command) == expected
            self.compare(basket.order)
            return
        if not lines:
            assert self.says(mood, command) == "cart_empty"
            return
        life = self.life(lines, who, basket.has_coupon, False)
        if life is None or self.is_short(lines):
            expected = "out_of_stock" if self.is_short(lines) else "quote_refused"
            assert self.says(mood, command) == expected
            assert made == []
            return
        life.keeps = keeps
        expected = life.place(mood)
        assert self.says(mood, command) == expected
        basket.order = made[0]
        self.orders[made[0]] = life
        self.compare(made[0])

    @precondition(has_orders)
    @rule(number=numbers, mood=moods)
    def pay_again(self, number: int, mood: Mood) -> None:
        order_id = self.pick(number, lambda life: life.is_waiting)
        self.goes_on()
        self.do(
            order_id,
            self.orders[order_id].pay_again(mood),
            mood,
            lambda: paying.pay_again(
                order_id=order_id,
                payment=orders.PaymentChoice(
                    method="card", token="tok_other", keep_on_decline=True
                ),
                actor=STAFF,
                key=orders.key(),
                now=self.now,
            ),
        )

    @precondition(lambda self: any(life.is_accepted for life in self.orders.values()))
    @rule()
    def consume(self) -> None:
        """The consumer takes up what was placed asynchronously."""
        self.goes_on()
        for order_id, life in self.orders.items():
            if life.is_accepted:
                batches.settle_many(causes={order_id: correlation.current()}, now=self.now)
                life.resume()
                self.compare(order_id)


def _place(life: Life) -> None:
    life.place(Mood.YES)
