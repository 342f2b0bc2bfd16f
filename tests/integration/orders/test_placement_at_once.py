"""Orders that are placed and settled at once: nothing is sold or settled twice."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from django.db import connections

from domains.orders.errors import OrderInProgress, OutOfStock
from domains.orders.models import Order
from domains.orders.services import settling
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.placed_orders import events_of, stock_of

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
def test_one_key_sent_twenty_times_at_once_places_one_order(now: datetime) -> None:
    goods.stocked({"A": 100}, now=now)
    key = orders.key("once")
    outcomes: list[str] = []

    def send() -> None:
        try:
            placed = orders.place({"A": 1}, key=key, now=now)
            outcomes.append("replayed" if placed.replayed else "placed")
        except OrderInProgress:
            outcomes.append("in progress")
        finally:
            connections.close_all()

    _at_once([send] * 20)

    assert Counter(outcomes)["placed"] == 1
    assert len(outcomes) == 20
    assert Order.objects.count() == 1
    assert stock_of("A") == (100, 1)


@pytest.mark.django_db(transaction=True)
def test_of_a_scarce_sku_exactly_what_is_there_is_sold(now: datetime) -> None:
    goods.stocked({"HOT": 20, "ELSE": 1000}, now=now)
    outcomes: list[str] = []
    buyers = threading.Semaphore(12)

    def buy() -> None:
        with buyers:
            try:
                placed = orders.place({"ELSE": 1, "HOT": 1}, now=now)
                outcomes.append(placed.order.reason or placed.order.status)
            except OutOfStock:
                outcomes.append("out_of_stock")
            finally:
                connections.close_all()

    _at_once([buy] * 100)

    assert Counter(outcomes) == {"CONFIRMED": 20, "out_of_stock": 80}
    assert stock_of("HOT") == (20, 20)
    assert stock_of("ELSE") == (1000, 20)
    assert not Order.objects.filter(unsettled_since__isnull=False).exists()


@pytest.mark.django_db(transaction=True)
def test_settling_one_order_from_everywhere_at_once_settles_it_once(now: datetime) -> None:
    goods.stocked({"A": 10}, now=now)
    order = orders.placed({"A": 1}, asynchronous=True, now=now)
    failures: list[Exception] = []

    def settle() -> None:
        try:
            settling.settle(order_id=order.id, now=now)
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    _at_once([settle] * 10)

    assert failures == []
    assert orders.status_of(order.id) == "CONFIRMED"
    assert events_of(order.id).count("orders.order_status_updated") == 1
    assert events_of(order.id).count("payments.payment_authorised") == 1
    assert stock_of("A") == (10, 1)


def _at_once(actions: list[Any]) -> None:
    threads = [threading.Thread(target=action) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
