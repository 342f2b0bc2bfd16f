"""Orders, payments, invoices and saved cards of other people: on every route they do not exist, and
nothing of a person leaves the context in a fact or a line of a log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import URLPattern

from domains.orders.api.urls import urlpatterns as order_routes
from domains.orders.models import Document, Order, PaymentChoice
from domains.orders.models.commands.refunding import RefundWish
from domains.orders.services import fulfilling, noting, refunding, returning
from domains.orders.services.invoicing import issue_due
from domains.orders.services.tokens import order_token
from domains.payments.api.urls import urlpatterns as payment_routes
from domains.payments.models import Payment, SavedMethod
from infrastructure.auth.permissions import OrGuest
from infrastructure.database.contexts import aliases
from infrastructure.ids import new_id
from infrastructure.outbox.models import OutboxMessage
from tests.support.after_placement import STAFF, reread
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, customer
from tests.support.messaging import deliver_outbox

pytestmark = pytest.mark.django_db(transaction=True)

UNITS = {"lines": [{"line_id": str(new_id()), "quantity": 1}]}
# What the routes take that take something.
BODIES: dict[str, dict[str, Any]] = {
    "order-notes": {"text": "x"},
    "order-refunds": {"all": True},
    "returns": UNITS,
    "pay-order": {"payment": {"method": "card", "token": "tok_visa"}},
    "refund-payment": {"reason": "broken"},
    "record-receipt": {
        "amount": {"amount": "1.00", "currency": "GBP"},
        "reference": "tx-1",
        "received_at": "2026-03-02T09:30:00Z",
    },
}
# They name nothing that is somebody's; what is checked out is a cart's.
OF_NOBODY = {"orders", "payment-methods", "payment-webhooks", "check-out"}


def routes() -> Iterator[tuple[URLPattern, str, object]]:
    for route in (*order_routes, *payment_routes):
        if route.name not in OF_NOBODY:
            for method, demanded in route.callback.view_class.scopes.items():
                yield route, method, demanded


def ids_of(order: Order) -> dict[str, UUID]:
    """What the routes call things of this order by."""
    return {
        "order_id": order.id,
        "payment_id": order.payment_id,
        "fulfilment_id": order.fulfilments[0].id,
        "return_id": order.returns[0].id,
        "step_id": order.steps[0].id,
        "document_id": Document.objects.filter(order_id=order.id).first().id,
    }


def ask(client: Client, route: URLPattern, method: str, ids: dict[str, UUID]) -> tuple[int, str]:
    path = str(route.pattern)
    for name, value in ids.items():
        path = path.replace(f"<uuid:{name}>", str(value))
    assert "<" not in path
    answer = client.generic(
        method,
        f"/api/v1/{path}",
        b"" if method in ("GET", "DELETE") else json.dumps(BODIES.get(str(route.name), {})),
        content_type="application/json",
        headers={"Idempotency-Key": str(new_id())},
    )
    return answer.status_code, answer.json()["code"]


@pytest.fixture
def sold(now: datetime) -> Order:
    """A customer's order with something of everything."""
    return with_everything(now, customer_id=customer().pk)


def with_everything(now: datetime, **whose: Any) -> Order:
    goods.stocked({"A": 9}, now=now)
    order = orders.placed({"A": 2}, now=now, **whose)
    fulfilling.fulfil(order_id=order.id, lines=None, warehouse="main", by=STAFF, key=None, now=now)
    returning.request_return(
        order_id=order.id,
        lines={order.lines[0].id: 1},
        reason="broken",
        by=STAFF,
        key=None,
        now=now,
    )
    issue_due(order_id=order.id, now=now)
    return reread(order)


