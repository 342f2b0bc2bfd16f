"""How the amounts of quotes, carts and orders add up, where prices are with tax and without."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client, override_settings

from domains.orders.admin.contents import contents_of
from domains.orders.models import Order
from domains.orders.services import cancelling
from domains.products.services import price_lists
from tests.support.after_placement import STAFF, reread, units
from tests.support.factories import orders
from tests.support.factories import pricing as prices
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, customer, staff

pytestmark = pytest.mark.django_db

ITEMS = [{"sku": "A", "quantity": 3}]
WITH_TAX, WITHOUT_TAX = "counter", "trade"
# Of 3 times 12.99, 10 % off, and of 4.95 for shipping, at 19 %.
TOTALS = {WITH_TAX: "40.02", WITHOUT_TAX: "47.62"}
TAXES = {WITH_TAX: "6.39", WITHOUT_TAX: "7.60"}


@pytest.fixture(autouse=True)
def _shop(now: datetime) -> Iterator[None]:
    goods.product(name="Lantern", sku="A", price_minor=1299, stock=10, now=now)
    prices.tax_rate("19", now=now)
    prices.shipping_method("express", now=now, price_minor=495)
    prices.promotion(now=now)
    for channel in TOTALS:
        price_lists.name_channel(code=channel, name=channel)
    with override_settings(PRICES_INCLUDE_TAX_EXCEPT_ON=[WITHOUT_TAX]):
        yield


def sent(client: Client, method: str, path: str, body: Any, **headers: str) -> dict[str, Any]:
    answer = getattr(client, method)(
        f"/api/v1{path}", body, content_type="application/json", headers=headers
    )
    assert answer.status_code in (200, 201), answer.content
    found: dict[str, Any] = answer.json()
    return found


def quote(client: Client, channel: str) -> dict[str, Any]:
    return sent(client, "post", "/quotes", {"items": ITEMS, "channel": channel, "country": "GB"})


def cart(client: Client, channel: str) -> dict[str, Any]:
    path = f"/carts/{sent(client, 'post', '/carts', {'channel': channel})['id']}"
    filled = sent(client, "post", f"{path}/items", {"items": ITEMS})
    assert filled["shipping"]["method"] == "express"
    return sent(client, "patch", path, {"country": "GB"})


def order(client: Client, channel: str) -> dict[str, Any]:
    address = {name: text for name, text in orders.ADDRESS.items() if text}
    wanted = {"lines": ITEMS, "channel": channel, "shipping_address": address}
    paid = {"payment": {"method": "card", "token": "tok_visa"}}
    key = {"Idempotency-Key": "k"}
    return sent(client, "post", "/orders", wanted | paid, **key)


@pytest.mark.parametrize("channel", TOTALS)
@pytest.mark.parametrize("document", [quote, cart, order])
def test_the_total_is_what_its_description_says(document: Any, channel: str) -> None:
    found = document(client_of(customer()), channel)

    def amount(name: str, within: dict[str, Any] = found) -> Decimal:
        return Decimal(within[name]["amount"])

    shipping = found["shipping"]
    goods_left = amount("subtotal") - amount("discount")
    included = channel == WITH_TAX
    assert found["prices_include_tax"] is included
    assert amount("discount") == Decimal("3.90")
    assert amount("total") == Decimal(TOTALS[channel])
    assert amount("tax") == Decimal(TAXES[channel])
    assert amount("net", shipping) + amount("tax", shipping) == amount("total", shipping)
    assert amount("total") == goods_left + (
        amount("total", shipping) if included else amount("net", shipping) + amount("tax")
    )


@pytest.mark.parametrize("channel", TOTALS)
def test_the_rows_above_the_total_add_up_on_the_page_of_an_order(
    channel: str, now: datetime
) -> None:
    placed = orders.placed({"A": 3}, now=now, channel=channel)
    if channel == WITH_TAX:
        whole = ["38.97", "-3.90", "4.95", "40.02", "6.39"]
        names = ["Subtotal", "Discounts", "Express", "Total", "Tax in it"]
    else:
        whole = ["38.97", "-3.90", "4.95", "7.60", "47.62"]
        names = ["Subtotal", "Discounts", "Express", "Tax", "Total"]

    assert rows_of(placed) == dict(zip(names, whole, strict=True))
    cancelling.cancel(
        order_id=placed.id,
        lines=units(placed, {"A": 1}),
        reason="changed_mind",
        by=STAFF,
        key=orders.key(),
        now=now,
    )

    for rows in (dict(zip(names, whole, strict=True)), rows_of(reread(placed))):
        above = [Decimal(rows[name]) for name in names[: names.index("Total")]]
        assert sum(above) == Decimal(rows["Total"])
    assert Decimal(rows["Subtotal"]) == Decimal("25.98")


def rows_of(placed: Order) -> dict[str, str]:
    """The rows about what it costs, without those about what was paid."""
    totals = contents_of(placed, user=staff(), now=placed.placed_at)["totals"]
    return {name: text.removesuffix(" GBP") for name, text, _ in totals if name != "Captured"}
