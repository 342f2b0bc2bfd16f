"""The main journey, as clients send it, through all processes of a running shop."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.stack.shop import Shop
from tests.support.waiting import until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.timeout(300),
]


def order_of(sku: str, *, quantity: int = 2, token: str = "tok_visa") -> dict[str, Any]:
    return {
        "lines": [{"sku": sku, "quantity": quantity}],
        "shipping_address": {
            "name": "Ada",
            "line1": "12 St James Square",
            "city": "London",
            "postcode": "SW1Y 4JH",
            "country": "GB",
        },
        "payment": {"method": "card", "token": token},
    }


def place(shop: Shop, customer: dict[str, str], body: Any, **headers: str) -> httpx.Response:
    return shop.http.post(
        "/api/v1/orders",
        headers={**customer, "Idempotency-Key": uuid4().hex, **headers},
        json=body,
    )


def inventory_of(shop: Shop, staff: dict[str, str], sku: str) -> dict[str, Any]:
    answer = shop.http.get(f"/api/v1/inventory/{sku}", headers=staff)
    assert answer.status_code == 200
    return {name: answer.json()[name] for name in ("sku", "on_hand", "held", "available")}


def problem_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    return answer.status_code, problem["code"]


def test_what_staff_put_on_sale_can_be_found_by_anybody(shop: Shop, lantern: str) -> None:
    found = shop.http.get("/api/v1/products?q=lantern&limit=20")
    assert found.status_code == 200
    [variant] = [
        variant
        for product in found.json()["items"]
        for variant in product["variants"]
        if variant["sku"] == lantern
    ]
    assert variant["price"] == {"amount": "4.50", "currency": "GBP"}
    assert variant["available"] is True


def test_a_customer_orders_and_reads_the_order_again(
    shop: Shop, customer: dict[str, str], staff: dict[str, str], lantern: str
) -> None:
    answer = place(shop, customer, order_of(lantern))
    assert answer.status_code == 201
    order = answer.json()
    assert order["status"] == "CONFIRMED"
    assert order["total"] == {"amount": "9.00", "currency": "GBP"}
    assert [(line["sku"], line["quantity"]) for line in order["lines"]] == [(lantern, 2)]
    assert order["payment"] == {"id": order["id"], "method": "card", "status": "AUTHORISED"}

    read = shop.http.get(f"/api/v1/orders/{order['id']}", headers=customer)
    assert read.status_code == 200
    assert read.json() == order
    assert read.headers["ETag"] == answer.headers["ETag"]
    unchanged = shop.http.get(
        f"/api/v1/orders/{order['id']}",
        headers={**customer, "If-None-Match": read.headers["ETag"]},
    )
    assert unchanged.status_code == 304
    expected = {"sku": lantern, "on_hand": 50, "held": 2, "available": 48}
    assert inventory_of(shop, staff, lantern) == expected


def test_more_than_there_is_gets_409_with_the_line_that_is_short(
    shop: Shop, customer: dict[str, str], lantern: str
) -> None:
    answer = place(shop, customer, order_of(lantern, quantity=51))
    assert problem_of(answer) == (409, "out_of_stock")
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/lines/0/quantity", "out_of_stock")


def test_a_declined_card_gets_402_and_the_goods_are_free_again(
    shop: Shop, customer: dict[str, str], staff: dict[str, str], lantern: str
) -> None:
    answer = place(shop, customer, order_of(lantern, token="tok_declined"))
    assert problem_of(answer) == (402, "payment_declined")
    expected = {"sku": lantern, "on_hand": 50, "held": 0, "available": 50}
    assert inventory_of(shop, staff, lantern) == expected


def test_an_asynchronous_order_is_accepted_and_decided_by_the_consumer(
    shop: Shop, customer: dict[str, str], lantern: str
) -> None:
    answer = place(shop, customer, order_of(lantern), Prefer="respond-async")
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "respond-async"
    order = answer.json()
    assert order["status"] == "PENDING"
    assert answer.headers["Location"] == f"/api/v1/orders/{order['id']}"

    def decided() -> dict[str, Any] | None:
        read = shop.http.get(answer.headers["Location"], headers=customer).json()
        return None if read["status"] == "PENDING" else read

    read = until(decided, "the consumer decides the order")
    assert (read["status"], read["payment"]["status"]) == ("CONFIRMED", "AUTHORISED")


def test_a_cancelled_order_gives_goods_and_money_back(
    shop: Shop, customer: dict[str, str], staff: dict[str, str], lantern: str
) -> None:
    order = place(shop, customer, order_of(lantern)).json()
    answer = shop.http.post(
        f"/api/v1/orders/{order['id']}/cancel", headers=customer, json={"reason": "changed_mind"}
    )
    assert answer.status_code == 200
    assert answer.json()["status"] == "CANCELLED"
    assert answer.json()["payment"]["status"] == "VOIDED"
    expected = {"sku": lantern, "on_hand": 50, "held": 0, "available": 50}
    assert inventory_of(shop, staff, lantern) == expected


def test_an_order_is_nobody_elses_business(
    shop: Shop, customer: dict[str, str], lantern: str
) -> None:
    order = place(shop, customer, order_of(lantern)).json()
    assert shop.http.get(f"/api/v1/orders/{order['id']}").status_code == 401
    email = f"{uuid4().hex}@example.com"
    account = {"email": email, "password": "another lantern on the water"}
    shop.http.post("/api/v1/auth/register", json={**account, "name": "Eve"})
    token = shop.http.post("/api/v1/auth/token", json=account).json()["access_token"]
    answer = shop.http.get(
        f"/api/v1/orders/{order['id']}", headers={"Authorization": f"Bearer {token}"}
    )
    assert problem_of(answer) == (404, "order_not_found")
