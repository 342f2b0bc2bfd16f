"""What a cart says keeps it from being an order, and what checkout says when it is tried."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from domains.carts.models import store
from domains.carts.rules.limits import MAX_QUANTITY
from domains.products.models import Variant
from domains.products.services import inventory
from domains.products.services.prices import NewPrice, set_prices
from domains.products.services.products import archive_product
from infrastructure.money import MAX_AMOUNT_MINOR, Money
from tests.support.carts import add, guest_cart
from tests.support.factories import pricing as terms
from tests.support.factories import products as goods

pytestmark = pytest.mark.django_db

CHECKOUT = {
    "email": "ann@example.com",
    "shipping_address": {
        "name": "Ann Smith",
        "line1": "1 Mill Lane",
        "city": "Leeds",
        "postcode": "LS1 1AA",
        "country": "GB",
    },
    "payment": {"method": "card", "token": "tok_visa"},
}


def short(_: UUID, now: datetime) -> None:
    inventory.set_stock(levels={"A": 1}, reason="count", now=now)


def gone(_: UUID, now: datetime) -> None:
    product_id = Variant.objects.get(sku="A").product_id
    archive_product(product_id=product_id, version=None, now=now)


def dear(_: UUID, now: datetime) -> None:
    price = NewPrice(sku="A", money=Money(MAX_AMOUNT_MINOR, "GBP"))
    set_prices(prices=[price], actor_id=None, now=now)


def dear_and_reduced(cart_id: UUID, now: datetime) -> None:
    dear(cart_id, now)
    terms.promotion(percent=Decimal(60), now=now)


def unknown_coupon(cart_id: UUID, now: datetime) -> None:
    store().change(cart_id=cart_id, owner=None, fields={"coupons": '["NONE"]'}, now=now)


def unknown_method(cart_id: UUID, now: datetime) -> None:
    terms.shipping_method(now=now)
    store().change(
        cart_id=cart_id, owner=None, fields={"shipping_method": "mole", "country": "GB"}, now=now
    )


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        (short, "out_of_stock"),
        (gone, "unknown_sku"),
        (dear, "total_too_large"),
        (dear_and_reduced, "total_too_large"),
        (unknown_coupon, "unknown_coupon"),
        (unknown_method, "unknown_shipping_method"),
    ],
)
def test_what_a_cart_tells_of_is_what_checkout_refuses(
    happens: Callable[[UUID, datetime], None], code: str, now: datetime
) -> None:
    goods.stocked({"A": 5}, now=now)
    cart_id = guest_cart(now, add("A", 2)).id
    assert problems(cart_id) == []
    happens(cart_id, now)
    assert problems(cart_id) == [code]
    assert code in refused(cart_id)
    assert problems(cart_id) == [code]  # and it is the guest's again


def test_an_empty_cart_says_so_too(now: datetime) -> None:
    cart_id = guest_cart(now).id
    assert problems(cart_id) == ["cart_empty"]
    assert refused(cart_id) == {"cart_empty"}


def test_a_cart_worth_more_than_can_be_charged_is_shown(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    cart_id = guest_cart(now).id
    dear(cart_id, now)
    item = {"sku": "A", "quantity": MAX_QUANTITY}
    worth = {"amount": f"{MAX_AMOUNT_MINOR * MAX_QUANTITY // 100}.00", "currency": "GBP"}
    path = f"/api/v1/carts/{cart_id}"

    added = Client().post(f"{path}/items", {"items": [item]}, content_type="application/json")
    read = Client().get(path)
    quoted = Client().post("/api/v1/quotes", {"items": [item]}, content_type="application/json")

    assert [answer.status_code for answer in (added, read, quoted)] == [200] * 3
    assert added.json()["items"][0]["total"] == worth
    assert [answer.json()["total"] for answer in (added, read, quoted)] == [worth] * 3
    assert problems(cart_id) == ["out_of_stock", "total_too_large"]
    assert Client().get(f"{path}/shipping-options").json() == {"items": []}


def problems(cart_id: UUID) -> list[str]:
    answer = Client().get(f"/api/v1/carts/{cart_id}/problems")
    return [problem["code"] for problem in answer.json()["items"]]


def refused(cart_id: UUID) -> set[Any]:
    answer = Client().post(
        f"/api/v1/carts/{cart_id}/checkout",
        CHECKOUT,
        content_type="application/json",
        headers={"Idempotency-Key": "k"},
    )
    assert answer.status_code >= 400
    return {answer.json()["code"], *(fault["code"] for fault in answer.json().get("errors", []))}
