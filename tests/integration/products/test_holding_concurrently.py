"""Many threads on few SKUs: never too much, never half of it, never twice, never stuck."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import datetime
from threading import Barrier
from uuid import UUID

import pytest

from domains.products.models import StockItem
from domains.products.public import (
    Held,
    HoldLine,
    HoldRequest,
    HoldState,
    Refused,
    Released,
    active_reservations,
    hold,
    hold_many,
    hold_state,
    release,
    stock_audit,
)
from domains.products.services import inventory
from infrastructure.database.contexts import alias_of
from infrastructure.database.threads import in_threads
from infrastructure.ids import new_id
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import products

pytestmark = pytest.mark.django_db(transaction=True)


def assert_books_are_right() -> None:
    promised: Counter[UUID] = Counter()
    for reservation in active_reservations():
        promised.update(reservation.lines)
    for stock in stock_audit():
        assert stock.held == stock.ledger_held == stock.reserved == promised[stock.variant_id]
        assert stock.on_hand == stock.ledger_on_hand == stock.levels_on_hand
    sequences = defaultdict(list)
    for message in OutboxMessage.objects.using(alias_of("products")).order_by("id"):
        sequences[message.key].append(message.sequence)
    for key, numbers in sequences.items():
        assert numbers == list(range(1, len(numbers) + 1)), key


def test_500_buyers_of_50_units_get_exactly_50(now: datetime) -> None:
    products.stocked({"HOT": 50}, now=now)
    lines = products.lines({"HOT": 1})
    outcomes = []

    def buy(order_id: UUID) -> None:
        outcomes.append(hold(order_id=order_id, lines=lines, now=now))

    in_threads(buy, [new_id() for _ in range(500)], threads=16)
    assert Counter(type(outcome) for outcome in outcomes) == {Held: 50, Refused: 450}
    item = StockItem.objects.get(sku="HOT")
    assert (item.on_hand, item.held) == (50, 50)
    assert_books_are_right()


def test_batches_of_orders_on_five_scarce_skus_neither_oversell_nor_deadlock(
    now: datetime,
) -> None:
    skus = dict.fromkeys("ABCDE", 120)
    ids = products.stocked(skus, now=now)
    dice = random.Random(7)

    def wish() -> HoldRequest:
        chosen = dice.sample(sorted(skus), dice.randint(1, 4))
        return HoldRequest(
            order_id=new_id(),
            lines=tuple(
                HoldLine(variant_id=ids[sku], sku=sku, quantity=dice.randint(1, 3))
                for sku in chosen
            ),
        )

    batches = [[wish() for _ in range(dice.randint(1, 8))] for _ in range(120)]
    wishes = {request.order_id: request for batch in batches for request in batch}
    outcomes: dict[UUID, object] = {}

    def settle(batch: list[HoldRequest]) -> None:
        mine = hold_many(requests=batch, now=now)
        outcomes.update(mine)
        kept = [order_id for order_id, outcome in mine.items() if outcome == Held()]
        if len(kept) > 2:
            release(order_id=kept[0], now=now)

    in_threads(settle, batches, threads=8)
    assert outcomes.keys() == wishes.keys()
    for item in StockItem.objects.all():
        assert 0 <= item.held <= item.on_hand == 120
    for reservation in active_reservations():
        asked = wishes[reservation.order_id]
        assert reservation.lines == {line.variant_id: line.quantity for line in asked.lines}
    assert_books_are_right()


def test_the_same_order_from_20_threads_is_held_once(now: datetime) -> None:
    # Exactly enough for one: who comes second finds nothing left, and must still answer Held.
    products.stocked({"A": 2, "B": 1}, now=now)
    order_id, lines = new_id(), products.lines({"A": 2, "B": 1})
    together, outcomes = Barrier(20), []

    def buy(_: int) -> None:
        together.wait()
        outcomes.append(hold(order_id=order_id, lines=lines, now=now))

    in_threads(buy, range(20), threads=20)
    assert outcomes == [Held()] * 20
    assert StockItem.objects.get(sku="A").held == 2
    assert_books_are_right()


def test_hold_and_release_of_one_order_race_to_one_answer(now: datetime) -> None:
    products.stocked({"A": 1000, "B": 1000}, now=now)
    lines = products.lines({"A": 1, "B": 1})
    answers: dict[UUID, list[object]] = defaultdict(list)

    def act(case: tuple[UUID, str]) -> None:
        order_id, what = case
        if what == "hold":
            answers[order_id].append(hold(order_id=order_id, lines=lines, now=now))
        else:
            answers[order_id].append(release(order_id=order_id, now=now))

    orders = [new_id() for _ in range(60)]
    steps = ("hold", "release", "hold", "release")
    in_threads(act, [(order_id, step) for order_id in orders for step in steps], threads=8)
    assert set(hold_state(orders).values()) == {HoldState.RELEASED}
    for order_id in orders:
        freed = answers[order_id].count(True)
        assert freed <= 1
        assert (Held() in answers[order_id]) == (freed == 1)
        assert hold(order_id=order_id, lines=lines, now=now) == Released()
    assert [item.held for item in StockItem.objects.all()] == [0, 0]
    assert_books_are_right()


def test_counts_adjustments_and_holds_at_once_lose_nothing(now: datetime) -> None:
    products.stocked({"A": 40, "B": 40}, now=now)
    lines = products.lines({"A": 1, "B": 1})

    def act(number: int) -> None:
        match number % 4:
            case 0:
                inventory.adjust_stock(sku="A", delta=1, reason="found", actor_id=None, now=now)
            case 1:
                inventory.count_stock(
                    sku="B",
                    on_hand=20 + number % 7,
                    change_from=None,
                    reason="count",
                    actor_id=None,
                    now=now,
                )
            case _:
                order_id = new_id()
                hold(order_id=order_id, lines=lines, now=now)
                if number % 8 == 2:
                    release(order_id=order_id, now=now)

    in_threads(act, range(240), threads=8)
    assert StockItem.objects.get(sku="A").on_hand == 100
    assert_books_are_right()
