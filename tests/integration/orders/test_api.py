"""The order routes as a client sees them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from domains.orders.models import Order
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, customer, staff
from tests.support.placing_api import ADDRESS, body, post

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(now: datetime) -> None:
    goods.product(name="White lantern", sku="85123A", price_minor=255, stock=10, now=now)


@pytest.mark.usefixtures("shop")
class TestPlacing:
    def test_the_answer_is_the_confirmed_order(self) -> None:
        answer = post(client_of(customer()), body())

        assert answer.status_code == 201
        order = answer.json()
        assert order["status"] == "CONFIRMED"
        assert order["total"] == {"amount": "5.10", "currency": "GBP"}
        (line,) = order["lines"]
        assert (line["sku"], line["name"], line["quantity"]) == ("85123A", "White lantern", 2)
        assert line["unit_price"] == {"amount": "2.55", "currency": "GBP"}
        assert line["total"] == {"amount": "5.10", "currency": "GBP"}
        assert order["payment"] == {"id": order["id"], "method": "card", "status": "AUTHORISED"}
        assert len(order["number"]) == 9
        assert answer["Location"] == f"/api/v1/orders/{order['id']}"
        assert answer["ETag"]

    def test_what_is_short_is_named_per_line(self) -> None:
        answer = post(client_of(customer()), body(lines=[{"sku": "85123A", "quantity": 11}]))
        assert answer.status_code == 409
        assert answer["Content-Type"] == "application/problem+json"
        problem = answer.json()
        assert problem["code"] == "out_of_stock"
        assert problem["title"] == "Not everything is in stock"
        assert problem["errors"] == [
            {
                "pointer": "/lines/0/quantity",
                "code": "out_of_stock",
                "detail": "There are not 11 of 85123A.",
            }
        ]

    def test_what_has_no_price_in_the_currency_is_not_sold_in_it(self, now: datetime) -> None:
        goods.product(sku="DEAR", price_minor=900, currency="EUR", stock=1, now=now)
        wanted = [{"sku": sku, "quantity": 1} for sku in ("DEAR", "85123A")]
        answer = post(client_of(customer()), body(lines=wanted, currency="EUR"))
        assert (answer.status_code, answer.json()["code"]) == (422, "not_sold_in_currency")
        assert answer.json()["errors"] == [
            {
                "pointer": "/lines/1/sku",
                "code": "not_sold_in_currency",
                "detail": "85123A is not sold in EUR.",
            }
        ]
        wanted.append({"sku": "NONE", "quantity": 1})
        answer = post(client_of(customer()), body(lines=wanted, currency="EUR"), key="k2")
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_sku")
        assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [
            ("/lines/1/sku", "not_sold_in_currency"),
            ("/lines/2/sku", "unknown_sku"),
        ]

    def test_what_is_sold_no_more_is_not_sold_in_any_currency(self, now: datetime) -> None:
        goods.product(sku="OLD", status="draft", now=now)
        wanted = [{"sku": "OLD", "quantity": 1}]
        for currency in ("GBP", "EUR"):
            answer = post(client_of(customer()), body(lines=wanted, currency=currency))
            assert answer.json()["code"] == "unknown_sku"

    def test_an_unknown_channel_is_told_as_that(self) -> None:
        answer = post(client_of(customer()), body(channel="moon"))
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_channel")
        assert [e["pointer"] for e in answer.json()["errors"]] == ["/channel"]

    def test_a_declined_card_is_402(self) -> None:
        answer = post(
            client_of(customer()), body(payment={"method": "card", "token": "tok_declined"})
        )
        assert (answer.status_code, answer.json()["code"]) == (402, "payment_declined")
        assert answer["Location"].startswith("/api/v1/orders/")

    def test_a_key_is_demanded(self) -> None:
        answer = post(client_of(customer()), body(), key=None)
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_required")

    @pytest.mark.django_db(transaction=True)
    def test_the_same_request_again_is_answered_alike_and_says_so(self, shop: None) -> None:
        client = client_of(customer())
        first, second = post(client, body()), post(client, body())
        assert (second.status_code, second.json()) == (201, first.json())
        assert second["Idempotency-Replayed"] == "true"
        assert "Idempotency-Replayed" not in first

    @pytest.mark.django_db(transaction=True)
    def test_two_customers_may_choose_the_same_key(self, shop: None) -> None:
        one, other = post(client_of(customer()), body()), post(client_of(customer()), body())
        assert one.json()["id"] != other.json()["id"]

    def test_prefer_respond_async_is_accepted(self) -> None:
        client = client_of(customer())
        answer = post(client, body(), Prefer="respond-async")
        assert answer.status_code == 202
        assert answer["Preference-Applied"] == "respond-async"
        assert answer.json()["status"] == "PENDING"
        assert client.get(answer["Location"]).json()["status"] == "PENDING"

    @pytest.mark.parametrize(
        ("changes", "pointer", "code"),
        [
            ({"lines": []}, "/lines", "too_few"),
            ({"lines": [{"sku": "85123A", "quantity": 0}]}, "/lines/0/quantity", "out_of_range"),
            ({"lines": [{"sku": "85123A", "quantity": "2"}]}, "/lines/0/quantity", "invalid_type"),
            ({"status": "CONFIRMED"}, "/status", "unknown_field"),
            ({"shipping_address": {**ADDRESS, "country": "England"}}, None, None),
            (
                {"shipping_address": {**ADDRESS, "country": "UK"}},
                "/shipping_address/country",
                "bad_format",
            ),
            ({"payment": {"method": "card", "token": "4111111111111111"}}, None, None),
            ({"payment": {"method": "card"}}, "/payment/token", "payment_token_required"),
            (
                {"shipping_address": {**ADDRESS, "city": "Lon\x07don"}},
                "/shipping_address/city",
                "bad_format",
            ),
        ],
    )
    def test_bad_input_is_refused_and_nothing_is_written(
        self, changes: dict[str, Any], pointer: str | None, code: str | None
    ) -> None:
        answer = post(client_of(customer()), body(**changes))
        assert answer.status_code == 400
        (error,) = answer.json()["errors"]
        if pointer is not None:
            assert (error["pointer"], error["code"]) == (pointer, code)
        assert not Order.objects.exists()

    def test_strangers_are_refused(self) -> None:
        assert post(Client(), body()).status_code == 401


@pytest.mark.usefixtures("shop")
class TestReading:
    def test_an_order_can_be_read_again_and_is_not_sent_twice(self) -> None:
        client = client_of(customer())
        placed = post(client, body())
        read = client.get(placed["Location"])
        assert read.json() == placed.json()
        again = client.get(placed["Location"], headers={"If-None-Match": read["ETag"]})
        assert again.status_code == 304

    def test_an_order_of_somebody_else_does_not_exist(self) -> None:
        placed = post(client_of(customer()), body())
        stranger = client_of(customer())
        assert stranger.get(placed["Location"]).status_code == 404
        cancelled = stranger.post(
            placed["Location"] + "/cancel", {}, content_type="application/json"
        )
        assert cancelled.status_code == 404
        assert stranger.get("/api/v1/orders").json() == {"items": [], "next": None}
        assert client_of(staff("support")).get(placed["Location"]).status_code == 200

    def test_a_list_costs_the_same_whatever_its_length(
        self, now: datetime, django_assert_num_queries: Any
    ) -> None:
        buyer = customer()
        for _ in range(5):
            orders.placed({"85123A": 1}, customer_id=buyer.id, now=now)
        client = client_of(buyer)
        client.get("/api/v1/orders")
        with django_assert_num_queries(3):
            page = client.get("/api/v1/orders", {"limit": 3}).json()
        rest = client.get("/api/v1/orders", {"limit": 3, "cursor": page["next"]}).json()
        numbers = [order["number"] for order in page["items"] + rest["items"]]
        assert len(set(numbers)) == 5
        assert rest["next"] is None

    def test_filters_are_few_and_others_are_refused(self) -> None:
        client = client_of(customer())
        number = post(client, body()).json()["number"]
        assert len(client.get("/api/v1/orders", {"number": number}).json()["items"]) == 1
        assert client.get("/api/v1/orders", {"status": "REJECTED"}).json()["items"] == []
        unknown = client.get("/api/v1/orders", {"colour": "red"})
        assert unknown.status_code == 400
        assert unknown.json()["errors"][0]["code"] == "unknown_parameter"


@pytest.mark.django_db(transaction=True)
class TestCancelling:
    def test_the_customer_gets_the_cancelled_order(self, shop: None) -> None:
        client = client_of(customer())
        placed = post(client, body())
        url = placed["Location"] + "/cancel"
        answer = client.post(url, {}, content_type="application/json")
        assert answer.status_code == 200
        assert answer.json()["status"] == "CANCELLED"
        assert answer.json()["payment"]["status"] == "VOIDED"
        again = client.post(url, {}, content_type="application/json")
        assert again.status_code == 200

    def test_staff_may_cancel_for_a_customer_only_with_the_scope(self, shop: None) -> None:
        placed = post(client_of(customer()), body())
        url = placed["Location"] + "/cancel"
        content = {"reason": "fraud"}
        finance = client_of(staff("finance"))
        assert finance.post(url, content, content_type="application/json").status_code == 404
        support = client_of(staff("support"))
        answer = support.post(url, content, content_type="application/json")
        assert (answer.json()["status"], answer.json()["reason"]) == ("CANCELLED", "fraud")
