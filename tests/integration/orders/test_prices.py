"""What an order's lines cost: by quantity, by channel, by the group of whoever orders."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from domains.orders.errors import UnknownChannel
from domains.orders.models import Order
from domains.orders.services.placement import WantedLine
from domains.products.public import offers
from domains.products.services import price_lists, prices
from domains.users import services as accounts
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.support.factories import orders, users
from tests.support.factories import products as goods

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def lantern(now: datetime) -> None:
    """10.00, from ten on 9.00; for the trade 7.00."""
    goods.stocked({"A": 100, "B": 100}, now=now - DAY)
    price_lists.create_price_list(
        code="trade", name="Trade", currency="GBP", customer_group="trade", now=now - DAY
    )
    put(900, now=now - DAY, min_quantity=10)
    put(700, now=now - DAY, price_list="trade")


def put(amount_minor: int, *, now: datetime, **more: Any) -> None:
    prices.set_price(sku="A", money=Money(amount_minor, "GBP"), actor_id=None, now=now, **more)


def test_the_price_of_one_depends_on_how_many_are_ordered(now: datetime) -> None:
    assert orders.placed({"A": 9}, now=now).total == Money(9_000, "GBP")
    order = orders.placed({"A": 10, "B": 1}, now=now)
    amounts = [(line.sku, line.unit_price_minor, line.amount_minor) for line in order.lines]
    assert amounts == [("A", 900, 9_000), ("B", 1000, 1000)]
    assert order.total == Money(10_000, "GBP")


def test_lines_of_one_sku_count_together(now: datetime) -> None:
    lines = [WantedLine(sku="A", quantity=4), WantedLine(sku="A", quantity=6)]
    wish = orders.placement.Wish(
        lines=lines,
        customer_id=users.customer().id,
        currency="GBP",
        shipping_address=orders.ADDRESS,
        payment=orders.VISA,
    )
    order = orders.placement.place_order(wish=wish, key=orders.key(), now=now).order
    assert [line.unit_price_minor for line in order.lines] == [900, 900]


def test_the_group_of_the_customer_decides(now: datetime) -> None:
    assert orders.placed({"A": 1}, now=now, customer_group="trade").total == Money(700, "GBP")
    assert orders.placed({"A": 1}, now=now, customer_group="retail").total == Money(1000, "GBP")


def test_the_channel_decides_and_an_unknown_one_is_refused(now: datetime) -> None:
    price_lists.name_channel(code="fair-of-orders", name="At the fair")
    price_lists.create_price_list(
        code="fair", name="Fair", currency="GBP", channel="fair-of-orders", now=now
    )
    put(1200, now=now, price_list="fair")
    placed = orders.placed({"A": 1}, now=now, channel="fair-of-orders")
    assert placed.total == Money(1200, "GBP")
    before = Order.objects.count()
    with pytest.raises(UnknownChannel):
        orders.placed({"A": 1}, now=now, channel="unheard-of")
    assert Order.objects.count() == before


def test_a_scheduled_price_is_charged_from_its_instant_on(now: datetime) -> None:
    put(500, now=now, kind="sale", valid_from=now + DAY, valid_until=now + 2 * DAY)
    moments = [now, now + DAY, now + 2 * DAY]
    totals = [orders.placed({"A": 1}, now=moment).total.amount_minor for moment in moments]
    assert totals == [1000, 500, 1000]


def test_prices_of_all_lines_are_read_by_one_statement(
    now: datetime, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1, using=alias_of("products")):
        found = offers({"A": 10, "B": 1}, currency="GBP", customer_group="trade", now=now)
    assert {sku: offer.unit_price.amount_minor for sku, offer in found.items()} == {
        "A": 700,
        "B": 1000,
    }


def send(client: Client, **more: Any) -> HttpResponse:
    body = {
        "lines": [{"sku": "A", "quantity": 1}],
        "shipping_address": {
            "name": "Ann Smith",
            "line1": "1 Mill Lane",
            "city": "Leeds",
            "country": "GB",
        },
        "payment": {"method": "card", "token": "tok_visa"},
    } | more
    return client.post(
        "/api/v1/orders",
        body,
        content_type="application/json",
        headers={"Idempotency-Key": str(new_id())},
    )


def test_a_customer_of_a_group_pays_its_prices_without_asking(now: datetime) -> None:
    ann = users.customer()
    client = users.client_of(ann)
    assert send(client).json()["total"]["amount"] == "10.00"
    accounts.set_customer_group(
        user_id=ann.id, customer_group="trade", scopes=users.EVERY_SCOPE, now=now
    )
    assert send(client, currency="GBP").json()["total"]["amount"] == "7.00"
    assert send(client, customer_group="trade").status_code == 400


def test_a_channel_that_does_not_exist_is_a_bad_request(now: datetime) -> None:
    refused = send(users.client_of(users.customer()), channel="unheard-of")
    assert (refused.status_code, refused.json()["code"]) == (400, "unknown_channel")
    assert refused.json()["errors"][0]["pointer"] == "/channel"
