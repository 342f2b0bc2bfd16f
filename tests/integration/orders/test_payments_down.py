"""Orders while the gateway is left alone: refused, or taken for later; and the rest of the shop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from celery import current_app
from django.db import connections
from django.test import Client

from domains.orders.models import Order
from domains.orders.services import settling
from domains.payments import gateways
from domains.payments import public as payments
from domains.payments import services as payment_services
from domains.products import public as products
from infrastructure import work
from tests.integration.payments.conftest import ScriptedGateway, connect_anew
from tests.support.factories import orders
from tests.support.factories import payments as payment_factory
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, customer

pytestmark = pytest.mark.django_db(transaction=True)

BODY = {
    "lines": [{"sku": "A", "quantity": 1}],
    "shipping_address": orders.ADDRESS,
    "payment": {"method": "card", "token": "tok_visa"},
}


@pytest.fixture
def away(gateway: ScriptedGateway, settings: Any, now: datetime) -> Iterator[ScriptedGateway]:
    """A gateway that was silent twice and is left alone for a minute."""
    goods.stocked({"A": 50}, now=now)
    settings.PAYMENT_CIRCUIT_FAILURES = 2
    settings.PAYMENT_CIRCUIT_REST_SECONDS = 60
    connect_anew("scripted")
    gateway.is_silent = True
    for _ in range(2):
        payment_factory.authorised_payment(now)
    gateway.is_silent = False
    gateway.sent.clear()
    yield gateway
    connect_anew("scripted")


def held() -> int:
    (row,) = [audit for audit in products.stock_audit() if audit.sku == "A"]
    return int(row.held)


def post(client: Client, **changes: Any) -> Any:
    return client.post(
        "/api/v1/orders",
        BODY | changes,
        content_type="application/json",
        headers={"Idempotency-Key": "once"},
    )


def test_an_order_is_refused_before_anything_is_written(away: ScriptedGateway) -> None:
    answer = post(client_of(customer()))

    assert (answer.status_code, answer.json()["code"]) == (503, "payments_unavailable")
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert not Order.objects.exists()
    assert (held(), away.sent) == (0, [])


def test_the_same_request_is_an_order_once_the_gateway_is_back(away: ScriptedGateway) -> None:
    client = client_of(customer())
    post(client)
    connect_anew("scripted")

    assert post(client).json()["status"] == "CONFIRMED"
    assert Order.objects.count() == away.authorisations == 1


def test_a_repetition_of_what_was_placed_before_is_answered(
    away: ScriptedGateway, settings: Any
) -> None:
    client = client_of(customer())
    connect_anew("scripted")
    placed = post(client).json()
    for _ in range(2):
        away.is_silent = True
        payment_factory.authorised_payment(Order.objects.get().placed_at)

    again = post(client)

    assert (again.status_code, again.json()["id"]) == (201, placed["id"])


def test_who_asks_no_gateway_is_not_refused(away: ScriptedGateway, now: datetime) -> None:
    on_account = orders.VISA.__class__(method="invoice", token="")
    assert orders.placed({"A": 1}, now=now, payment=on_account).status == "CONFIRMED"


def test_an_accepted_order_waits_and_is_paid_when_the_gateway_is_back(
    away: ScriptedGateway, settings: Any, now: datetime
) -> None:
    settings.PAYMENTS_DOWN = "accept"

    answer = post(client_of(customer()))

    assert (answer.status_code, answer.json()["status"]) == (202, "PENDING")
    order = Order.objects.get()
    assert (held(), away.sent) == (1, [])
    assert payments.payment_states([order.payment_id]) == {}
    connect_anew("scripted")
    settling.settle_unfinished(now=order.placed_at + timedelta(minutes=1))
    assert orders.status_of(order.id) == "CONFIRMED"
    assert away.authorisations == 1


def test_an_accepted_order_does_not_wait_for_ever(
    away: ScriptedGateway, settings: Any, now: datetime
) -> None:
    settings.PAYMENTS_DOWN = "accept"
    settings.PAYMENTS_DOWN_SECONDS = 3_600
    order = orders.placed({"A": 1}, now=now)
    assert settling.settle(order_id=order.id, now=now + timedelta(minutes=59)).status == "PENDING"

    ended = settling.settle(order_id=order.id, now=now + timedelta(minutes=60))

    assert (ended.status, ended.reason) == ("REJECTED", "payments_unavailable")
    assert (ended.unsettled_since, held()) == (None, 0)
    # And nobody can charge for it any more.
    connect_anew("scripted")
    late = payment_services.authorise(
        payment_id=order.payment_id,
        reference=order.number,
        amount=order.total,
        method="card",
        token="tok_visa",
        now=now,
    )
    assert (late.status, away.sent) == ("VOIDED", [])


def test_an_order_that_finds_no_place_is_a_workers_at_once(
    gateway: ScriptedGateway, settings: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever PAYMENTS_DOWN says: nobody says that the gateway is away."""
    goods.stocked({"A": 50}, now=now)
    settings.PAYMENT_GATEWAY_CONCURRENCY = 1
    settings.PAYMENT_GATEWAY_MAX_WAIT_SECONDS = 0.05
    connect_anew("scripted")
    hints: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(work, "_send", lambda task, told: hints.append((task, told)))
    inside, leave = threading.Event(), threading.Event()

    def occupy() -> None:
        with gateways.admitted("scripted"):
            inside.set()
            leave.wait(60)

    occupant = threading.Thread(target=occupy)
    occupant.start()
    assert inside.wait(30)
    try:
        answer = post(client_of(customer()))
    finally:
        leave.set()
        occupant.join()

    assert (answer.status_code, answer.json()["status"]) == (202, "PENDING")
    order = Order.objects.get()
    assert payments.payment_states([order.payment_id]) == {}
    assert hints == [("orders.settle_order", {"order_id": str(order.id)})]
    ((task, told),) = hints
    current_app.tasks[task](**told)
    assert orders.status_of(order.id) == "CONFIRMED"
    assert (gateway.authorisations, len(hints)) == (1, 1)


def test_reads_go_on_while_orders_wait_for_a_slow_gateway(
    gateway: ScriptedGateway, settings: Any, now: datetime
) -> None:
    """One place at the gateway: one thread waits for it, the others serve everybody else."""
    goods.stocked({"A": 50}, now=now)
    settings.PAYMENT_GATEWAY_CONCURRENCY = 1
    settings.PAYMENT_GATEWAY_MAX_WAIT_SECONDS = 0.05
    connect_anew("scripted")
    asked, answer = threading.Event(), threading.Event()

    def slow() -> None:
        asked.set()
        assert answer.wait(60)

    gateway.before_answer = slow

    def place() -> str:
        try:
            return orders.placed({"A": 1}, now=now).status
        finally:
            connections.close_all()

    def read() -> int:
        try:
            return Client().get("/api/v1/products").status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(place)
        assert asked.wait(30)
        # The second thread gets through twenty requests while the first one waits.
        others = [threads.submit(each) for _ in range(10) for each in (place, read)]
        outcomes = [each.result(60) for each in others]
        assert not first.done()
        answer.set()
        assert first.result(60) == "CONFIRMED"
    assert outcomes == ["PENDING", 200] * 10
    settings.PAYMENT_GATEWAY_CONCURRENCY = 8
    connect_anew("scripted")
    settling.settle_unfinished(now=now + timedelta(minutes=1))
    assert set(Order.objects.values_list("status", flat=True)) == {"CONFIRMED"}
    assert gateway.authorisations == 11
