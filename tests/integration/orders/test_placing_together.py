"""Orders that are placed while others are being settled: what they cost is shared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections
from django.test import Client
from structlog.testing import capture_logs

from domains.carts import public as carts
from domains.orders.models import Order
from domains.orders.services import batches, checkouts
from domains.payments.models import Payment
from domains.products import public as products
from infrastructure import clock
from infrastructure.cache.tiers import Cache
from infrastructure.database.contexts import alias_of
from infrastructure.observability import correlation
from infrastructure.outbox.models import OutboxMessage
from tests.support.caches import installed_cache
from tests.support.carts import entries_of, guest_cart, put
from tests.support.checkouts import ADDRESS, wish_for
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, customer
from tests.support.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)

COUNT = 6
NAMES = [f"c{number}" for number in range(COUNT)]
TOKEN = "Consistency-Token"


@pytest.fixture
def cache(settings: Any) -> Iterator[Cache]:
    with installed_cache(settings, f"test-{uuid4().hex}") as cache:
        yield cache


def settled_together(
    monkeypatch: pytest.MonkeyPatch, buy: Callable[[str], object], *, fail: bool = False
) -> list[int]:
    """Has each of NAMES buy, in a thread of its own and under its name as correlation. The first
    order waits in its hold until all others wait for it: how many were held at a time. fail: the
    second hold does."""
    sizes: list[int] = []
    others_wait = threading.Event()
    hold_many: Callable[..., Any] = products.hold_many

    def hold_slowly(*, requests: Any, now: datetime) -> Any:
        sizes.append(len(requests))
        if len(sizes) == 1:
            others_wait.wait()
        elif fail:
            raise RuntimeError("The connection was lost.")
        return hold_many(requests=requests, now=now)

    monkeypatch.setattr(products, "hold_many", hold_slowly)

    def run(name: str) -> None:
        try:
            with correlation.bind(correlation_id=name):
                buy(name)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(name,)) for name in NAMES]
    try:
        threads[0].start()
        until(lambda: sizes, "the first order is held")
        for thread in threads[1:]:
            thread.start()
        until(lambda: batches.together.waiting == COUNT - 1, "the others wait for it")
    finally:
        others_wait.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
    return sizes


def placed_at_once(
    monkeypatch: pytest.MonkeyPatch, now: datetime, *, fail: bool = False, quantity: int = 1
) -> tuple[list[int], dict[str, Order]]:
    """How many were held at a time, and the orders by the correlation they were placed under."""
    found: dict[str, Order] = {}

    def buy(name: str) -> None:
        found[name] = orders.placed({"A": quantity}, now=now)

    return settled_together(monkeypatch, buy, fail=fail), found


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


@pytest.mark.usefixtures("no_carts")
def test_everybody_closes_the_cart_of_their_own_order_and_waits_for_nobody_elses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = clock.now()
    goods.stocked({"A": 10}, now=now)
    made = {name: guest_cart(now, put("A", 1)).id for name in NAMES}
    # Nobody's is closed before all of the batch are about to close theirs.
    closing = threading.Barrier(COUNT - 1)
    close = carts.close

    def close_slowly(*, cart_id: UUID, order_id: UUID, now: datetime) -> bool:
        if cart_id != made["c0"]:
            closing.wait(30)
        return close(cart_id=cart_id, order_id=order_id, now=now)

    monkeypatch.setattr(carts, "close", close_slowly)
    found: dict[str, str] = {}

    def buy(name: str) -> None:
        placed = checkouts.check_out(
            cart_id=made[name],
            owner=None,
            email="ann@example.com",
            version=None,
            wish=wish_for(),
            key=orders.key(),
            now=now,
        )
        found[name] = placed.order.status

    assert settled_together(monkeypatch, buy) == [1, COUNT - 1]
    assert found == dict.fromkeys(NAMES, "CONFIRMED")
    last = {name: entries_of(cart_id)[-1] for name, cart_id in made.items()}
    assert {name: (fact.name, fact.correlation_id) for name, fact in last.items()} == {
        name: ("carts.cart_checked_out", name) for name in NAMES
    }


def test_all_of_a_batch_that_took_the_last_are_not_shown_that_there_is_one(
    now: datetime, monkeypatch: pytest.MonkeyPatch, cache: Cache
) -> None:
    goods.product(name="Lantern", sku="A", price_minor=255, stock=COUNT, now=now)
    clients = {name: client_of(customer()) for name in NAMES}
    answers: dict[str, Any] = {}
    body = {
        "lines": [{"sku": "A", "quantity": 1}],
        "shipping_address": ADDRESS,
        "payment": {"method": "card", "token": "tok_visa"},
    }

    def buy(name: str) -> None:
        answers[name] = clients[name].post(
            "/api/v1/orders",
            body,
            content_type="application/json",
            headers={"Idempotency-Key": name},
        )

    def is_available(**headers: str) -> bool:
        answer = Client().get("/api/v1/products/lantern", headers=headers)
        found: bool = answer.json()["variants"][0]["available"]
        return found

    assert is_available()
    # As in another replica, which has not heard of it.
    monkeypatch.setattr("infrastructure.cache.invalidation._hint", lambda tags: None)

    assert settled_together(monkeypatch, buy) == [1, COUNT - 1]
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(
        NAMES, 201
    )
    assert is_available()
    # Whoever's thread held it: the first order, alone, left some.
    tokens = {name: answer[TOKEN] for name, answer in answers.items() if TOKEN in answer}
    assert sorted(tokens) == NAMES[1:]
    assert not is_available(**{TOKEN: tokens["c1"]})


def test_where_a_batch_fails_its_orders_go_their_ways_alone(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    goods.stocked({"A": 10}, now=now)
    with capture_logs() as logs:
        sizes, found = placed_at_once(monkeypatch, now, fail=True)

    assert sizes == [1, COUNT - 1]
    assert [order.status for order in found.values()] == ["CONFIRMED"] * COUNT
    # Said once, and not by each of them.
    assert [line for line in logs if line["log_level"] == "warning"] == [
        {
            "event": "orders_go_their_ways_alone",
            "orders": COUNT - 1,
            "exc_info": True,
            "log_level": "warning",
        }
    ]
    [row] = products.stock_audit()
    assert (row.held, row.reserved) == (COUNT, COUNT)
