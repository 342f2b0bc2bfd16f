"""Changes of many products: nothing happens before its preview has been agreed to."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from domains.products.admin import bulk
from domains.products.models import Price, Product
from domains.products.rules.attributes import Kind
from domains.products.rules.types import AttributeTerms
from domains.products.services import categories, prices, types
from infrastructure.money import MAX_AMOUNT_MINOR, Money
from tests.support.admin_pages import filled, text_of
from tests.support.factories import products

pytestmark = pytest.mark.django_db

LIST = "admin:products_product_changelist"


def selected(action: str, *ids: UUID, **more: Any) -> dict[str, Any]:
    return {"action": action, "_selected_action": [str(pk) for pk in ids], **more}


def rows(page: Any) -> list[tuple[str, str, str, str]]:
    return [(row.name, row.old, row.new, row.refusal) for row in page.context["preview"].rows]


def agreed(client: Client, form: dict[str, Any], page: Any) -> Any:
    seen = page.context["preview"].fingerprint
    return client.post(reverse(LIST), form | {"step": "apply", "seen": seen}, follow=True)


def test_prices_are_previewed_rounded_and_then_changed(clerk: Client, now: datetime) -> None:
    ids = [
        products.product(now=now, sku="A", name="A", price_minor=333),
        products.product(now=now, sku="B", name="B", price_minor=250),
        products.product(now=now, sku="C", name="C", price_minor=None),
    ]
    form = selected("change_prices", *ids, percent="5", price_list="")
    asked = clerk.post(reverse(LIST), selected("change_prices", *ids))
    assert asked.context["preview"] is None
    page = clerk.post(reverse(LIST), form | {"step": "preview"})
    assert rows(page) == [("A", "3.33 GBP", "3.50 GBP", ""), ("B", "2.50 GBP", "2.63 GBP", "")]
    assert {one.amount_minor for one in Price.objects.all()} == {333, 250}
    done = agreed(clerk, form, page)
    assert "Change prices by percent: 2 prices changed." in text_of(done)
    assert {one.amount_minor for one in Price.objects.all()} == {350, 263}


def test_what_changed_since_its_preview_is_shown_again(clerk: Client, now: datetime) -> None:
    product_id = products.product(now=now, sku="A", price_minor=1000)
    form = selected("change_prices", product_id, percent="-10", price_list="")
    page = clerk.post(reverse(LIST), form | {"step": "preview"})
    prices.set_price(sku="A", money=Money(2000, "GBP"), actor_id=None, now=now)
    again = agreed(clerk, form, page)
    assert "Meanwhile something has changed." in text_of(again)
    assert rows(again) == [("A", "20.00 GBP", "18.00 GBP", "")]
    assert Price.objects.get().amount_minor == 2000


@pytest.mark.parametrize("percent", ["-101", "1", "-1e1", "-\u0663"])
def test_a_percentage_that_no_price_can_take_is_told_at_its_field(
    clerk: Client, now: datetime, percent: str
) -> None:
    product_id = products.product(now=now, sku="A", price_minor=MAX_AMOUNT_MINOR)
    form = selected("change_prices", product_id, percent=percent, price_list="", step="preview")
    page = clerk.post(reverse(LIST), form)
    assert list(page.context["form"].errors) == ["percent"]
    assert page.context["preview"] is None


def test_a_status_is_changed_where_it_can_be(clerk: Client, now: datetime) -> None:
    required = AttributeTerms(code="power", name="Power", kind=Kind.NUMBER, required=True)
    types.create_type(code="lamp", name="Lamp", attributes=[required], now=now)
    ids = [
        products.product(now=now, sku="A", name="A", status="draft"),
        products.product(now=now, sku="B", name="B", status="draft", product_type="lamp"),
        products.product(now=now, sku="C", name="C", status="active"),
        products.product(now=now, sku="D", name="D", status="archived"),
    ]
    address = f"{reverse(LIST)}?status=any"
    form = selected("change_status", *ids, status="active")
    page = clerk.post(address, form | {"step": "preview"})
    assert rows(page) == [
        ("A", "Draft", "On sale", ""),
        ("B", "Draft", "On sale", "power is required."),
        ("C", "On sale", "On sale", ""),
        ("D", "Archived", "On sale", "D is archived."),
    ]
    assert list(Product.objects.order_by("name").values_list("status", flat=True)) == [
        *("draft", "draft", "active", "archived"),
    ]
    seen = page.context["preview"].fingerprint
    done = clerk.post(address, form | {"step": "apply", "seen": seen}, follow=True)
    assert [str(message) for message in done.context["messages"]] == [
        "Change the status: 1 products changed.",
        "B: power is required.",
        "D: D is archived.",
    ]
    assert list(Product.objects.order_by("name").values_list("status", flat=True)) == [
        *("active", "draft", "active", "archived"),
    ]


def test_products_are_put_into_a_category_and_taken_out(clerk: Client, now: datetime) -> None:
    products.category(name="Home", now=now)
    products.category(name="Sale", now=now)
    sale = categories.category_ids(["sale"])["sale"]
    ids = [
        products.product(now=now, sku="A", name="A", categories=("home",)),
        products.product(now=now, sku="B", name="B", categories=("sale",)),
    ]
    form = selected("put_into_category", *ids, category=str(sale))
    page = clerk.post(reverse(LIST), form | {"step": "preview"})
    assert rows(page) == [("A", "Home", "Home, Sale", ""), ("B", "Sale", "Sale", "")]
    agreed(clerk, form, page)
    assert {(p.name, len(p.categories)) for p in Product.objects.all()} == {("A", 2), ("B", 1)}
    out = selected("take_out_of_category", *ids, category=str(sale))
    page = clerk.post(reverse(LIST), out | {"step": "preview"})
    assert rows(page) == [("A", "Home, Sale", "Home", ""), ("B", "Sale", "in no category", "")]
    agreed(clerk, out, page)
    assert {(p.name, len(p.categories)) for p in Product.objects.all()} == {("A", 1), ("B", 0)}


def test_no_more_than_a_bounded_number_is_taken(
    clerk: Client, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MOST", 2)
    ids = [products.product(now=now, sku=sku, name=sku, status="draft") for sku in "ABC"]
    asked = clerk.post(reverse(LIST), selected("change_status", *ids))
    page = clerk.post(reverse(LIST), filled(asked) | {"status": "active", "step": "preview"})
    for shown in (asked, page):
        assert (
            "More than 2 products are selected. This is about the first 2 of them, by name;"
            " for all, export them, change the file and import it."
        ) in text_of(shown)
    assert [row[0] for row in rows(page)] == ["A", "B"]


def test_readers_are_offered_no_changes(reader: Client, now: datetime) -> None:
    product_id = products.product(now=now, sku="A")
    assert "Change prices by percent" not in text_of(reader.get(reverse(LIST)))
    form = selected("change_status", product_id, status="archived", step="apply", seen="x")
    reader.post(reverse(LIST), form)
    assert Product.objects.get().status == "active"
