"""Orders of people without an account, and of people on the telephone."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from domains.orders.models import Order, OrderChange
from domains.orders.services.tokens import order_token
from infrastructure.http.middleware import security_headers
from infrastructure.http.openapi.document import document
from infrastructure.ids import new_id
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, customer, staff

pytestmark = pytest.mark.django_db

ADDRESS = {name: text for name, text in orders.ADDRESS.items() if text}


@pytest.fixture(autouse=True)
def _lanterns(now: datetime) -> None:
    goods.product(name="Lantern", sku="A", price_minor=255, stock=10, now=now)


def post(client: Client, *, key: str = "k", **changes: Any) -> Any:
    body = {
        "lines": [{"sku": "A", "quantity": 2}],
        "shipping_address": ADDRESS,
        "payment": {"method": "card", "token": "tok_visa"},
    } | changes
    return client.post(
        "/api/v1/orders",
        body,
        content_type="application/json",
        headers={"Idempotency-Key": key},
    )


def get(client: Client, path: str, *, token: str | None = None) -> Any:
    headers = {} if token is None else {"Order-Token": token}
    return client.get(f"/api/v1/orders{path}", headers=headers)


def test_a_guest_orders_with_an_address_and_reads_the_order_with_its_token() -> None:
    answer = post(Client(), email="Ann@Example.com")

    assert answer.status_code == 201, answer.content
    order = answer.json()
    assert order["status"] == "CONFIRMED"
    assert answer.headers["Order-Token"] == order["order_token"]
    read = get(Client(), f"/{order['id']}", token=order["order_token"])
    assert read.status_code == 200
    assert "order_token" not in read.json()
    stored = Order.objects.get()
    assert (stored.customer_id, stored.email) == (None, "Ann@Example.com")


@pytest.mark.parametrize(("prefer", "status"), [("wait", 201), ("respond-async", 202)])
def test_the_headers_of_an_answer_are_described(prefer: str, status: int) -> None:
    described = document()["paths"]["/api/v1/orders"]["post"]["responses"][str(status)]["headers"]
    answer = post(Client(headers={"Prefer": prefer}), email="ann@example.com")
    assert answer.status_code == status
    everywhere = {"Content-Type", "Content-Length", "Cache-Control", "Content-Security-Policy"}
    everywhere |= set(security_headers())
    assert set(answer.headers) - everywhere <= set(described)
    assert {"ETag", "Location", "Order-Token"} <= set(answer.headers)


def test_without_an_account_or_an_address_nobody_orders() -> None:
    answer = post(Client())
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert Order.objects.count() == 0


def test_a_guests_order_is_closed_to_everybody_else() -> None:
    order = post(Client(), email="ann@example.com").json()
    path = f"/{order['id']}"

    assert get(Client(), path).status_code == 401
    assert get(Client(), path, token="guess").status_code == 404
    assert get(Client(), path, token=order_token(new_id())).status_code == 404
    assert get(client_of(customer()), path).status_code == 404
    assert get(Client(), "").status_code == 401, "a token lists nothing"
    assert get(client_of(staff("support")), path).status_code == 200


def test_no_token_opens_the_order_of_a_customer() -> None:
    order = post(client_of(customer())).json()
    assert "order_token" not in order
    assert get(Client(), f"/{order['id']}", token=order_token(UUID(order["id"]))).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_guest_is_known_by_the_address_wherever_the_request_comes_from() -> None:
    """A telephone changes its network between a request and its repetition."""
    here, there = Client(REMOTE_ADDR="192.0.2.1"), Client(REMOTE_ADDR="198.51.100.7")

    first = post(here, email="ann@example.com")
    again = post(there, email="ann@example.com")
    somebody_else = post(there, email="bob@example.com")

    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    assert somebody_else.json()["id"] != first.json()["id"]


def test_one_address_cannot_be_ordered_under_all_the_time(settings: Any) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"guest_order": "2/h"}
    address = f"{new_id().hex}@example.com"

    answers = [
        post(Client(REMOTE_ADDR=f"192.0.2.{number}"), key=str(number), email=address)
        for number in range(3)
    ]

    assert [answer.status_code for answer in answers] == [201, 201, 429]


def test_a_guest_calls_the_order_off_with_its_token() -> None:
    order = post(Client(), email="ann@example.com").json()
    path = f"/api/v1/orders/{order['id']}/cancel"
    body = {"reason": "changed_mind"}

    strange = Client().post(path, body, content_type="application/json")
    own = Client().post(
        path, body, content_type="application/json", headers={"Order-Token": order["order_token"]}
    )

    assert strange.status_code == 401
    assert (own.status_code, own.json()["status"]) == (200, "CANCELLED")


# By telephone


def test_staff_take_an_order_for_a_customer_who_finds_it_among_their_own() -> None:
    ann, agent = customer(), staff("support")

    answer = post(client_of(agent), customer_id=str(ann.id), payment={"method": "invoice"})

    assert answer.status_code == 201, answer.content
    order = answer.json()
    assert (order["source"], order["payment"]["method"]) == ("staff", "invoice")
    assert [found["id"] for found in get(client_of(ann), "").json()["items"]] == [order["id"]]
    stored = Order.objects.get()
    assert (stored.customer_id, stored.placed_by) == (ann.id, agent.id)
    history = get(client_of(agent), f"/{order['id']}/history").json()["items"]
    assert history[0]["code"] == "placed"
    assert history[0]["actor"] == {"kind": "staff", "id": str(agent.id)}


def test_staff_take_an_order_for_somebody_without_an_account() -> None:
    agent = client_of(staff("support"))

    refused = post(agent, customer_id=None)
    answer = post(agent, key="k2", customer_id=None, email="ann@example.com")

    assert (refused.status_code, refused.json()["code"]) == (422, "email_required")
    assert (answer.status_code, answer.json()["email"]) == (201, "ann@example.com")
    assert Order.objects.get().customer_id is None
    token = answer.json()["order_token"]
    assert answer.headers["Order-Token"] == token
    assert get(Client(), f"/{answer.json()['id']}", token=token).status_code == 200


def test_only_who_is_known_orders_on_account(settings: Any) -> None:
    wish: dict[str, Any] = {"email": "ann@example.com", "payment": {"method": "invoice"}}

    refused = post(Client(), **wish)
    by_staff = post(client_of(staff("support")), key="k2", customer_id=None, **wish)
    settings.INVOICE_FOR_GUESTS = True
    allowed = post(Client(), key="k3", **wish)

    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_payment_method")
    assert refused.json()["errors"][0]["pointer"] == "/payment/method"
    assert (by_staff.status_code, allowed.status_code) == (201, 201)


def test_nobody_else_orders_for_others() -> None:
    ann = customer()
    assert post(client_of(customer()), customer_id=str(ann.id)).status_code == 403
    assert post(Client(), customer_id=str(ann.id), email="eve@example.com").status_code == 401
    unknown = post(client_of(staff("support")), customer_id=str(new_id()))
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_customer")
    assert Order.objects.count() == 0


def test_a_customer_who_sends_the_token_of_a_guests_order_is_its_customer() -> None:
    order = post(Client(), email="ann@example.com").json()
    body = {"reason": "changed_mind"}
    ann = customer()

    answer = client_of(ann).post(
        f"/api/v1/orders/{order['id']}/cancel",
        body,
        content_type="application/json",
        headers={"Order-Token": order["order_token"]},
    )

    assert (answer.status_code, answer.json()["status"]) == (200, "CANCELLED")
    asked = OrderChange.objects.get(order_id=order["id"], code="cancel_requested")
    assert (asked.actor_kind, asked.actor_id) == ("customer", ann.id)


def test_staff_who_may_cancel_everybodys_orders_are_staff() -> None:
    order = post(Client(), email="ann@example.com").json()
    clerk = staff("support")

    answer = client_of(clerk).post(
        f"/api/v1/orders/{order['id']}/cancel", {}, content_type="application/json"
    )

    assert answer.status_code == 200, answer.content
    asked = OrderChange.objects.get(order_id=order["id"], code="cancel_requested")
    assert (asked.actor_kind, asked.actor_id) == ("staff", clerk.id)


def test_a_guest_who_is_back_from_the_bank_asks_how_the_payment_stands() -> None:
    order = post(Client(), email="ann@example.com").json()
    path = f"/api/v1/orders/{order['id']}/payment/refresh"

    sent: dict[str, Any] = {"content_type": "application/json"}
    strange = Client().post(path, **sent)
    own = Client().post(path, headers={"Order-Token": order["order_token"]}, **sent)
    by_staff = client_of(staff("support")).post(path, **sent)
    somebody = client_of(customer()).post(path, **sent)

    assert (strange.status_code, somebody.status_code) == (401, 404)
    assert (own.status_code, own.json()["status"]) == (200, "CONFIRMED")
    assert own.json()["payment"]["status"] == "AUTHORISED"
    assert by_staff.status_code == 200
