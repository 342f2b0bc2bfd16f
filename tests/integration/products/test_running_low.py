"""Stock that runs low, as it is told."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from domains.products.events import StockLow
from domains.products.models import StockItem
from domains.products.public import Held, hold, release, release_cart_hold
from domains.products.services import inventory
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from infrastructure.outbox.models import OutboxMessage
from tests.support.cart_holds import cart_holding, facts
from tests.support.factories import products

pytestmark = pytest.mark.django_db


def low_events(sku: str) -> list[tuple[int, int]]:
    rows = OutboxMessage.objects.using(alias_of("products")).filter(
        name=StockLow.name, key=str(products.variant_id(sku))
    )
    found = []
    for row in rows.order_by("id"):
        assert row.event_id.version == 7
        payload = json.loads(row.payload)
        assert payload["sku"] == sku
        assert payload["variant_id"] == str(products.variant_id(sku))
        found.append((payload["available"], payload["threshold"]))
    return found


def with_threshold(sku: str, threshold: int, *, now: datetime) -> None:
    inventory.configure_stock(
        sku=sku,
        settings={"low_stock_threshold": threshold},
        change_from={"low_stock_threshold": None},
        reason="season",
        actor_id=None,
        now=now,
    )


def test_running_low_is_told_once_per_crossing_whoever_holds(now: datetime) -> None:
    products.stocked({"A": 10, "B": 10}, now=now)
    with_threshold("A", 5, now=now)
    products.held({"A": 4, "B": 9}, now=now)
    assert low_events("A") == []
    cart_id = cart_holding({"A": 2}, now=now)
    assert low_events("A") == [(4, 5)]
    order_id = products.held({"A": 1}, now=now)
    release_cart_hold(cart_id=cart_id, now=now)
    assert low_events("A") == [(4, 5)]
    release(order_id=order_id, now=now)
    lines = products.lines({"A": 1})
    assert hold(order_id=new_id(), lines=lines, now=now) == Held()
    assert low_events("A") == [(4, 5), (5, 5)]
    assert low_events("B") == []


def test_the_last_unit_may_be_sold_out_and_low_at_once_in_the_order_of_its_numbers(
    now: datetime,
) -> None:
    products.stocked({"A": 3}, now=now)
    with_threshold("A", 1, now=now)
    products.held({"A": 3}, now=now)
    assert facts(products.variant_id("A")) == [
        ("updated", 1),
        ("availability_changed", 2),
        ("availability_changed", 3),
        ("low", 4),
    ]
    assert StockItem.objects.get(sku="A").events_recorded == 4
