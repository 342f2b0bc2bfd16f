"""Holding and releasing stock, one caller at a time."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from domains.products.errors import InvalidQuantity
from domains.products.models import Reservation, StockItem, StockMovement
from domains.products.public import (
    Held,
    HoldLine,
    HoldRequest,
    HoldState,
    Refused,
    Released,
    Shortage,
    hold,
    hold_many,
    hold_state,
    release,
)
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import products

pytestmark = pytest.mark.django_db


def outbox(**filters: object) -> list[tuple[str, str, int]]:
    rows = OutboxMessage.objects.using(alias_of("products")).filter(**filters).order_by("id")
    return [(row.name, row.key, row.sequence) for row in rows]


def counters(sku: str) -> tuple[int, int]:
    item = StockItem.objects.get(sku=sku)
    return item.on_hand, item.held


def test_holding_costs_one_statement_and_writes_counters_ledger_lines_and_fact(
    now: datetime, django_assert_num_queries: object
) -> None:
    ids = products.stocked({"A": 5, "a": 5}, now=now)
    before = len(outbox())
    order_id = new_id()
    lines = products.lines({"A": 2, "a": 1})
    with django_assert_num_queries(1, using=alias_of("products")):  # type: ignore[operator]
        assert hold(order_id=order_id, lines=lines, now=now) == Held()
    assert counters("A") == (5, 2)
    assert counters("a") == (5, 1)
    ledger = StockMovement.objects.filter(order_id=order_id).order_by("held_delta")
    assert list(ledger.values_list("kind", "on_hand_delta", "held_delta", "stock_item_id")) == [
        ("HOLD", 0, 1, ids["a"]),
        ("HOLD", 0, 2, ids["A"]),
    ]
    reservation = Reservation.objects.get(pk=order_id)
    assert reservation.status == "HELD"
    assert dict(reservation.line_rows.values_list("stock_item_id", "quantity")) == {
        ids["A"]: 2,
        ids["a"]: 1,
    }
    assert outbox()[before:] == [("products.stock_reserved", str(order_id), 1)]


def test_an_order_is_held_wholly_or_not_at_all(now: datetime) -> None:
    ids = products.stocked({"A": 5, "B": 1}, now=now)
    facts, movements = outbox(), StockMovement.objects.count()
    order_id = new_id()
    outcome = hold(order_id=order_id, lines=products.lines({"A": 2, "B": 2}), now=now)
    assert outcome == Refused((Shortage(variant_id=ids["B"], sku="B", requested=2, available=1),))
    assert (counters("A"), counters("B")) == ((5, 0), (1, 0))
    assert outbox() == facts
    assert StockMovement.objects.count() == movements
    assert not Reservation.objects.filter(pk=order_id).exists()


def test_a_refused_order_may_try_again(now: datetime) -> None:
    products.stocked({"A": 1}, now=now)
    first, second = products.held({"A": 1}, now=now), new_id()
    assert isinstance(hold(order_id=second, lines=products.lines({"A": 1}), now=now), Refused)
    release(order_id=first, now=now)
    assert hold(order_id=second, lines=products.lines({"A": 1}), now=now) == Held()


def test_an_unknown_variant_refuses_the_order(now: datetime) -> None:
    products.stocked({"A": 5}, now=now)
    unknown = HoldLine(variant_id=new_id(), sku="nothing", quantity=1)
    outcome = hold(order_id=new_id(), lines=[*products.lines({"A": 1}), unknown], now=now)
    assert outcome == Refused(
        (Shortage(variant_id=unknown.variant_id, sku="nothing", requested=1, available=0),)
    )
    assert counters("A") == (5, 0)


def test_lines_of_the_same_variant_count_together(now: datetime) -> None:
    products.stocked({"A": 3}, now=now)
    twice = products.lines({"A": 2}) * 2
    outcome = hold(order_id=new_id(), lines=twice, now=now)
    assert isinstance(outcome, Refused)
    assert (outcome.shortages[0].requested, outcome.shortages[0].available) == (4, 3)
    assert hold(order_id=new_id(), lines=products.lines({"A": 1}) * 3, now=now) == Held()
    assert counters("A") == (3, 3)


@pytest.mark.parametrize("quantity", [0, -1])
def test_less_than_one_cannot_be_held(now: datetime, quantity: int) -> None:
    products.stocked({"A": 3}, now=now)
    with pytest.raises(InvalidQuantity):
        hold(order_id=new_id(), lines=products.lines({"A": quantity}), now=now)


def test_a_backorder_limit_can_be_sold_beyond_the_stock(now: datetime) -> None:
    products.product(now=now, sku="A", stock=2, backorder_limit=3)
    assert hold(order_id=new_id(), lines=products.lines({"A": 5}), now=now) == Held()
    assert isinstance(hold(order_id=new_id(), lines=products.lines({"A": 1}), now=now), Refused)


def test_repeating_a_hold_holds_once_and_answers_the_same_even_when_the_stock_is_gone(
    now: datetime, django_assert_num_queries: object
) -> None:
    products.stocked({"A": 2}, now=now)
    order_id = products.held({"A": 2}, now=now)
    facts, lines = outbox(), products.lines({"A": 2})
    with django_assert_num_queries(1, using=alias_of("products")):  # type: ignore[operator]
        assert hold(order_id=order_id, lines=lines, now=now) == Held()
    assert counters("A") == (2, 2)
    assert outbox() == facts


def test_the_last_unit_makes_the_sku_unavailable_and_its_release_available_again(
    now: datetime,
) -> None:
    ids = products.stocked({"A": 2}, now=now)
    key = str(ids["A"])
    products.held({"A": 1}, now=now)
    assert [name for name, _, _ in outbox(key=key)] == [
        "products.stock_updated",
        "products.stock_availability_changed",
    ]
    last = products.held({"A": 1}, now=now)
    assert outbox(key=key)[2:] == [("products.stock_availability_changed", key, 3)]
    release(order_id=last, now=now)
    assert outbox(key=key)[3:] == [("products.stock_availability_changed", key, 4)]
    item = StockItem.objects.get(sku="A")
    assert (item.events_recorded, item.version) == (4, 5)


def test_releasing_frees_the_stock_once(now: datetime) -> None:
    products.stocked({"A": 3, "B": 3}, now=now)
    order_id = products.held({"A": 2, "B": 1}, now=now)
    later = now + timedelta(minutes=1)
    assert release(order_id=order_id, now=later) is True
    assert release(order_id=order_id, now=later) is False
    assert (counters("A"), counters("B")) == ((3, 0), (3, 0))
    reservation = Reservation.objects.get(pk=order_id)
    assert (reservation.status, reservation.released_at) == ("RELEASED", later)
    assert outbox(key=str(order_id)) == [
        ("products.stock_reserved", str(order_id), 1),
        ("products.stock_released", str(order_id), 2),
    ]
    ledger = StockMovement.objects.filter(order_id=order_id, kind="RELEASE")
    assert sorted(ledger.values_list("held_delta", flat=True)) == [-2, -1]


def test_what_was_released_cannot_be_held_again(now: datetime) -> None:
    products.stocked({"A": 3}, now=now)
    order_id = products.held({"A": 2}, now=now)
    release(order_id=order_id, now=now)
    assert hold(order_id=order_id, lines=products.lines({"A": 2}), now=now) == Released()
    assert counters("A") == (3, 0)


def test_releasing_what_was_never_held_refuses_a_hold_that_comes_late(now: datetime) -> None:
    products.stocked({"A": 3}, now=now)
    order_id = new_id()
    facts = outbox()
    assert release(order_id=order_id, now=now) is False
    assert release(order_id=order_id, now=now) is False
    assert outbox() == facts
    assert hold(order_id=order_id, lines=products.lines({"A": 2}), now=now) == Released()
    assert hold_state([order_id, new_id()]) == {order_id: HoldState.RELEASED}


def test_many_orders_are_held_in_one_statement_the_first_come_first(
    now: datetime, django_assert_num_queries: object
) -> None:
    products.stocked({"A": 3, "B": 9}, now=now)
    first, second = (
        HoldRequest(order_id=new_id(), lines=tuple(products.lines(q)))
        for q in ({"A": 2, "B": 1}, {"A": 1})
    )
    with django_assert_num_queries(1, using=alias_of("products")):  # type: ignore[operator]
        outcomes = hold_many(requests=[first, second], now=now)
    assert outcomes == {first.order_id: Held(), second.order_id: Held()}
    assert (counters("A"), counters("B")) == ((3, 3), (9, 1))
    # One change of availability, though two orders took part in it.
    assert outbox(name="products.stock_availability_changed", key=str(products.variant_id("A")))[
        1:
    ] == [("products.stock_availability_changed", str(products.variant_id("A")), 3)]


def test_an_order_that_fails_for_itself_does_not_crowd_out_the_next(now: datetime) -> None:
    products.stocked({"A": 3, "B": 0}, now=now)
    wants_too_much, fits, crowded_out = (
        HoldRequest(order_id=new_id(), lines=tuple(products.lines(q)))
        for q in ({"A": 3, "B": 1}, {"A": 2}, {"A": 2})
    )
    outcomes = hold_many(requests=[wants_too_much, fits, crowded_out], now=now)
    assert [s.sku for s in outcomes[wants_too_much.order_id].shortages] == ["B"]  # type: ignore[union-attr]
    assert outcomes[fits.order_id] == Held()
    assert outcomes[crowded_out.order_id] == Refused(
        (Shortage(variant_id=products.variant_id("A"), sku="A", requested=2, available=1),)
    )
    assert counters("A") == (3, 2)
