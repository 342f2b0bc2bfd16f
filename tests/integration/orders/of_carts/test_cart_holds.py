"""What a cart had held, once an order of it came to nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from infrastructure import clock
from tests.support.carts import guest_cart, put
from tests.support.factories import orders

pytestmark = pytest.mark.django_db


def send(method: str, path: str, content: Any = None) -> Any:
    return getattr(Client(), method)(
        f"/api/v1/carts/{path}",
        content,
        content_type="application/json",
        headers={"Idempotency-Key": "k"},
    )


def test_after_a_declined_payment_the_cart_claims_nothing_that_others_may_take(
    now: datetime,
) -> None:
    cart = guest_cart(now, put("A", 5))
    assert send("post", f"{cart.id}/hold").json()["held_until"] is not None

    address = {name: text for name, text in orders.ADDRESS.items() if text}
    payment = {"method": "card", "token": "tok_declined"}
    body = {"email": "ann@example.com", "shipping_address": address, "payment": payment}
    assert send("post", f"{cart.id}/checkout", body).status_code == 402

    orders.placed({"A": 5}, now=clock.now())
    read = send("get", str(cart.id)).json()
    assert read["held_until"] is None
    assert [(p["code"], p["pointer"]) for p in read["problems"]] == [
        ("out_of_stock", "/items/0/quantity")
    ]
