"""Many threads on few SKUs: never too much, never half of it, never twice, never stuck."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Barrier
from uuid import UUID

import pytest
from django.conf import settings

from domains.products.errors import (
    NegativeStock,
    StockChanged,
    WarehouseInactive,
    WarehouseNotEmpty,
)
from domains.products.models import Reservation, StockItem, StockLevel, Warehouse
from domains.products.public import (
    Held,
    HoldLine,
    HoldRequest,
    HoldState,
    Refused,
    Released,
    active_reservations,
    hold,
    hold_for_cart,
    hold_many,
    hold_state,
    release,
    release_cart_hold,
)
from domains.products.queries.stock import inventory_of
from domains.products.services import inventory, warehouses
from infrastructure.database.threads import in_threads
from infrastructure.ids import new_id
from tests.support.factories import products
from tests.support.messaging import process_environment
from tests.support.stock import assert_books_are_right

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("skus", [("HOT",), ("HOT1", "HOT2", "HOT3")])
def test_1000_buyers_of_100_units_get_exactly_100(now: datetime, skus: tuple[str, ...]) -> None:
    products.stocked(dict.fromkeys(skus, 100), now=now)
    lines = products.lines(dict.fromkeys(skus, 1))
    outcomes = []

    def buy(number: int) -> None:
        # Every buyer names the SKUs in an order of their own.
        mine = random.Random(number).sample(lines, len(lines))
        outcomes.append(hold(order_id=new_id(), lines=mine, now=now))

    in_threads(buy, range(1000), threads=16)
    assert Counter(type(outcome) for outcome in outcomes) == {Held: 100, Refused: 900}
    for item in StockItem.objects.all():
        assert (item.on_hand, item.held) == (100, 100)
    assert_books_are_right()


def buyers(times: int, *, threads: int, now: datetime) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.support.stock_process",
            "buy",
            str(times),
            str(threads),
            now.isoformat(),
        ],
        cwd=settings.BASE_DIR,
        env=process_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )


def bought_by(processes: list[subprocess.Popen[str]]) -> tuple[int, int]:
    """How many were held of how many that were asked for."""
    printed = [process.communicate(timeout=300)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return sum(int(held) for held, _ in printed), sum(int(asked) for _, asked in printed)


@pytest.mark.long
def test_buyers_in_several_processes_share_what_there_is(now: datetime) -> None:
    products.stocked({"HOT": 100}, now=now)
    processes = [buyers(100, threads=4, now=now) for _ in range(3)]
    assert bought_by(processes) == (100, 300)
    assert StockItem.objects.get(sku="HOT").held == 100
    assert_books_are_right()


@pytest.mark.long
def test_10000_buyers_in_six_processes_get_exactly_what_there_is(now: datetime) -> None:
    products.stocked({"HOT1": 1000, "HOT2": 1000}, now=now)
    processes = [buyers(1700, threads=6, now=now) for _ in range(6)]
    assert bought_by(processes) == (1000, 10_200)
    assert [item.held for item in StockItem.objects.all()] == [1000, 1000]
    assert_books_are_right()


def race(steps: int, *, seed: int, now: datetime) -> None:
    """Buyers, carts, expiry, staff and the warehouse at once, on few SKUs and few carts."""
    skus = dict.fromkeys("ABCDEF", 40)
    ids = products.stocked(skus, now=now)
    warehouses.open_warehouse(code="leeds", name="Leeds", now=now)
    for sku in "AB":
        inventory.configure_stock(
            sku=sku,
            settings={"low_stock_threshold": 10, "backorder_limit": 3},
            change_from={"low_stock_threshold": None, "backorder_limit": 0},
            reason="season",
            actor_id=None,
            now=now,
        )
    carts = [new_id() for _ in range(12)]
    orders: list[UUID] = []
    ttl = timedelta(seconds=60)

    def wish(dice: random.Random) -> list[HoldLine]:
        chosen = dice.sample(sorted(skus), dice.randint(1, 4))
        return [
            HoldLine(variant_id=ids[sku], sku=sku, quantity=dice.randint(1, 3)) for sku in chosen
        ]

    wishes: dict[UUID, list[HoldLine]] = {}

    def act(number: int) -> None:
        dice = random.Random(seed * 1_000_003 + number)
        # Time goes on with the numbers, so that holds expire all the while.
        at = now + timedelta(seconds=number / 4)
        cart_id, sku = dice.choice(carts), dice.choice(sorted(skus))
        match dice.randrange(12):
            case 0 | 1 | 2:
                wishes[cart_id] = wish(dice)
                source = dice.choice([None, *(other for other in carts if other != cart_id)])
                hold_for_cart(
                    cart_id=cart_id, lines=wishes[cart_id], now=at, ttl=ttl, instead_of=source
                )
            case 3:
                release_cart_hold(cart_id=cart_id, now=at)
            case 4:
                # The same again, to hold it for longer.
                lines = wishes.get(cart_id) or wish(dice)
                hold_for_cart(cart_id=cart_id, lines=lines, now=at, ttl=ttl)
            case 5 | 6:
                orders.append(order_id := new_id())
                hold(order_id=order_id, lines=wish(dice), now=at, instead_of=cart_id)
            case 7:
                requests = [
                    HoldRequest(
                        order_id=new_id(),
                        lines=tuple(wish(dice)),
                        instead_of=dice.choice([None, *carts]),
                    )
                    for _ in range(dice.randint(2, 5))
                ]
                hold_many(requests=requests, now=at)
                orders.extend(request.order_id for request in requests)
            case 8:
                if orders:
                    release(order_id=dice.choice(orders), now=at)
            case 9:
                inventory.free_expired_holds(now=at)
            case 10:
                with suppress(NegativeStock):
                    inventory.transfer_stock(
                        sku=sku,
                        quantity=dice.randint(1, 5),
                        from_warehouse=(place := dice.choice(["main", "leeds"])),
                        to_warehouse="leeds" if place == "main" else "main",
                        reason="van",
                        actor_id=None,
                        now=at,
                    )
            case _:
                with suppress(StockChanged):
                    inventory.count_stock(
                        sku=sku,
                        on_hand=dice.randint(5, 25),
                        change_from=inventory_of(sku).warehouses[-1].on_hand,
                        warehouse="main",
                        reason="count",
                        actor_id=None,
                        now=at,
                    )

    in_threads(act, range(steps), threads=8)
    assert_books_are_right()
    inventory.free_expired_holds(now=now + timedelta(days=1))
    assert not Reservation.objects.filter(holder="cart", status="HELD").exists()
    for order_id in orders:
        release(order_id=order_id, now=now)
    assert {item.held for item in StockItem.objects.all()} == {0}
    assert_books_are_right()


def test_buyers_carts_expiry_counts_and_transfers_at_once_keep_the_books(now: datetime) -> None:
    race(400, seed=1, now=now)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 8))
def test_the_same_for_long(now: datetime, seed: int) -> None:
    race(6000, seed=seed, now=now)


def test_one_carts_hold_goes_to_one_of_many_orders_and_nobody_slips_between(
    now: datetime,
) -> None:
    products.stocked({"A": 2}, now=now)
    cart_id, lines = new_id(), products.lines({"A": 2})
    assert hold_for_cart(cart_id=cart_id, lines=lines, now=now, ttl=timedelta(hours=1)) == Held()
    together, outcomes = Barrier(16), {}

    def buy(number: int) -> None:
        order_id = new_id()
        together.wait()
        instead_of = cart_id if number % 2 else None
        outcomes[number] = hold(order_id=order_id, lines=lines, now=now, instead_of=instead_of)

    in_threads(buy, range(16), threads=16)
    winners = [number for number, outcome in outcomes.items() if outcome == Held()]
    assert len(winners) == 1
    assert winners[0] % 2 == 1  # never one without the cart
    assert StockItem.objects.get(sku="A").held == 2
    assert_books_are_right()


def test_one_carts_hold_goes_to_one_of_many_carts_and_nobody_slips_between(now: datetime) -> None:
    for _ in range(5):
        sku = f"A-{new_id()}"
        products.stocked({sku: 2}, now=now)
        cart_id, lines = new_id(), products.lines({sku: 2})
        ttl = timedelta(hours=1)
        assert hold_for_cart(cart_id=cart_id, lines=lines, now=now, ttl=ttl) == Held()
        together, outcomes, source, wanted = Barrier(8), {}, cart_id, lines

        def take(
            number: int,
            together: Barrier = together,
            outcomes: dict[int, object] = outcomes,
            source: UUID = source,
            wanted: list[HoldLine] = wanted,
        ) -> None:
            target = new_id()
            together.wait()
            outcomes[number] = hold_for_cart(
                cart_id=target,
                lines=wanted,
                now=now,
                ttl=timedelta(hours=1),
                instead_of=source if number % 2 else None,
            )

        in_threads(take, range(8), threads=8)
        winners = [number for number, outcome in outcomes.items() if outcome == Held()]
        assert len(winners) == 1
        assert winners[0] % 2 == 1  # never one without the hold
        assert StockItem.objects.get(sku=sku).held == 2
    assert_books_are_right()


def test_one_cart_written_from_many_threads_holds_one_of_the_wishes(now: datetime) -> None:
    ids = products.stocked({"A": 30, "B": 30, "C": 30}, now=now)
    cart_id = new_id()
    wishes = [
        {ids[a]: number % 3 + 1, ids[b]: number % 2 + 1}
        for number, (a, b) in enumerate([("A", "B"), ("B", "C"), ("A", "C")] * 10)
    ]
    skus = {variant_id: sku for sku, variant_id in ids.items()}

    def write(wanted: dict[UUID, int]) -> None:
        lines = [
            HoldLine(variant_id=variant_id, sku=skus[variant_id], quantity=quantity)
            for variant_id, quantity in wanted.items()
        ]
        outcome = hold_for_cart(cart_id=cart_id, lines=lines, now=now, ttl=timedelta(hours=1))
        assert outcome == Held()

    in_threads(write, wishes, threads=10)
    held = dict(
        Reservation.objects.get(pk=cart_id).line_rows.values_list("stock_item_id", "quantity")
    )
    assert held in wishes
    assert_books_are_right()


def test_a_warehouse_is_not_closed_while_goods_come_in(now: datetime) -> None:
    products.stocked({"A": 0}, now=now)
    for attempt in range(12):
        code = f"w{attempt}"
        warehouses.open_warehouse(code=code, name=code, now=now)
        together, refused = Barrier(2), []

        def act(what: str, code: str = code, together: Barrier = together) -> None:
            together.wait()
            try:
                if what == "close":
                    warehouses.edit_warehouse(code=code, version=None, active=False)
                else:
                    inventory.adjust_stock(
                        sku="A", delta=1, reason="in", actor_id=None, warehouse=code, now=now
                    )
            except (WarehouseInactive, WarehouseNotEmpty) as error:
                refused.append(type(error))  # noqa: B023

        in_threads(act, ["close", "adjust"], threads=2)
        assert len(refused) == 1
        is_open = Warehouse.objects.get(pk=code).active
        assert is_open == StockLevel.objects.filter(warehouse_id=code, on_hand=1).exists()
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
                inventory.set_stock(levels={"B": 20 + number % 7}, reason="count", now=now)
            case _:
                order_id = new_id()
                hold(order_id=order_id, lines=lines, now=now)
                if number % 8 == 2:
                    release(order_id=order_id, now=now)

    in_threads(act, range(240), threads=8)
    assert StockItem.objects.get(sku="A").on_hand == 100
    assert_books_are_right()
