"""Making orders of carts over HTTP, and what that leaves of the cart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.test import Client

from domains.carts import public as carts
from domains.carts.models import store
from domains.orders.services import placement
from domains.products import public as products
from infrastructure import clock
from tests.support.carts import put, quantities
from tests.support.factories import orders

ADDRESS = {name: text for name, text in orders.ADDRESS.items() if text}


def body(**changes: Any) -> dict[str, Any]:
    return {
        "email": "ann@example.com",
        "shipping_address": ADDRESS,
        "payment": {"method": "card", "token": "tok_visa"},
    } | changes


def check_out(client: Client, cart_id: UUID, *, key: str = "k", **changes: Any) -> Any:
    headers = {"Idempotency-Key": key} | changes.pop("headers", {})
    return client.post(
        f"/api/v1/carts/{cart_id}/checkout",
        body(**changes),
        content_type="application/json",
        headers=headers,
    )


def lines_of(order: dict[str, Any]) -> dict[str, int]:
    return {line["sku"]: line["quantity"] for line in order["lines"]}


def held(sku: str) -> int:
    (row,) = [audit for audit in products.stock_audit() if audit.sku == sku]
    return row.held


def open_cart(cart_id: UUID) -> dict[str, int]:
    """What lies in a cart that can be changed."""
    change = store().change(cart_id=cart_id, owner=None, changes=[put("A", 2)], now=clock.now())
    return quantities(change.cart)


def wish_for(**changes: Any) -> Callable[[carts.CartContents], placement.Wish]:
    def wish(cart: carts.CartContents) -> placement.Wish:
        wanted: dict[str, Any] = {
            "customer_id": None,
            "email": "ann@example.com",
            "lines": [placement.WantedLine(sku=x.sku, quantity=x.quantity) for x in cart.lines],
            "currency": cart.currency,
            "shipping_address": orders.ADDRESS,
            "payment": orders.VISA,
            "cart_id": cart.id,
        }
        return placement.Wish(**wanted | changes)

    return wish
