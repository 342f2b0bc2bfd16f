"""Orders that are placed while others are being settled: what they cost is shared."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import connections

from domains.orders.models import Order
from domains.orders.services import batches
from domains.payments.models import Payment
from domains.products import public as products
from infrastructure.database.contexts import alias_of
from infrastructure.observability import correlation
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import orders
from tests.support.factories import products as goods

pytestmark = pytest.mark.django_db(transaction=True)

COUNT = 6


def placed_at_once(
    monkeypatch: pytest.MonkeyPatch, now: datetime, *, fail: bool = False, quantity: int = 1
) -> tuple[list[int], dict[str, Order]]:
    """The first order waits in its hold until all others wait for it: how many were held at a time,
    and the orders by the correlation they were placed under. fail: the second hold does."""
    sizes: list[int] = []
    begun, others_wait = threading.Event(), threading.Event()
    hold_many: Callable[..., Any] = products.hold_many

    def hold_slowly(*, requests: Any, now: datetime) -> Any:
        sizes.append(len(requests))
        if len(sizes) == 1:
            begun.set()
            others_wait.wait()
        elif fail:
            raise RuntimeError("The connection was lost.")
        return hold_many(requests=requests, now=now)

    monkeypatch.setattr(products, "hold_many", hold_slowly)
    found: dict[str, Order] = {}

    def buy(name: str) -> None:
        try:
            with correlation.bind(correlation_id=name):
                found[name] = orders.placed({"A": quantity}, now=now)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=buy, args=(f"c{n}",)) for n in range(COUNT)]
    threads[0].start()
    begun.wait()
    for thread in threads[1:]:
        thread.start()
    while batches.together.waiting < COUNT - 1:
        threads[-1].join(0.001)
    others_wait.set()
    for thread in threads:
        thread.join()
    return sizes, found


def test_orders_that_come_while_another_is_settled_are_settled_at_once(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    goods.stocked({"A": 10}, now=now)
    sizes, found = placed_at_once(monkeypatch, now)

    assert sizes == [1, COUNT - 1]
    assert {order.status for order in found.values()} == {"CONFIRMED"}
    stored = Order.objects.filter(pk__in=[order.id for order in found.values()])
    assert {(o.status, o.payment_status) for o in stored} == {("CONFIRMED", "AUTHORISED")}
    assert {p.status for p in Payment.objects.all()} == {"AUTHORISED"}
    # Each order's facts name its own request, whoever's thread wrote them.
    for context, name in (
        ("products", "products.stock_reserved"),
        ("payments", "payments.payment_authorised"),
        ("orders", "orders.order_status_updated"),
    ):
        facts = OutboxMessage.objects.using(alias_of(context)).filter(name=name)
        assert {fact.correlation_id: fact.key for fact in facts} == {
            name: str(order.id) for name, order in found.items()
        }


def test_orders_of_one_batch_do_not_oversell(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    goods.stocked({"A": 7}, now=now)
    sizes, found = placed_at_once(monkeypatch, now, quantity=2)

    assert sizes == [1, COUNT - 1]
    statuses = sorted(order.status for order in found.values())
    assert statuses == ["CONFIRMED"] * 3 + ["REJECTED"] * 3
    [row] = products.stock_audit()
    assert (row.on_hand, row.held, row.reserved, row.ledger_held) == (7, 6, 6, 6)


def test_where_a_batch_fails_its_orders_go_their_ways_alone(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    goods.stocked({"A": 10}, now=now)
    sizes, found = placed_at_once(monkeypatch, now, fail=True)

    assert sizes == [1, COUNT - 1]
    assert [order.status for order in found.values()] == ["CONFIRMED"] * COUNT
    [row] = products.stock_audit()
    assert (row.held, row.reserved) == (COUNT, COUNT)
