"""What an order has given up moves no goods any more, also for who is about to move them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest

from domains.products.errors import ChangeBarred, WarehouseInactive
from domains.products.models import BarredChange, StockItem, StockMovement, Warehouse
from domains.products.public import (
    Held,
    HoldChange,
    bar_change,
    change_hold,
    restock,
    take_out,
)
from domains.products.services import warehouses
from domains.products.services.inventory import transfer_stock
from infrastructure.database.threads import in_threads
from infrastructure.ids import new_id
from tests.support.factories import products
from tests.support.stock import assert_books_are_right

pytestmark = pytest.mark.django_db(transaction=True)

Move = Callable[[UUID, UUID, datetime], object]
ROUNDS = [0, 1, *(pytest.param(number, marks=pytest.mark.long) for number in range(2, 20))]


def send(order_id: UUID, change_id: UUID, now: datetime, warehouse: str = "main") -> object:
    return take_out(
        order_id=order_id,
        fulfilment_id=change_id,
        lines=products.lines({"A": 1}),
        warehouse=warehouse,
        now=now,
    )


def hold_more(order_id: UUID, change_id: UUID, now: datetime) -> object:
    more = HoldChange(variant_id=products.variant_id("A"), sku="A", delta=1)
    return change_hold(order_id=order_id, change_id=change_id, changes=[more], now=now)


def put_back(order_id: UUID, change_id: UUID, now: datetime) -> object:
    return restock(
        order_id=order_id,
        change_id=change_id,
        lines=products.lines({"A": 1}),
        warehouse="main",
        now=now,
    )


def bar(order_id: UUID, change_id: UUID, now: datetime) -> str | None:
    return bar_change(order_id=order_id, change_id=change_id, refusal="refused", now=now)


# What each makes of 5 on hand of which 2 are held.
MOVES = pytest.mark.parametrize(
    ("move", "after"), [(send, (4, 1)), (hold_more, (5, 3)), (put_back, (6, 2))]
)


@pytest.fixture
def order_id(now: datetime) -> UUID:
    products.stocked({"A": 5}, now=now)
    return products.held({"A": 2}, now=now)


def stock() -> tuple[int, int]:
    item = StockItem.objects.get(sku="A")
    return item.on_hand, item.held


@MOVES
def test_what_is_barred_does_not_happen_and_everything_else_does(
    now: datetime, order_id: UUID, move: Move, after: tuple[int, int]
) -> None:
    given_up = new_id()
    for refusal in ("out_of_stock", "step_failed"):
        told = bar_change(order_id=order_id, change_id=given_up, refusal=refusal, now=now)
        assert told == "out_of_stock"

    for _ in range(2):
        with pytest.raises(ChangeBarred):
            move(order_id, given_up, now)

    assert stock() == (5, 2)
    assert BarredChange.objects.count() == 1
    assert move(order_id, new_id(), now) in (True, Held())
    assert stock() == after
    assert_books_are_right()


@MOVES
def test_what_has_happened_is_not_barred(
    now: datetime, order_id: UUID, move: Move, after: tuple[int, int]
) -> None:
    change_id = new_id()
    move(order_id, change_id, now)

    assert bar(order_id, change_id, now) is None

    assert move(order_id, change_id, now) in (False, Held())
    assert stock() == after
    assert BarredChange.objects.count() == 0


@MOVES
@pytest.mark.parametrize("_round", ROUNDS)
def test_at_once_it_happens_or_is_barred(
    now: datetime, order_id: UUID, move: Move, after: tuple[int, int], _round: int
) -> None:
    change_id = new_id()
    told: dict[str, Any] = {}

    barrier = Barrier(2)

    def do(work: str) -> None:
        barrier.wait()
        if work == "bar":
            told[work] = bar(order_id, change_id, now)
            return
        try:
            told[work] = move(order_id, change_id, now)
        except ChangeBarred:
            told[work] = None

    in_threads(do, ["move", "bar"], threads=2)

    assert told["bar"] == ("refused" if told["move"] is None else None)
    assert stock() == ((5, 2) if told["bar"] else after)
    assert StockMovement.objects.filter(change_id=change_id).count() + (
        StockMovement.objects.filter(fulfilment_id=change_id).count()
    ) == (0 if told["bar"] else 1)
    assert_books_are_right()


def test_who_never_held_anything_has_nothing_to_bar(now: datetime) -> None:
    assert bar(new_id(), new_id(), now) == "refused"
    assert BarredChange.objects.count() == 0


def test_a_shipment_that_is_told_again_after_its_warehouse_was_closed_has_been_sent(
    now: datetime, order_id: UUID
) -> None:
    warehouses.open_warehouse(code="north", name="North", now=now)
    transfer_stock(
        sku="A",
        quantity=1,
        from_warehouse="main",
        to_warehouse="north",
        reason="",
        actor_id=None,
        now=now,
    )
    parcel = new_id()
    assert send(order_id, parcel, now, warehouse="north") is True
    north = Warehouse.objects.get(pk="north")
    warehouses.edit_warehouse(code="north", active=False, version=north.version)

    assert send(order_id, parcel, now, warehouse="north") is False
    with pytest.raises(WarehouseInactive):
        send(order_id, new_id(), now, warehouse="north")
    assert stock() == (4, 1)
