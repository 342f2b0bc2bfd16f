"""A dearer order is paid by means that hold for an order that is placed, and for no others."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.test import Client

from domains.orders.api.views.edits import OrderEdits
from domains.orders.api.views.payments import OrderPayment
from domains.orders.models import Order
from domains.payments import public as payments
from domains.payments.models import Payment, SavedMethod
from domains.payments.rules.gateways import KeptMethod
from infrastructure.ids import new_id
from tests.support.after_placement import money_of
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, customer, staff
from tests.support.placing_api import body, post

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(now: datetime) -> Order:
    goods.product(name="White lantern", sku="85123A", price_minor=255, stock=10, now=now)
    placed = post(client_of(customer()), body(lines=[{"sku": "85123A", "quantity": 1}])).json()
    return Order.objects.whole(placed["id"])


def make_dearer(order: Order, token: str) -> Any:
    clerk: Client = client_of(staff("admin"))
    return clerk.post(
        f"/api/v1/orders/{order.id}/edits",
        {
            "lines": [{"line_id": str(order.lines[0].id), "quantity": 2}],
            "payment": {"token": token},
        },
        content_type="application/json",
        headers={"Idempotency-Key": str(new_id())},
    )


def saved_by(customer_id: UUID | None, now: datetime) -> str:
    """The token that stands for a card which that customer left with the gateway."""
    assert customer_id is not None
    card = KeptMethod(token="kept_1", brand="visa", last4="4242", expiry_month=12, expiry_year=2039)
    saved = SavedMethod.kept(
        card, customer_id=customer_id, gateway=settings.PAYMENT_GATEWAY, now=now
    )
    saved.save()
    return payments.token_for(saved_method=saved.id)


def assert_nothing_changed(order: Order) -> None:
    found = Order.objects.whole(order.id)
    assert (found.version, len(found.steps), found.total_minor) == (order.version, 0, 255)
    assert list(Payment.objects.filter(reference=order.number).values_list("id")) == [(order.id,)]


def test_a_card_number_is_refused_as_one(order: Order) -> None:
    answer = make_dearer(order, "tok4242424242424242")

    assert (answer.status_code, answer.json()["code"]) == (400, "card_number_refused")
    assert_nothing_changed(order)


def test_who_pays_is_told_before_which_errors_there_are() -> None:
    of_edits = OrderEdits.endpoints["POST"].operation.errors
    of_payment = OrderPayment.endpoints["POST"].operation.errors
    assert payments.CardNumberRefused in of_edits
    assert {payments.CardNumberRefused, payments.PaymentsUnavailable} <= set(of_payment)


def test_somebody_elses_card_is_refused_where_it_was_named(order: Order, now: datetime) -> None:
    answer = make_dearer(order, saved_by(new_id(), now))

    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_payment_method")
    [fault] = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/payment/token", "saved_method_not_found")
    assert_nothing_changed(order)


def test_the_customers_own_card_pays(order: Order, now: datetime) -> None:
    answer = make_dearer(order, saved_by(order.customer_id, now))

    assert (answer.status_code, answer.json()["state"]) == (200, "DONE")
    edited = Order.objects.whole(order.id)
    assert edited.total_minor == money_of(edited).authorised_minor == 510
    assert Payment.objects.get(pk=edited.payment_id).customer_id == order.customer_id


@pytest.mark.parametrize("token", ["tok_visa\n", "t" * 191])
def test_a_token_has_one_form_wherever_it_is_sent(order: Order, token: str) -> None:
    of_edit = make_dearer(order, token)
    again = body(payment={"method": "card", "token": token})
    of_order = post(client_of(customer()), again, key="k2")

    for answer in (of_edit, of_order):
        assert answer.status_code == 400
        [fault] = answer.json()["errors"]
        assert fault["pointer"] == "/payment/token"
    assert Order.objects.count() == 1
    assert_nothing_changed(order)
