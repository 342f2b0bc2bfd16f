"""The rules of a stock item and its warehouses, without a database."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from domains.products.errors import (
    InvalidQuantity,
    MainWarehouseNeeded,
    NegativeStock,
    SameWarehouse,
    SeveralWarehouses,
    StockChanged,
    WarehouseNotEmpty,
)
from domains.products.models import StockItem, Warehouse
from domains.products.rules import stock as rules
from infrastructure.ids import new_id


def item(now: datetime, *, held: int = 0, threshold: int | None = None, **levels: int) -> StockItem:
    made = StockItem.empty(variant_id=new_id(), sku="A")
    for warehouse, on_hand in levels.items():
        made.adjust(delta=on_hand, reason="in", actor_id=None, warehouse=warehouse, now=now)
    made.held, made.low_stock_threshold = held, threshold
    made.__dict__["_events"] = []
    return made


def facts(stock: StockItem) -> list[Any]:
    return [
        (type(event).__name__, getattr(event, "warehouse", None))
        for event in stock.__dict__["_events"]
    ]


def by(now: datetime) -> dict[str, Any]:
    return {"reason": "count", "actor_id": None, "now": now}


def configure(stock: StockItem, now: datetime, limit: int, threshold: int | None) -> None:
    stock.configure(backorder_limit=limit, low_stock_threshold=threshold, **by(now))


def test_a_transfer_changes_two_levels_and_no_total(now: datetime) -> None:
    stock = item(now, main=5)
    transfer_id = stock.transfer(quantity=2, from_warehouse="main", to_warehouse="leeds", **by(now))
    assert (stock.in_warehouse("main"), stock.in_warehouse("leeds"), stock.on_hand) == (3, 2, 5)
    assert facts(stock) == [("StockUpdated", "main"), ("StockUpdated", "leeds")]
    moved = stock.__dict__["_along"][-2:]
    assert [(m.transfer_id, m.on_hand_delta) for m in moved] == [
        (transfer_id, -2),
        (transfer_id, 2),
    ]


@pytest.mark.parametrize(
    ("quantity", "source", "target", "error"),
    [
        (0, "main", "leeds", InvalidQuantity),
        (6, "main", "leeds", NegativeStock),
        (1, "main", "main", SameWarehouse),
    ],
)
def test_an_impossible_transfer_is_refused(
    now: datetime, quantity: int, source: str, target: str, error: type[Exception]
) -> None:
    stock = item(now, main=5)
    with pytest.raises(error):
        stock.transfer(quantity=quantity, from_warehouse=source, to_warehouse=target, **by(now))
    assert (stock.in_warehouse("main"), facts(stock)) == (5, [])


def test_a_count_of_the_total_goes_where_everything_lies(now: datetime) -> None:
    stock = item(now, leeds=5)
    stock.count(on_hand=4, change_from=5, **by(now))
    assert stock.in_warehouse("leeds") == 4
    nothing = item(now)
    nothing.count(on_hand=3, change_from=0, **by(now))
    assert nothing.in_warehouse("main") == 3


def test_a_count_of_the_total_of_several_places_is_refused(now: datetime) -> None:
    stock = item(now, main=2, leeds=5)
    with pytest.raises(SeveralWarehouses):
        stock.count(on_hand=4, change_from=7, **by(now))
    stock.count(on_hand=4, change_from=5, warehouse="leeds", **by(now))
    assert stock.on_hand == 6


def test_a_count_that_believed_something_else_is_told_what_there_is(now: datetime) -> None:
    with pytest.raises(StockChanged) as refused:
        item(now, main=2).count(on_hand=4, change_from=3, **by(now))
    assert [(e.pointer, e.current) for e in refused.value.errors] == [("/change_from", 2)]


@pytest.mark.parametrize(
    ("left", "threshold", "low"), [(3, None, False), (3, 2, False), (2, 2, True), (-1, 0, True)]
)
def test_low_is_at_the_threshold_or_below(left: int, threshold: int | None, low: bool) -> None:
    assert rules.is_low(left, threshold=threshold) is low


def test_running_low_is_told_when_it_begins(now: datetime) -> None:
    stock = item(now, main=10, held=3, threshold=5)
    for delta in (-1, -1, -1, 3, -3):
        stock.adjust(delta=delta, **by(now))
    assert [name for name, _ in facts(stock)].count("StockLow") == 2
    configure(stock, now, 0, 7)
    assert [name for name, _ in facts(stock)].count("StockLow") == 2


def test_a_limit_turns_availability_and_makes_shortages(now: datetime) -> None:
    stock = item(now, main=2, held=3)
    for limit in (4, 1, 0):
        configure(stock, now, limit, None)
    assert [name for name, _ in facts(stock)] == [
        "StockAvailabilityChanged",
        "StockAvailabilityChanged",
        "StockShort",
    ]
    assert [m.backorder_delta for m in stock.__dict__["_along"][1:]] == [4, -3, -1]
    with pytest.raises(InvalidQuantity):
        configure(stock, now, -1, None)


def test_what_changes_between_two_holds() -> None:
    a, b, c, d = (UUID(int=number) for number in range(4))
    before, after = {a: 1, b: 2, c: 3}, {b: 2, c: 5, d: 4}
    assert rules.changes(before, after) == {a: -1, c: 2, d: 4}
    assert rules.changes(after, after) == {}


def test_only_an_empty_warehouse_is_closed_and_the_main_one_never() -> None:
    leeds = Warehouse.open(code="leeds", name="Leeds")
    with pytest.raises(WarehouseNotEmpty):
        leeds.close(is_empty=False)
    leeds.close(is_empty=True)
    assert leeds.active is False
    leeds.reopen()
    assert leeds.active is True
    with pytest.raises(MainWarehouseNeeded):
        Warehouse.open(code="main", name="Main").close(is_empty=True)
