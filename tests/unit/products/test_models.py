"""The rules of the aggregates, without a database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from domains.products.errors import (
    InvalidQuantity,
    NegativePrice,
    NegativeStock,
    PriceTooLarge,
    StockChanged,
)
from domains.products.models import (
    Price,
    StockItem,
    StockMovement,
)
from infrastructure.ids import new_id
from infrastructure.money import MAX_AMOUNT_MINOR, Money


def facts(root: Any) -> list[str]:
    return [type(event).__name__ for event in root.__dict__.get("_events", [])]


def stock(on_hand: int, *, held: int = 0, backorder_limit: int = 0, now: datetime) -> StockItem:
    item = StockItem.empty(variant_id=new_id(), sku="A", backorder_limit=backorder_limit)
    if on_hand:
        item.adjust(delta=on_hand, reason="delivery", actor_id=None, now=now)
    item.held = held
    item.__dict__["_events"] = []
    return item


def count(item: StockItem, on_hand: int, *, now: datetime, change_from: int | None = None) -> Any:
    return item.count(
        on_hand=on_hand, change_from=change_from, reason="count", actor_id=None, now=now
    )


def adjust(item: StockItem, delta: int, *, now: datetime) -> StockMovement:
    return item.adjust(delta=delta, reason="count", actor_id=None, now=now)


def test_an_adjustment_moves_item_level_and_ledger_alike(now: datetime) -> None:
    item = stock(5, now=now)
    movement = adjust(item, -2, now=now)
    assert (item.on_hand, item.levels[0].on_hand, movement.on_hand_delta) == (3, 3, -2)
    assert facts(item) == ["StockUpdated"]


@pytest.mark.parametrize(
    ("before", "held", "delta", "expected"),
    [
        (0, 0, 1, ["StockUpdated", "StockAvailabilityChanged"]),
        (3, 3, 1, ["StockUpdated", "StockAvailabilityChanged"]),
        (3, 2, -1, ["StockUpdated", "StockAvailabilityChanged"]),
        (3, 2, -2, ["StockUpdated", "StockAvailabilityChanged", "StockShort"]),
        (3, 4, -1, ["StockUpdated", "StockShort"]),
        (3, 5, 1, ["StockUpdated"]),
        (3, 1, 5, ["StockUpdated"]),
    ],
)
def test_facts_tell_when_availability_turns_and_when_stock_falls_short(
    before: int, held: int, delta: int, expected: list[str], now: datetime
) -> None:
    item = stock(before, held=held, now=now)
    adjust(item, delta, now=now)
    assert facts(item) == expected


def test_backorders_count_as_available(now: datetime) -> None:
    item = stock(1, held=2, backorder_limit=2, now=now)
    assert (item.left, item.available) == (1, True)
    adjust(item, -1, now=now)
    assert facts(item) == ["StockUpdated", "StockAvailabilityChanged"]


@pytest.mark.parametrize(
    ("delta", "error"),
    [(0, InvalidQuantity), (-6, NegativeStock), (2_000_000_000, InvalidQuantity)],
)
def test_impossible_adjustments_change_nothing(
    delta: int, error: type[Exception], now: datetime
) -> None:
    item = stock(5, now=now)
    with pytest.raises(error):
        adjust(item, delta, now=now)
    assert (item.on_hand, facts(item)) == (5, [])


def test_a_count_that_finds_what_was_there_is_no_movement(now: datetime) -> None:
    item = stock(5, now=now)
    assert count(item, 5, now=now) is None
    assert facts(item) == []


def test_a_count_is_refused_when_the_stock_is_not_what_was_believed(now: datetime) -> None:
    item = stock(5, now=now)
    with pytest.raises(StockChanged, match="5"):
        count(item, 3, change_from=4, now=now)
    with pytest.raises(InvalidQuantity):
        count(item, -1, now=now)
    assert count(item, 3, change_from=5, now=now).on_hand_delta == -2


def test_the_ledger_cannot_be_changed() -> None:
    movement = StockMovement(on_hand_delta=1, held_delta=0)
    for change in (movement.save, movement.delete, StockMovement.objects.all().delete):
        with pytest.raises(TypeError):
            change()


def test_a_price_remembers_what_it_was(now: datetime) -> None:
    price = Price.first(
        variant_id=new_id(), sku="A", money=Money(339, "GBP"), actor_id=None, now=now
    )
    price.set(amount_minor=339, actor_id=None, now=now)
    assert facts(price) == ["PriceChanged"]
    price.set(amount_minor=0, actor_id=None, now=now)
    before = [event.previous_amount_minor for event in price.__dict__["_events"]]
    assert before == [None, 339]
    with pytest.raises(NegativePrice):
        price.set(amount_minor=-1, actor_id=None, now=now)
    with pytest.raises(PriceTooLarge):
        price.set(amount_minor=MAX_AMOUNT_MINOR + 1, actor_id=None, now=now)
    assert price.money == Money(0, "GBP")
