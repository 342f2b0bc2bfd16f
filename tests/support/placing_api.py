"""Placing orders over HTTP."""

from __future__ import annotations

from typing import Any

from django.test import Client

ADDRESS = {
    "name": "Ann Smith",
    "line1": "1 Mill Lane",
    "city": "Leeds",
    "postcode": "LS1 1AA",
    "country": "GB",
}


def body(**changes: Any) -> dict[str, Any]:
    return {
        "lines": [{"sku": "85123A", "quantity": 2}],
        "shipping_address": ADDRESS,
        "payment": {"method": "card", "token": "tok_visa"},
    } | changes


def post(client: Client, content: Any, *, key: str | None = "k1", **headers: str) -> Any:
    if key is not None:
        headers["Idempotency-Key"] = key
    return client.post("/api/v1/orders", content, content_type="application/json", headers=headers)
