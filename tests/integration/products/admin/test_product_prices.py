"""The page of a product's prices."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.test import Client

from domains.products.models import PriceEntry
from infrastructure import clock
from tests.support.admin_pages import text_of
from tests.support.factories import products
from tests.support.product_pages import prices_page

pytestmark = pytest.mark.django_db


def test_a_sale_is_planned_and_taken_back(clerk: Client, now: datetime) -> None:
    product_id = products.product(now=now, sku="A", price_minor=300)
    begin = (clock.now() + timedelta(days=2)).replace(second=0, microsecond=0)
    end = begin + timedelta(days=7)
    form = {
        "skus": ["A"],
        "price_list": "",
        "amount": "2.50",
        "kind": "sale",
        "min_quantity": "1",
        "valid_from": f"{begin:%Y-%m-%dT%H:%M}",
        "valid_until": f"{end:%Y-%m-%dT%H:%M}",
    }
    assert clerk.post(prices_page(product_id), form).status_code == 302
    entry = PriceEntry.objects.get(kind="sale")
    assert (entry.amount_minor, entry.from_at, entry.until_at) == (250, begin, end)
    shown = text_of(clerk.get(prices_page(product_id)))
    assert "scheduled" in shown
    assert "Take back" in shown
    clerk.post(prices_page(product_id), {"end": str(entry.pk)})
    assert PriceEntry.objects.get(kind="sale").ending == "cancelled"


def test_a_price_that_would_end_before_it_begins_is_refused_at_its_field(
    clerk: Client, now: datetime
) -> None:
    product_id = products.product(now=now, sku="A", price_minor=300)
    form = {
        "skus": ["A"],
        "amount": "2.50",
        "kind": "sale",
        "min_quantity": "1",
        "valid_from": "2031-01-02T00:00",
        "valid_until": "2031-01-01T00:00",
    }
    page = clerk.post(prices_page(product_id), form)
    assert page.context["form"].errors == {"valid_until": ["It would end before it begins."]}
    wrong = clerk.post(prices_page(product_id), form | {"amount": "2.505"})
    assert wrong.context["form"].errors["amount"] == ["GBP has 2 decimals, '2.505' has more."]
    assert PriceEntry.objects.count() == 1


def test_readers_see_prices_and_set_none(reader: Client, now: datetime) -> None:
    product_id = products.product(now=now, sku="A", price_minor=300)
    page = text_of(reader.get(prices_page(product_id)))
    assert "3.00 GBP" in page
    assert "Set the price" not in page
    assert reader.post(prices_page(product_id), {"amount": "1"}).status_code == 403
    assert PriceEntry.objects.count() == 1
