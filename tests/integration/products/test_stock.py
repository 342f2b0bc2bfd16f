"""Goods leave for an order."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from domains.products.errors import NegativeStock, NotHeld, UnknownWarehouse
from domains.products.models import Reservation, StockItem, StockMovement
from domains.products.public import (
    Held,
    HoldState,
    hold,
    hold_state,
    release,
    set_stock,
    take_out,
)
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import products
from tests.support.stock import assert_books_are_right

pytestmark = pytest.mark.django_db


@pytest.fixture
def order_id(now: datetime) -> UUID:
    products.stocked({"A": 5, "B": 5}, now=now)
    return products.held({"A": 3, "B": 1}, now=now)


def send(order_id: UUID, lines: dict[str, int], *, now: datetime, fulfilment_id: UUID) -> bool:
    return take_out(
        order_id=order_id,
        fulfilment_id=fulfilment_id,
        lines=products.lines(lines),
        warehouse="main",
        now=now,
    )


def counters(sku: str) -> tuple[int, int]:
    item = StockItem.objects.get(sku=sku)
    return item.on_hand, item.held


def test_what_leaves_is_neither_there_nor_held_any_more(order_id: UUID, now: datetime) -> None:
    first = new_id()
    assert send(order_id, {"A": 2}, now=now, fulfilment_id=first) is True
    assert (counters("A"), counters("B")) == ((3, 1), (5, 1))
    assert hold_state([order_id]) == {order_id: HoldState.HELD}
    assert send(order_id, {"A": 1, "B": 1}, now=now, fulfilment_id=new_id()) is True
    assert (counters("A"), counters("B")) == ((2, 0), (4, 0))
    assert hold_state([order_id]) == {order_id: HoldState.FULFILLED}
    [movement] = StockMovement.objects.filter(fulfilment_id=first)
    assert (movement.kind, movement.on_hand_delta, movement.held_delta) == ("SHIPMENT", -2, -2)
    assert (movement.order_id, movement.warehouse_id) == (order_id, "main")
    key = str(products.variant_id("A"))
    told = OutboxMessage.objects.using(alias_of("products")).filter(key=key).order_by("id")
    assert [row.name.removeprefix("products.stock_") for row in told] == [
        "updated",
        "availability_changed",
        "updated",
        "updated",
    ]
    assert_books_are_right()


def test_a_fulfilment_takes_out_once(order_id: UUID, now: datetime) -> None:
    fulfilment_id = new_id()
    assert send(order_id, {"A": 2}, now=now, fulfilment_id=fulfilment_id) is True
    assert send(order_id, {"A": 2}, now=now, fulfilment_id=fulfilment_id) is False
    assert counters("A") == (3, 1)


def test_nothing_leaves_that_is_not_held(order_id: UUID, now: datetime) -> None:
    for wanted in ({"A": 4}, {"A": 1, "B": 2}):
        with pytest.raises(NotHeld):
            send(order_id, wanted, now=now, fulfilment_id=new_id())
    with pytest.raises(NotHeld):
        send(new_id(), {"A": 1}, now=now, fulfilment_id=new_id())
    assert (counters("A"), counters("B")) == ((5, 3), (5, 1))
    assert not StockMovement.objects.filter(kind="SHIPMENT").exists()


def test_nothing_leaves_a_warehouse_that_has_less(now: datetime) -> None:
    products.product(now=now, sku="A", stock=1, backorder_limit=5)
    order_id = products.held({"A": 3}, now=now)
    with pytest.raises(NegativeStock):
        send(order_id, {"A": 2}, now=now, fulfilment_id=new_id())
    with pytest.raises(UnknownWarehouse):
        take_out(
            order_id=order_id,
            fulfilment_id=new_id(),
            lines=products.lines({"A": 1}),
            warehouse="nowhere",
            now=now,
        )
    assert counters("A") == (1, 3)


def test_what_is_left_of_a_hold_is_released_and_a_fulfilled_one_stays(
    order_id: UUID, now: datetime
) -> None:
    send(order_id, {"A": 2, "B": 1}, now=now, fulfilment_id=new_id())
    assert release(order_id=order_id, now=now) is True
    assert (counters("A"), counters("B")) == ((3, 0), (4, 0))
    fulfilled = products.held({"A": 1}, now=now)
    send(fulfilled, {"A": 1}, now=now, fulfilment_id=new_id())
    assert release(order_id=fulfilled, now=now) is False
    assert hold(order_id=fulfilled, lines=products.lines({"A": 1}), now=now) == Held()
    assert Reservation.objects.get(pk=fulfilled).status == "FULFILLED"
    assert counters("A") == (2, 0)
    assert_books_are_right()


@pytest.mark.parametrize("count", [2, 60])
def test_goods_come_and_leave_in_as_many_statements_however_many_they_are(
    count: int, now: datetime, django_assert_num_queries: Any
) -> None:
    skus = [f"S{n}" for n in range(count)]
    products.stocked(dict.fromkeys(skus, 0), now=now)
    # A transaction within that of the test; the items and their levels, locked; what is written;
    # that there is something of them now, in the listing of their products.
    with django_assert_num_queries(7, using=alias_of("products")):
        set_stock(levels=dict.fromkeys(skus, 5), reason="delivery", now=now)
    order_id = products.held(dict.fromkeys(skus, 2), now=now)
    leaving = products.lines(dict.fromkeys(skus, 1))
    # The same, with whether it was done before, the hold and its lines, and the hold's end.
    with django_assert_num_queries(9, using=alias_of("products")):
        take_out(
            order_id=order_id, fulfilment_id=new_id(), lines=leaving, warehouse="main", now=now
        )
    assert {counters(sku) for sku in skus} == {(4, 1)}
    assert_books_are_right()
