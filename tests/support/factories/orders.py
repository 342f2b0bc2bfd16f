"""Orders, placed through the services."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from domains.orders.models import Order, PaymentChoice
from domains.orders.services import placement
from infrastructure.http.idempotency import IdempotencyKey, fingerprint_of
from infrastructure.ids import new_id

ADDRESS = {
    "name": "Ann Smith",
    "line1": "1 Mill Lane",
    "line2": "",
    "city": "Leeds",
    "region": "",
    "postcode": "LS1 1AA",
    "country": "GB",
    "phone": "",
}
VISA = PaymentChoice(method="card", token="tok_visa")
DECLINED = PaymentChoice(method="card", token="tok_declined")


def key(text: str | None = None, *, body: object = "") -> IdempotencyKey:
    return IdempotencyKey(
        client="customer",
        route="POST orders",
        key=text or str(new_id()),
        fingerprint=fingerprint_of(body),
    )


def place(quantities: Mapping[str, int], *, now: datetime, **changes: Any) -> placement.Placed:
    """Place an order of these quantities per SKU, paid by a card that is good."""
    wanted: dict[str, Any] = {
        "customer_id": new_id(),
        "currency": "GBP",
        "shipping_address": ADDRESS,
        "payment": VISA,
    } | changes
    sent_under = wanted.pop("key", None) or key()
    lines = [placement.WantedLine(sku=sku, quantity=n) for sku, n in quantities.items()]
    wish = placement.Wish(lines=lines, **wanted)
    return placement.place_order(wish=wish, key=sent_under, now=now)


def placed(quantities: Mapping[str, int], *, now: datetime, **changes: Any) -> Order:
    return place(quantities, now=now, **changes).order


def status_of(order_id: UUID) -> str:
    return Order.objects.values_list("status", flat=True).get(pk=order_id)
