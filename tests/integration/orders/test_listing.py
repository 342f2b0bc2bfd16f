"""The list of orders: what it can be narrowed down by, for whom, and what it costs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from domains.orders.models import Order
from infrastructure.database.contexts import aliases
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, customer, staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def placed(now: datetime) -> dict[str, Order]:
    """Two of Ann's and one of a guest, an hour apart."""
    goods.stocked({"A": 9, "B": 9}, now=now)
    return {
        "first": orders.placed({"A": 1}, customer_id=ANN, now=now),
        "second": orders.placed(
            {"B": 1}, customer_id=ANN, payment=orders.DECLINED, now=now + timedelta(hours=1)
        ),
        "guest": orders.placed(
            {"A": 1, "B": 1},
            customer_id=None,
            email="Bob@Example.com",
            now=now + timedelta(hours=2),
        ),
    }


ANN = orders.new_id()


def found(client: Client, placed: dict[str, Order], **query: str) -> list[str]:
    answer = client.get("/api/v1/orders", query)
    assert answer.status_code == 200, answer.content
    names = {str(order.id): name for name, order in placed.items()}
    return [names[item["id"]] for item in answer.json()["items"]]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["guest", "second", "first"]),
        ({"status": "REJECTED"}, ["second"]),
        ({"sku": "A"}, ["guest", "first"]),
        ({"email": "bob@example.COM"}, ["guest"]),
        ({"email": "nobody@example.com"}, []),
        ({"placed_from": "2026-03-02T10:30:00Z"}, ["guest", "second"]),
        ({"placed_to": "2026-03-02T10:30:00Z"}, ["first"]),
        (
            {"placed_from": "2026-03-02T10:30:00Z", "placed_to": "2026-03-02T11:30:00Z"},
            ["second"],
        ),
    ],
)
def test_staff_find_orders_by_what_is_known_of_them(
    query: dict[str, str], names: list[str], placed: dict[str, Order]
) -> None:
    assert found(client_of(staff("support")), placed, **query) == names


def test_a_number_finds_one_order(placed: dict[str, Order]) -> None:
    number = placed["second"].number
    assert found(client_of(staff("support")), placed, number=number) == ["second"]


@pytest.mark.parametrize("query", [{"email": "bob@example.com"}, {"sku": "A"}])
def test_a_customer_cannot_look_for_an_address_or_a_sku(query: dict[str, str]) -> None:
    answer = client_of(customer()).get("/api/v1/orders", query)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


def test_a_page_of_any_length_costs_the_same(placed: dict[str, Order], now: datetime) -> None:
    client = client_of(staff("support"))
    statements(client)  # the process knows who asks from now on
    few = statements(client)
    for _ in range(3):
        orders.placed({"A": 1}, now=now)
    assert statements(client) == few


def statements(client: Client) -> int:
    captured = [CaptureQueriesContext(connections[alias]) for alias in aliases()]
    for capture in captured:
        capture.__enter__()
    answer: Any = client.get("/api/v1/orders")
    for capture in captured:
        capture.__exit__(None, None, None)
    assert answer.status_code == 200
    return sum(len(capture.captured_queries) for capture in captured)
