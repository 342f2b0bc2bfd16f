"""The rules of the aggregates, without a database."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from domains.products.errors import (
    CategoryCycle,
    CategoryTooDeep,
    InvalidQuantity,
    NegativePrice,
    NegativeStock,
    NothingToSell,
    ProductArchived,
    StockChanged,
)
from domains.products.models import (
    Category,
    Price,
    Product,
    StockItem,
    StockMovement,
    Variant,
)
from domains.products.models.categories import MAX_DEPTH
from infrastructure.ids import new_id
from infrastructure.money import Money


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


def product(*skus: str, now: datetime) -> Product:
    return Product.create(
        name="White lantern",
        slug="white-lantern",
        description="Bright",
        status="active",
        variants=[Variant(sku=sku) for sku in skus],
        category_ids=[],
        now=now,
    )


def test_a_product_knows_what_it_is_searched_by(now: datetime) -> None:
    made = product("85123A", "85123B", now=now)
    assert made.search_text == "White lantern\n85123A 85123B\nBright"
    assert [variant.position for variant in made.variants] == [0, 1]
    made.edit(name="Red lantern", now=now)
    assert made.search_text.startswith("Red lantern\n")
    assert (made.slug, facts(made)) == ("white-lantern", ["ProductCreated", "ProductUpdated"])


@pytest.mark.parametrize("skus", [(), ("A", "A")])
def test_a_product_needs_variants_each_sku_once(skus: tuple[str, ...], now: datetime) -> None:
    with pytest.raises(NothingToSell):
        product(*skus, now=now)


def test_categories_are_replaced_and_links_that_stay_are_kept(now: datetime) -> None:
    made = product("A", now=now)
    first, second, third = UUID(int=1), UUID(int=2), UUID(int=3)
    made.edit(category_ids=[first, second, first], now=now)
    kept = made.categories[1]
    made.edit(category_ids=[second, third], now=now)
    assert [link.category_id for link in made.categories] == [second, third]
    assert made.categories[0] is kept


def test_an_archived_product_stays_archived(now: datetime) -> None:
    made = product("A", now=now)
    made.edit(name="Last words", status="archived", now=now)
    assert (made.name, made.status) == ("Last words", "archived")
    assert facts(made) == ["ProductCreated", "ProductDeleted"]
    with pytest.raises(ProductArchived):
        made.edit(status="active", now=now)
    with pytest.raises(ProductArchived):
        made.archive(now=now)


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
    assert price.money == Money(0, "GBP")


def category(parent: Category | None, now: datetime) -> Category:
    return Category.create(name="Lights", slug="lights", parent=parent, now=now)


def test_a_path_leads_from_the_root_down(now: datetime) -> None:
    top = category(None, now)
    below = category(top, now)
    assert below.path == f"{top.id.hex}/{below.id.hex}/"
    assert below.lies_in(top)
    assert not top.lies_in(below)
    below.move(parent=None, levels_below=0)
    assert (below.path, below.parent_id) == (f"{below.id.hex}/", None)


def test_a_category_cannot_lie_below_itself(now: datetime) -> None:
    top = category(None, now)
    below = category(top, now)
    for parent in (top, below):
        with pytest.raises(CategoryCycle):
            top.move(parent=parent, levels_below=1)


def test_the_tree_has_a_greatest_depth(now: datetime) -> None:
    deepest = category(None, now)
    for _ in range(MAX_DEPTH - 1):
        deepest = category(deepest, now)
    with pytest.raises(CategoryTooDeep):
        category(deepest, now)
    above, pair = Category(path="x/" * (MAX_DEPTH - 1)), category(None, now)
    pair.move(parent=above, levels_below=0)
    with pytest.raises(CategoryTooDeep):
        pair.move(parent=above, levels_below=1)
