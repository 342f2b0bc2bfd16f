"""A cart becomes an order, parts of it are sent, come back and are paid back: through all
processes of a running shop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.stack.books import audit
from tests.support.stack.shop import Shop
from tests.support.stack.staff import new_goods
from tests.support.waiting import until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.timeout(300),
]

ADDRESS = {
    "name": "Ada",
    "line1": "12 St James Square",
    "city": "London",
    "postcode": "SW1Y 4JH",
    "country": "GB",
}


def gbp(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "GBP"}


@dataclass
class Person:
    """Somebody at the shop; a guest without headers."""

    shop: Shop
    headers: dict[str, str]

    def get(self, path: str) -> Any:
        answer = self.shop.http.get(f"/api/v1{path}", headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, *, expect: int = 201) -> Any:
        answer = self.send(path, body, key=uuid4().hex)
        assert answer.status_code == expect, answer.text
        return answer.json()

    def send(self, path: str, body: Any = None, *, key: str) -> httpx.Response:
        headers = {**self.headers, "Idempotency-Key": key}
        return self.shop.http.post(f"/api/v1{path}", headers=headers, json=body or {})


def coupon(clerk: Person) -> str:
    """The code of a coupon that takes ten per cent off, for one order."""
    code = f"TEN{uuid4().hex[:8].upper()}"
    promotion = clerk.post(
        "/promotions",
        {"name": "Ten off", "kind": "percentage", "percent": "10", "automatic": False},
    )
    made = clerk.post("/coupons", {"code": code, "promotion_id": promotion["id"], "usage_limit": 1})
    assert made["used"] == 0
    return code


def papers_of(person: Person, way: str, count: int) -> list[tuple[str, Any]]:
    """The invoices and credit notes of an order, which follow it by events."""

    def papers() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = person.get(f"{way}/invoices")["items"]
        return found if len(found) >= count else []

    found = until(papers, f"{count} documents are made")
    return [(paper["kind"], paper["total"]) for paper in found]


def test_from_a_guests_cart_to_the_refund_of_what_came_back(
    shop: Shop, customer: dict[str, str], staff: dict[str, str]
) -> None:
    guest, ada, clerk = Person(shop, {}), Person(shop, customer), Person(shop, staff)
    lantern, lamp = new_goods(shop, on_hand=10, count=2)
    code = coupon(clerk)

    # A guest's cart, which becomes the customer's.
    cart = guest.post("/carts")
    added = [{"sku": lantern, "quantity": 3}, {"sku": lamp, "quantity": 1}]
    guest.post(f"/carts/{cart['id']}/items", {"items": added}, expect=200)
    merged = ada.post(f"/carts/{cart['id']}/merge", expect=200)
    assert {item["sku"]: item["quantity"] for item in merged["items"]} == {lantern: 3, lamp: 1}
    priced = shop.http.patch(
        f"/api/v1/carts/{merged['id']}",
        headers=customer,
        json={"coupons": [code], "country": "GB", "postcode": "SW1Y 4JH"},
    ).json()
    assert (priced["total"], priced["problems"]) == (gbp("16.20"), [])

    # One order, however often it is sent.
    wish = {
        "shipping_address": ADDRESS,
        "payment": {"method": "card", "token": "tok_visa"},
        "expected_total": priced["total"],
    }
    checkout = f"/carts/{merged['id']}/checkout"
    first, again = (ada.send(checkout, wish, key="once") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotency-Replayed"] == "true"
    order = first.json()
    assert again.json() == order
    assert (order["status"], order["source"]) == ("CONFIRMED", "cart")
    assert (order["total"], order["discount"]) == (gbp("16.20"), gbp("1.80"))
    assert clerk.get(f"/coupons/{code}")["used"] == 1
    line = {item["sku"]: item["id"] for item in order["lines"]}
    way = f"/orders/{order['id']}"

    # Some of it is sent, then the rest; each takes its own money.
    parts = [{"line_id": line[lantern], "quantity": 2}]
    parcel = clerk.post(f"{way}/fulfilments", {"lines": parts, "carrier": "DHL"})
    assert parcel["captured"] == gbp("8.10")
    assert papers_of(ada, way, 1) == [("INVOICE", gbp("16.20"))]
    assert ada.get(way)["fulfilment_status"] == "PARTIALLY_FULFILLED"
    assert clerk.post(f"{way}/fulfilments")["captured"] == gbp("8.10")
    sent = ada.get(way)
    assert (sent["status"], sent["payment"]["status"]) == ("COMPLETED", "CAPTURED")

    # A lantern comes back as good as new, and its money goes back.
    asked = ada.post(
        f"{way}/returns",
        {"lines": [{"line_id": line[lantern], "quantity": 1}], "reason": "too_small"},
    )
    back = f"{way}/returns/{asked['id']}"
    assert clerk.post(f"{back}/approve", expect=200)["state"] == "APPROVED"
    assert clerk.post(f"{back}/receive", expect=200)["state"] == "RECEIVED"
    refund = clerk.post(f"{way}/refunds", {"return_id": asked["id"], "reason": "too_small"})
    assert (refund["state"], refund["given_back"]) == ("DONE", gbp("4.05"))
    after = ada.get(way)
    assert (after["refunded"], after["return_status"]) == (gbp("4.05"), "PARTIALLY_RETURNED")
    assert after["payment"]["status"] == "PARTIALLY_REFUNDED"
    stock = {sku: clerk.get(f"/inventory/{sku}") for sku in (lantern, lamp)}
    assert [(one["on_hand"], one["held"]) for one in stock.values()] == [(8, 0), (9, 0)]

    papers = papers_of(ada, way, 2)
    assert papers == [("INVOICE", gbp("16.20")), ("CREDIT_NOTE", gbp("4.05"))]
    told = [entry["code"] for entry in ada.get(f"{way}/history")["items"]]
    assert told == [
        "placed",
        "confirmed",
        "fulfilled",
        "fulfilled",
        "return_requested",
        "return_approved",
        "return_received",
        "refunded",
    ]
    audit(shop)
