"""What staff do in the admin."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from domains.products.models import Product, StockItem, StockMovement
from domains.products.services import categories, price_lists, prices
from infrastructure.money import Money
from tests.support.factories import products, users

pytestmark = pytest.mark.django_db

STOCK = "admin:products_stockitem_changelist"


@pytest.fixture
def client() -> Client:
    return users.admin_client_of(users.staff("catalogue"))


@pytest.mark.parametrize(
    "model", [m for m in admin.site._registry if m._meta.app_label == "products"]
)
def test_every_screen_opens_and_changes_nothing(client: Client, now: datetime, model: type) -> None:
    parent = categories.create_category(name="Home", parent=None, now=now)
    assert parent
    categories.create_category(name="Lights", parent="home", now=now)
    products.product(now=now, sku="A", stock=3, categories=("lights",))
    products.held({"A": 1}, now=now)
    price_lists.create_price_list(code="trade", name="Trade", currency="GBP", now=now)
    name = f"admin:products_{model._meta.model_name}"
    listed = client.get(reverse(f"{name}_changelist"), {"q": "A"})
    assert listed.status_code == 200
    row = model._default_manager.first()
    path = reverse(f"{name}_change", args=[row.pk])
    assert client.get(path).status_code == 200
    assert client.post(path, {}).status_code == 403
    assert client.get(reverse(f"{name}_add")).status_code == 403
    assert client.get(reverse(f"{name}_delete", args=[row.pk])).status_code == 403


def test_staff_adjust_stock_with_a_reason_and_sending_it_twice_adjusts_once(
    client: Client, now: datetime
) -> None:
    products.product(now=now, sku="A", stock=3)
    path = reverse(STOCK)
    form = {"action": "adjust", "_selected_action": [str(products.variant_id("A"))]}
    page = client.post(path, form)
    token = re.search(r'name="token" value="([^"]+)"', page.content.decode())
    assert token
    filled = form | {"delta": "-2", "reason": "broken", "token": token.group(1)}
    for _ in range(2):
        assert client.post(path, filled).status_code == 302
    assert StockItem.objects.get().on_hand == 1
    movement = StockMovement.objects.order_by("id").last()
    assert movement is not None
    assert (movement.kind, movement.on_hand_delta, movement.reason) == ("ADJUSTMENT", -2, "broken")
    assert movement.actor_id is not None


def test_a_refused_adjustment_is_told_and_changes_nothing(client: Client, now: datetime) -> None:
    products.product(now=now, sku="A", stock=3)
    form = {"action": "adjust", "_selected_action": [str(products.variant_id("A"))]}
    token = "0198c7a1-b2c3-7d4e-8f90-a1b2c3d4e5f6"
    too_many = form | {"delta": "-4", "reason": "broken", "token": token}
    answer = client.post(reverse(STOCK), too_many, follow=True)
    assert "There are 3 of A in main." in answer.content.decode()
    incomplete = client.post(reverse(STOCK), form | {"delta": "1", "token": token})
    assert "This field is required." in incomplete.content.decode()
    assert StockItem.objects.get().on_hand == 3


def test_staff_who_only_read_cannot_adjust(now: datetime) -> None:
    products.product(now=now, sku="A", stock=3)
    reader = users.admin_client_of(users.staff("support"))
    form = {"action": "adjust", "_selected_action": [str(products.variant_id("A"))]}
    page = reader.get(reverse(STOCK))
    assert page.status_code == 200
    assert "Adjust the stock" not in page.content.decode()
    reader.post(reverse(STOCK), form | {"delta": "1", "reason": "x", "token": "0" * 32})
    assert StockItem.objects.get().on_hand == 3


@pytest.mark.parametrize(("kind", "found"), [("short", "A"), ("none", "AB"), ("some", "C")])
def test_stock_is_filtered_by_availability(
    client: Client, now: datetime, kind: str, found: str
) -> None:
    products.stocked({"A": 2, "B": 0, "C": 1}, now=now)
    products.held({"A": 2}, now=now)
    products.inventory.count_stock(
        sku="A", on_hand=1, change_from=2, reason="count", actor_id=None, now=now
    )
    page = client.get(reverse(STOCK), {"availability": kind})
    assert [item.sku for item in page.context["cl"].result_list] == list(found)


def test_staff_archive_products_after_confirming(client: Client, now: datetime) -> None:
    product_id = products.product(now=now)
    path = reverse("admin:products_product_changelist")
    form = {"action": "archive", "_selected_action": [str(product_id)]}
    asked = client.post(path, form)
    assert "for good" in asked.content.decode()
    assert Product.objects.get().status == "active"
    client.post(path, form | {"confirmed": "yes"})
    assert Product.objects.get().status == "archived"


def test_the_history_of_a_price_is_shown_as_money(client: Client, now: datetime) -> None:
    products.product(now=now, sku="A", price_minor=339)
    price = prices.set_price(sku="A", money=Money(450, "GBP"), actor_id=None, now=now)
    shown = client.get(reverse("admin:products_price_change", args=[price.pk])).content.decode()
    assert "4.50 GBP" in shown
    assert "3.39 GBP" in shown
