"""An order changes what it holds, and goods come back from it: all or nothing, once per change."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domains.products.errors import InvalidQuantity, NotHeld, UnknownWarehouse
from domains.products.models import Reservation, StockItem, StockMovement
from domains.products.public import (
    Held,
    HoldChange,
    HoldState,
    Refused,
    Released,
    change_hold,
    hold_for_cart,
    hold_state,
    lacking_in,
    release,
    restock,
    take_out,
)
from infrastructure.database.contexts import alias_of
from infrastructure.database.threads import in_threads
from infrastructure.ids import new_id
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import products
from tests.support.stock import assert_books_are_right

pytestmark = pytest.mark.django_db(transaction=True)


def changed(order_id: UUID, now: datetime, *, by: UUID | None = None, **deltas: int) -> object:
    return change_hold(
        order_id=order_id,
        change_id=by or new_id(),
        changes=[
            HoldChange(variant_id=products.variant_id(sku), sku=sku, delta=delta)
            for sku, delta in deltas.items()
        ],
        now=now,
    )


def held(sku: str) -> int:
    return StockItem.objects.get(sku=sku).held


def lines_of(order_id: UUID) -> dict[str, int]:
    found = Reservation.objects.prefetch_related("line_rows__stock_item").get(pk=order_id)
    return {line.stock_item.sku: line.quantity for line in found.line_rows.all()}


def test_more_of_this_less_of_that_and_something_new(now: datetime) -> None:
    products.stocked({"A": 5, "B": 5, "C": 5}, now=now)
    order_id = products.held({"A": 2, "B": 3}, now=now)

    assert changed(order_id, now, A=1, B=-3, C=2) == Held()

    assert lines_of(order_id) == {"A": 3, "C": 2}
    assert [held("A"), held("B"), held("C")] == [3, 0, 2]
    assert set(
        StockMovement.objects.filter(change_id__isnull=False).values_list(
            "stock_item__sku", "kind", "held_delta", "order_id"
        )
    ) == {
        ("A", "HOLD", 1, order_id),
        ("B", "RELEASE", -3, order_id),
        ("C", "HOLD", 2, order_id),
    }
    assert_books_are_right()


def test_a_change_is_made_once_however_often_it_is_asked_for(now: datetime) -> None:
    products.stocked({"A": 5}, now=now)
    order_id = products.held({"A": 2}, now=now)
    change_id = new_id()

    for _ in range(3):
        assert changed(order_id, now, by=change_id, A=1) == Held()

    assert lines_of(order_id) == {"A": 3}


def test_what_is_short_changes_nothing_and_says_what_there_is(now: datetime) -> None:
    ids = products.stocked({"A": 5, "B": 5}, now=now)
    order_id = products.held({"A": 2, "B": 3}, now=now)

    refused = changed(order_id, now, A=4, B=-1)

    assert isinstance(refused, Refused)
    [short] = refused.shortages
    assert (short.variant_id, short.requested, short.available) == (ids["A"], 4, 3)
    assert lines_of(order_id) == {"A": 2, "B": 3}
    assert not StockMovement.objects.filter(change_id__isnull=False).exists()
    assert_books_are_right()


def test_goods_of_a_cart_whose_time_is_over_are_freed_for_it(now: datetime) -> None:
    products.stocked({"A": 5}, now=now)
    order_id = products.held({"A": 2}, now=now)
    hold_for_cart(
        cart_id=new_id(), lines=products.lines({"A": 3}), now=now, ttl=timedelta(minutes=1)
    )

    assert changed(order_id, now + timedelta(minutes=2), A=3) == Held()
    assert held("A") == 5
    assert_books_are_right()


def test_giving_back_the_last_ends_the_hold(now: datetime) -> None:
    products.stocked({"A": 5}, now=now)
    order_id = products.held({"A": 2}, now=now)

    assert changed(order_id, now, A=-2) == Held()

    assert hold_state([order_id]) == {order_id: HoldState.RELEASED}
    assert changed(order_id, now, A=1) == Released()
    told = OutboxMessage.objects.using(alias_of("products")).filter(key=str(order_id))
    assert list(told.order_by("sequence").values_list("name", flat=True)) == [
        "products.stock_reserved",
        "products.stock_released",
    ]
    assert_books_are_right()


def test_no_more_is_given_back_than_is_held(now: datetime) -> None:
    products.stocked({"A": 5, "B": 5}, now=now)
    order_id = products.held({"A": 2}, now=now)
    with pytest.raises(NotHeld):
        changed(order_id, now, A=-3)
    with pytest.raises(NotHeld):
        changed(order_id, now, B=-1)
    assert lines_of(order_id) == {"A": 2}


def test_an_order_that_never_held_or_was_released_holds_nothing_by_a_change(now: datetime) -> None:
    products.stocked({"A": 5}, now=now)
    order_id = products.held({"A": 2}, now=now)
    release(order_id=order_id, now=now)
    assert changed(order_id, now, A=1) == Released()
    assert changed(new_id(), now, A=1) == Released()
    assert held("A") == 0


def test_a_change_is_three_statements_whatever_the_number_of_lines(
    now: datetime, django_assert_num_queries: Any
) -> None:
    quantities = {f"S{number}": 2 for number in range(30)}
    products.stocked(quantities, now=now)
    order_id = products.held(dict.fromkeys(quantities, 1), now=now)
    deltas = [
        HoldChange(variant_id=line.variant_id, sku=line.sku, delta=1)
        for line in products.lines(quantities)
    ]
    with django_assert_num_queries(3, using=alias_of("products")):
        assert change_hold(order_id=order_id, change_id=new_id(), changes=deltas, now=now) == Held()


def test_many_changes_of_one_order_at_once_are_all_made_once_and_never_beyond_the_stock(
    now: datetime,
) -> None:
    products.stocked({"A": 30, "B": 30}, now=now)
    order_id = products.held({"A": 1, "B": 10}, now=now)
    changes = [new_id() for _ in range(10)]
    outcomes: dict[UUID, set[object]] = {change: set() for change in changes}

    def change(change_id: UUID) -> None:
        outcomes[change_id].add(changed(order_id, now, by=change_id, A=2, B=-1))

    in_threads(change, changes * 2, threads=8)

    assert [outcomes[change_id] for change_id in changes] == [{Held()}] * 10
    assert lines_of(order_id) == {"A": 21}
    assert_books_are_right()


def test_orders_that_want_the_last_units_get_no_more_than_there_are(now: datetime) -> None:
    products.stocked({"A": 16}, now=now)
    orders = [products.held({"A": 1}, now=now) for _ in range(10)]
    outcomes: list[object] = []

    in_threads(lambda order_id: outcomes.append(changed(order_id, now, A=1)), orders, threads=8)

    assert outcomes.count(Held()) == 6
    assert held("A") == 16
    assert_books_are_right()


def test_a_change_and_goods_that_leave_take_each_unit_once(now: datetime) -> None:
    products.stocked({"A": 10}, now=now)
    orders = [products.held({"A": 1}, now=now) for _ in range(8)]
    done: list[str] = []

    def give_back(order_id: UUID) -> None:
        try:
            if changed(order_id, now, A=-1) == Held():
                done.append("back")
        except NotHeld:
            pass

    def send(order_id: UUID) -> None:
        try:
            take_out(
                order_id=order_id,
                fulfilment_id=new_id(),
                lines=products.lines({"A": 1}),
                warehouse="main",
                now=now,
            )
        except NotHeld:
            pass
        else:
            done.append("sent")

    works = [work for order_id in orders for work in ((give_back, order_id), (send, order_id))]
    in_threads(lambda work: work[0](work[1]), works, threads=8)

    assert len(done) == 8
    item = StockItem.objects.get(sku="A")
    assert (item.on_hand, item.held) == (10 - done.count("sent"), 0)
    assert_books_are_right()


def test_what_comes_back_can_be_sold_again(now: datetime) -> None:
    products.stocked({"A": 2}, now=now)
    order_id = products.held({"A": 2}, now=now)
    take_out(
        order_id=order_id,
        fulfilment_id=new_id(),
        lines=products.lines({"A": 2}),
        warehouse="main",
        now=now,
    )
    return_id = new_id()
    back = {"order_id": order_id, "change_id": return_id, "warehouse": "main", "now": now}

    assert restock(lines=products.lines({"A": 1}), **back) is True  # type: ignore[arg-type]
    assert restock(lines=products.lines({"A": 1}), **back) is False  # type: ignore[arg-type]

    item = StockItem.objects.get(sku="A")
    assert (item.on_hand, item.held) == (1, 0)
    told = OutboxMessage.objects.using(alias_of("products")).filter(
        key=str(item.pk), name="products.stock_availability_changed"
    )
    assert told.count() == 3  # there was something, then nothing, and now something again
    assert_books_are_right()


def test_twins_of_a_return_put_the_goods_back_once(now: datetime) -> None:
    products.stocked({"A": 5}, now=now)
    return_id = new_id()
    answers: list[bool] = []

    def put(_: int) -> None:
        answers.append(
            restock(
                order_id=new_id(),
                change_id=return_id,
                lines=products.lines({"A": 1}),
                warehouse="main",
                now=now,
            )
        )

    in_threads(put, range(6), threads=6)
    assert sorted(answers) == [False] * 5 + [True]
    assert StockItem.objects.get(sku="A").on_hand == 6


def test_goods_come_back_to_a_warehouse_that_there_is(now: datetime) -> None:
    products.stocked({"A": 5}, now=now)
    back = {"order_id": new_id(), "change_id": new_id(), "now": now}
    with pytest.raises(UnknownWarehouse):
        restock(lines=products.lines({"A": 1}), warehouse="nowhere", **back)  # type: ignore[arg-type]
    with pytest.raises(InvalidQuantity):
        restock(lines=[], warehouse="main", **back)  # type: ignore[arg-type]


def test_what_a_warehouse_lacks_is_said_before_anything_is_taken(now: datetime) -> None:
    ids = products.stocked({"A": 2, "B": 2}, now=now)
    parcel = new_id()
    assert lacking_in("main", products.lines({"A": 2, "B": 2}), fulfilment_id=parcel) == ()
    [short] = lacking_in("main", products.lines({"A": 2, "B": 3}), fulfilment_id=parcel)
    assert (short.variant_id, short.requested, short.available) == (ids["B"], 3, 2)
    [short] = lacking_in("north", products.lines({"A": 1}), fulfilment_id=parcel)
    assert (short.sku, short.available) == ("A", 0)


def test_nothing_lacks_for_what_was_taken_out_already(now: datetime) -> None:
    products.stocked({"A": 2}, now=now)
    order_id, parcel = products.held({"A": 2}, now=now), new_id()
    lines = products.lines({"A": 2})
    take_out(order_id=order_id, fulfilment_id=parcel, lines=lines, warehouse="main", now=now)
    assert lacking_in("main", lines, fulfilment_id=parcel) == ()
    assert len(lacking_in("main", lines, fulfilment_id=new_id())) == 1
