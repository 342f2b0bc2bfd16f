"""Orders that staff take for customers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from domains.orders.admin import telephone
from domains.orders.models import Order
from domains.products.services import prices
from infrastructure.money import Money
from tests.support.admin_pages import filled, text_of
from tests.support.factories import orders, pricing
from tests.support.factories import products as goods
from tests.support.factories.users import admin_client_of, customer, staff

pytestmark = pytest.mark.django_db

ADD = "/admin/orders/order/add/"
ADDRESS = {f"address_{name}": text for name, text in orders.ADDRESS.items()}


@pytest.fixture
def clerk() -> Client:
    return admin_client_of(staff("support"))


def seen(client: Client, **said: Any) -> dict[str, Any]:
    """The form after its owner was shown the price."""
    form = filled(client.get(ADD)) | ADDRESS | said
    return filled(client.post(ADD, form | {"look": "yes"}))


@pytest.fixture(autouse=True)
def shop(now: datetime) -> None:
    goods.stocked({"A": 9, "B": 1}, now=now)


def test_a_price_is_shown_and_then_the_order_is_placed_once(clerk: Client) -> None:
    ann = customer(email="ann@example.com")
    form = filled(clerk.get(ADD)) | ADDRESS | {"email": "Ann@example.com", "items": "A 2\nB"}
    shown = clerk.post(ADD, form | {"look": "yes"})
    assert "In all 30.00 GBP." in text_of(shown)
    assert not Order.objects.exists()
    form = filled(shown) | {"confirm": "yes"}
    page = text_of(clerk.post(ADD, form, follow=True))
    order = Order.objects.get()
    assert f"Order {order.number} is placed: 30.00 GBP." in page
    assert (order.customer_id, order.source, order.status) == (ann.pk, "staff", "CONFIRMED")
    assert order.payment_method == "invoice"


def test_who_has_no_account_orders_as_a_guest(clerk: Client) -> None:
    form = seen(clerk, email="new@example.com", items="A")
    clerk.post(ADD, form | {"confirm": "yes"})
    order = Order.objects.get()
    assert (order.customer_id, order.email) == (None, "new@example.com")


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"items": "X 1"}, "X is not sold here."),
        ({"items": "B 2"}, "2 of B ordered, 1 available."),
        ({"items": "A two"}, "is not a SKU and a number."),
        ({"items": "A", "method": "card"}, "token"),
        ({"items": "A", "address_country": "UK"}, "UK is no code of a country"),
    ],
)
def test_what_cannot_be_had_is_told_and_nothing_is_placed(
    clerk: Client, said: dict[str, str], refusal: str
) -> None:
    form = filled(clerk.get(ADD)) | ADDRESS | {"email": "a@example.com"} | said
    assert refusal in text_of(clerk.post(ADD, form | {"look": "yes"}))
    assert not Order.objects.exists()


def test_only_who_may_order_for_others_does() -> None:
    onlooker = admin_client_of(staff("finance"))
    assert onlooker.get(ADD).status_code == 403
    assert onlooker.post(ADD, {}).status_code == 403


def test_what_is_confirmed_twice_is_the_same_order_though_nothing_is_left(clerk: Client) -> None:
    form = seen(clerk, email="new@example.com", items="B 1") | {"confirm": "yes"}
    first, second = (clerk.post(ADD, form) for _ in range(2))
    order = Order.objects.get()
    assert first.headers["Location"] == second.headers["Location"]
    assert first.headers["Location"] == f"/admin/orders/order/{order.pk}/change/"


def test_a_form_that_made_an_order_makes_no_other_one(clerk: Client) -> None:
    form = seen(clerk, email="new@example.com", items="A 1") | {"confirm": "yes"}
    clerk.post(ADD, form)
    shown = clerk.post(ADD, form | {"items": "A 2"})
    assert "An order was placed by this form, before it was changed." in text_of(shown)
    assert Order.objects.count() == 1


def test_the_shipping_is_chosen_among_what_is_offered(clerk: Client, now: datetime) -> None:
    pricing.shipping_method("standard", now=now)
    pricing.shipping_method("express", now=now, price_minor=495, position=1)
    form = seen(clerk, email="new@example.com", items="A 1", shipping_method="express")
    clerk.post(ADD, form | {"confirm": "yes"})
    order = Order.objects.get()
    assert (order.shipping_method, order.total_minor) == ("express", 1495)


def test_a_price_that_turns_while_it_is_confirmed_is_shown_and_not_charged(
    clerk: Client, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = telephone.place

    def turns_first(*given: Any, **named: Any) -> Order:
        prices.set_price(sku="A", money=Money(1200, "GBP"), actor_id=None, now=now)
        return places(*given, **named)

    form = seen(clerk, email="new@example.com", items="A 1") | {"confirm": "yes"}
    monkeypatch.setattr(telephone, "place", turns_first)
    refused = clerk.post(ADD, form)

    assert "The total is 12.00 GBP, and not 10.00 GBP." in text_of(refused)
    assert "items" in refused.context["form"].errors
    assert not Order.objects.exists()
