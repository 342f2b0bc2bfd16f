"""The stock beside a model of it that fits on a page: whatever is done, in whatever order, both
say the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from domains.products.errors import NegativeStock, NotHeld
from domains.products.models import Reservation, StockItem, Warehouse
from domains.products.public import (
    Held,
    HoldLine,
    HoldOutcome,
    Refused,
    Released,
    hold,
    hold_for_cart,
    release,
    release_cart_hold,
    take_out,
)
from domains.products.services import inventory, warehouses
from infrastructure.ids import new_id
from tests.support.factories import products
from tests.support.stock import assert_books_are_right

pytestmark = pytest.mark.django_db

NAMES = "ABC"
PLACES = ["main", "leeds"]
TTL = timedelta(minutes=10)

Lines = dict[str, int]
wishes = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 6), min_size=1)
names = st.sampled_from(NAMES)
places = st.sampled_from(PLACES)
carts = (0, 1)  # few, so that much happens to each


@dataclass
class Sku:
    levels: dict[str, int]
    limit: int = 0


@dataclass
class Promise:
    lines: Lines
    status: str = "HELD"
    expires_at: datetime | None = None


class Shop(RuleBasedStateMachine):
    orders = Bundle("orders")

    @initialize()
    def open(self) -> None:
        self.now = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
        self.skus = {name: Sku({"main": 9, "leeds": 0}) for name in NAMES}
        self.promises: dict[UUID, Promise] = {}
        self.carts = [new_id() for _ in carts]
        mark = str(new_id())[-12:]
        self.code = {name: f"{name}-{mark}" for name in NAMES}
        self.ids = products.stocked(dict.fromkeys(self.code.values(), 9), now=self.now)
        if not Warehouse.objects.filter(pk="leeds").exists():
            warehouses.open_warehouse(code="leeds", name="Leeds", now=self.now)

    # The model

    def left(self, name: str) -> int:
        held = sum(
            promise.lines.get(name, 0)
            for promise in self.promises.values()
            if promise.status == "HELD"
        )
        return sum(self.skus[name].levels.values()) + self.skus[name].limit - held

    def credit_of(self, cart: UUID | None) -> Lines:
        promise = self.promises.get(cart) if cart else None
        return promise.lines if promise and promise.status == "HELD" else {}

    def is_over(self, promise: Promise) -> bool:
        return (
            promise.status == "HELD"
            and promise.expires_at is not None
            and promise.expires_at <= self.now
        )

    def fits(self, wanted: Lines, *carts: UUID | None) -> bool:
        """Whether it can be held, in place of what these hold; what is over and stands in the way
        is freed."""
        while True:
            credit: Counter[str] = Counter()
            for cart in carts:
                credit.update(self.credit_of(cart))
            more = {name: quantity - credit[name] for name, quantity in wanted.items()}
            lacking = {name for name in more if more[name] > 0 and more[name] > self.left(name)}
            in_the_way = [
                promise
                for promise in self.promises.values()
                if self.is_over(promise) and lacking & promise.lines.keys()
            ]
            if not lacking or not in_the_way:
                return not lacking
            for promise in in_the_way:
                promise.status, promise.expires_at = "RELEASED", None

    def lines(self, wanted: Lines) -> list[HoldLine]:
        return [
            HoldLine(variant_id=self.ids[self.code[name]], sku=self.code[name], quantity=quantity)
            for name, quantity in wanted.items()
        ]

    @contextmanager
    def expect(self, error: type[Exception] | None) -> Iterator[None]:
        if error is None:
            yield
        else:
            with pytest.raises(error):
                yield

    # Orders and carts

    @rule(target=orders, wanted=wishes)
    def order(self, wanted: Lines) -> UUID:
        return self.placed(wanted, None)

    @rule(target=orders, wanted=wishes, number=st.sampled_from(carts))
    def check_out(self, wanted: Lines, number: int) -> UUID:
        return self.placed(wanted, self.carts[number])

    @rule(target=orders, number=st.sampled_from(carts))
    def check_out_as_it_is(self, number: int) -> Any:
        cart = self.carts[number]
        return self.placed(self.credit_of(cart), cart) if self.credit_of(cart) else multiple()

    def placed(self, wanted: Lines, cart: UUID | None) -> UUID:
        order_id = new_id()
        outcome = hold(order_id=order_id, lines=self.lines(wanted), now=self.now, instead_of=cart)
        if self.fits(wanted, cart):
            assert outcome == Held()
            self.promises[order_id] = Promise(dict(wanted))
            if self.credit_of(cart):
                assert cart is not None
                self.promises[cart] = Promise(self.promises[cart].lines, "RELEASED")
        else:
            assert isinstance(outcome, Refused)
        return order_id

    @rule(order_id=orders, wanted=wishes)
    def ask_again(self, order_id: UUID, wanted: Lines) -> None:
        known = self.promises.get(order_id)
        outcome = hold(order_id=order_id, lines=self.lines(wanted), now=self.now)
        expected: HoldOutcome | None = None
        if known is not None:
            expected = Released() if known.status == "RELEASED" else Held()
        elif self.fits(wanted, None):
            expected = Held()
            self.promises[order_id] = Promise(dict(wanted))
        assert isinstance(outcome, Refused) if expected is None else outcome == expected

    @rule(order_id=orders)
    def cancel(self, order_id: UUID) -> None:
        known = self.promises.get(order_id)
        freed = release(order_id=order_id, now=self.now)
        assert freed == (known is not None and known.status == "HELD")
        if known is None:
            self.promises[order_id] = Promise({}, "RELEASED")
        elif freed:
            known.status = "RELEASED"

    @rule(order_id=orders, place=places, share=st.integers(1, 6))
    def send(self, order_id: UUID, place: str, share: int) -> None:
        known = self.promises.get(order_id, Promise({}, "RELEASED"))
        held = known.lines if known.status == "HELD" else {}
        wanted = {name: min(quantity, share) for name, quantity in held.items()} or {"A": 1}
        error: type[Exception] | None = None
        if not held:
            error = NotHeld
        elif any(self.skus[name].levels[place] < q for name, q in wanted.items()):
            error = NegativeStock
        fulfilment_id = new_id()
        with self.expect(error):
            for expected in (True, False):
                assert expected == take_out(
                    order_id=order_id,
                    fulfilment_id=fulfilment_id,
                    lines=self.lines(wanted),
                    warehouse=place,
                    now=self.now,
                )
        if error is None:
            for name, quantity in wanted.items():
                self.skus[name].levels[place] -= quantity
                known.lines[name] -= quantity
            known.lines = {name: quantity for name, quantity in known.lines.items() if quantity}
            if not known.lines:
                known.status = "FULFILLED"

    @rule(number=st.sampled_from(carts), wanted=wishes)
    def hold_for_a_cart(self, number: int, wanted: Lines) -> None:
        cart = self.carts[number]
        outcome = hold_for_cart(cart_id=cart, lines=self.lines(wanted), now=self.now, ttl=TTL)
        if self.fits(wanted, cart):
            assert outcome == Held()
            self.promises[cart] = Promise(dict(wanted), expires_at=self.now + TTL)
        else:
            assert isinstance(outcome, Refused)

    @rule(numbers=st.permutations(carts), wanted=wishes)
    def take_over_anothers(self, numbers: list[int], wanted: Lines) -> None:
        cart, other = (self.carts[number] for number in numbers[:2])
        outcome = hold_for_cart(
            cart_id=cart, lines=self.lines(wanted), now=self.now, ttl=TTL, instead_of=other
        )
        if self.fits(wanted, cart, other):
            assert outcome == Held()
            self.promises[cart] = Promise(dict(wanted), expires_at=self.now + TTL)
            if self.credit_of(other):
                self.promises[other] = Promise(self.promises[other].lines, "RELEASED")
        else:
            assert isinstance(outcome, Refused)

    @rule(number=st.sampled_from(carts))
    def keep(self, number: int) -> None:
        cart = self.carts[number]
        lines = self.lines(self.credit_of(cart))
        if lines:
            assert hold_for_cart(cart_id=cart, lines=lines, now=self.now, ttl=TTL) == Held()
            self.promises[cart].expires_at = self.now + TTL

    @rule(number=st.sampled_from(carts))
    def empty(self, number: int) -> None:
        cart = self.carts[number]
        holds = bool(self.credit_of(cart))
        assert release_cart_hold(cart_id=cart, now=self.now) == holds
        if holds:
            self.promises[cart] = Promise(self.promises[cart].lines, "RELEASED")

    @rule(minutes=st.integers(1, 8))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def free_what_is_over(self) -> None:
        over = [promise for promise in self.promises.values() if self.is_over(promise)]
        assert inventory.free_expired_holds(now=self.now) == len(over)
        for promise in over:
            promise.status, promise.expires_at = "RELEASED", None

    # Staff

    @rule(name=names, place=places, delta=st.integers(-4, 12).filter(bool))
    def adjust(self, name: str, place: str, delta: int) -> None:
        fails = self.skus[name].levels[place] + delta < 0
        with self.expect(NegativeStock if fails else None):
            inventory.adjust_stock(
                sku=self.code[name],
                delta=delta,
                reason="delivery",
                actor_id=None,
                warehouse=place,
                now=self.now,
            )
        if not fails:
            self.skus[name].levels[place] += delta

    @rule(name=names, place=places, on_hand=st.integers(0, 12))
    def count(self, name: str, place: str, on_hand: int) -> None:
        inventory.count_stock(
            sku=self.code[name],
            on_hand=on_hand,
            change_from=self.skus[name].levels[place],
            reason="count",
            actor_id=None,
            warehouse=place,
            now=self.now,
        )
        self.skus[name].levels[place] = on_hand

    @rule(name=names, source=places, quantity=st.integers(1, 6))
    def carry(self, name: str, source: str, quantity: int) -> None:
        target = next(place for place in PLACES if place != source)
        levels = self.skus[name].levels
        fails = levels[source] < quantity
        with self.expect(NegativeStock if fails else None):
            inventory.transfer_stock(
                sku=self.code[name],
                quantity=quantity,
                from_warehouse=source,
                to_warehouse=target,
                reason="van",
                actor_id=None,
                now=self.now,
            )
        if not fails:
            levels[source] -= quantity
            levels[target] += quantity

    @rule(name=names, limit=st.integers(0, 5), threshold=st.none() | st.integers(0, 5))
    def configure(self, name: str, limit: int, threshold: int | None) -> None:
        item = StockItem.objects.get(sku=self.code[name])
        inventory.configure_stock(
            sku=self.code[name],
            settings={"backorder_limit": limit, "low_stock_threshold": threshold},
            change_from={
                "backorder_limit": self.skus[name].limit,
                "low_stock_threshold": item.low_stock_threshold,
            },
            reason="season",
            actor_id=None,
            now=self.now,
        )
        self.skus[name].limit = limit

    @invariant()
    def both_say_the_same(self) -> None:
        for name, sku in self.skus.items():
            item = StockItem.objects.prefetch_related("level_rows").get(sku=self.code[name])
            assert item.left == self.left(name)
            for place in PLACES:
                assert item.in_warehouse(place) == sku.levels[place]
        found = Reservation.objects.filter(pk__in=self.promises).prefetch_related(
            "line_rows__stock_item"
        )
        rows = {reservation.pk: reservation for reservation in found}
        assert rows.keys() == self.promises.keys()
        for holder_id, promise in self.promises.items():
            row = rows[holder_id]
            assert (row.status, row.expires_at) == (promise.status, promise.expires_at)
            if promise.status == "HELD":
                lines = {line.stock_item.sku: line.quantity for line in row.lines}
                assert lines == {self.code[n]: quantity for n, quantity in promise.lines.items()}

    def teardown(self) -> None:
        assert_books_are_right()
        inventory.free_expired_holds(now=self.now + timedelta(days=1))  # the next one begins anew


def run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Shop,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_stock_behaves_like_its_model() -> None:
    run(examples=10, steps=30)


@pytest.mark.long
def test_the_stock_behaves_like_its_model_for_long() -> None:
    run(examples=150, steps=60)