def test_on_every_route_what_is_somebody_elses_is_like_what_does_not_exist(
    sold: Order, now: datetime
) -> None:
    own = orders.placed({"A": 1}, now=now, customer_id=None, email="eve@example.com")
    token = order_token(own.id)
    card = SavedMethod.objects.create(
        id=new_id(),
        customer_id=sold.customer_id,
        gateway="in_process",
        token="pm_1",
        brand="visa",
        last4="4242",
        expiry_month=1,
        expiry_year=2039,
        created_at=now,
    )
    strangers = {
        "nobody": Client(),
        "another guest": Client(HTTP_ORDER_TOKEN=token),
        "another customer": client_of(customer()),
        "another customer with a token": client_of(customer(), HTTP_ORDER_TOKEN=token),
    }
    theirs = ids_of(sold) | {"method_id": card.id}
    unknown = {name: new_id() for name in theirs}
    before = (sold.version, Payment.objects.get(pk=sold.payment_id).version)

    asked = 0
    for route, method, demanded in routes():
        for who, client in strangers.items():
            answer = ask(client, route, method, theirs)
            asked += 1

            where = (method, str(route.pattern), who, answer)
            assert answer == ask(client, route, method, unknown), where
            is_open = isinstance(demanded, OrGuest)
            if who == "nobody" or (who == "another guest" and not is_open):
                assert answer == (401, "not_authenticated"), where
            elif is_open or not isinstance(demanded, str):
                assert answer[0] == 404, where
            else:
                assert answer == (403, "missing_scope"), where

    assert asked == 4 * len(list(routes())) > 100
    after = (reread(sold).version, Payment.objects.get(pk=sold.payment_id).version)
    assert after == before
    assert SavedMethod.objects.get(pk=card.id).deleted_at is None


def test_the_token_of_one_order_opens_nothing_of_another_under_its_own_path(
    now: datetime,
) -> None:
    ann = with_everything(now, customer_id=None, email="ann@example.com")
    eve = orders.placed({"A": 1}, now=now, customer_id=None, email="eve@example.com")
    client = Client(headers={"Order-Token": order_token(eve.id)})
    line = {"lines": [{"line_id": str(ann.lines[0].id), "quantity": 1}]}

    invoice = client.get(f"/api/v1/invoices/{ids_of(ann)['document_id']}")
    cancelled = client.post(
        f"/api/v1/orders/{eve.id}/cancel",
        line,
        content_type="application/json",
    )

    assert (invoice.status_code, invoice.json()["code"]) == (404, "invoice_not_found")
    assert (cancelled.status_code, cancelled.json()["code"]) == (422, "unknown_line")
    assert reread(ann).lines[0].cancelled == 0


def test_nothing_of_a_person_is_in_a_fact_or_in_a_line_of_the_log(
    now: datetime, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    address = {
        "name": "Canary Wharf",
        "line1": "7 Secret Lane",
        "city": "Hidden",
        "postcode": "ZZ1 1ZZ",
        "country": "GB",
        "phone": "+44 20 7946 0999",
    }
    order = with_everything(
        now,
        customer_id=None,
        email="canary@example.com",
        shipping_address=address,
        billing_address=address | {"line1": "8 Secret Lane"},
        note="leave it with Mrs Canary",
        payment=PaymentChoice(method="card", token="tok_visa"),
    )
    noting.note_order(order_id=order.id, text="called Mrs Canary", by=STAFF, now=now)
    refunding.refund(
        order_id=order.id,
        wish=RefundWish(amount_minor=100),
        reason="goodwill",
        by=STAFF,
        key=None,
        now=now,
    )
    told = facts()
    deliver_outbox()
    told += facts()

    said = "".join(capsys.readouterr()) + "".join(str(vars(line)) for line in caplog.records)
    assert {"orders.order_created", "payments.payment_refunded"} <= {name for name, _ in told}
    secrets = [
        *("canary", "Secret Lane", "ZZ1 1ZZ", "7946", "Hidden", "tok_visa"),
        order_token(order.id),
    ]
    for secret in secrets:
        assert secret.lower() not in "".join(payload for _, payload in told).lower(), secret
        assert secret.lower() not in said.lower(), secret


def facts() -> list[tuple[str, str]]:
    return [
        (row.name, row.payload)
        for alias in aliases()
        for row in OutboxMessage.objects.using(alias).order_by("id")
    ]
