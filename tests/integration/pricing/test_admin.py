"""The screens of promotions, coupons, taxes and shipping methods."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from domains.pricing.models import Coupon, Promotion, ShippingMethod, TaxRate
from domains.pricing.rules.terms import ShippingRate
from infrastructure import clock
from tests.support.admin_pages import filled, text_of
from tests.support.factories import pricing, products, users

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def clerk() -> Client:
    return users.admin_client_of(users.staff("catalogue"))


@pytest.fixture
def reader() -> Client:
    return users.admin_client_of(users.staff("support"))


def at(what: str, *args: Any) -> str:
    return reverse(f"admin:pricing_{what}", args=args)


def test_a_promotion_is_made_on_its_page_and_changed(clerk: Client) -> None:
    form = filled(clerk.get(at("promotion_add")))
    form |= {
        "name": "Autumn",
        "kind": "fixed_order",
        "automatic": "on",
        "amounts_minor": "GBP: 5.00\neur: 6.00",
        "minimum_subtotal_minor": "GBP: 20.00",
        "skus": "A, B\nC",
        "countries": "gb",
        "usage_limit": "100",
    }
    made = clerk.post(at("promotion_add"), form)
    promotion = Promotion.objects.get()
    assert made["Location"] == at("preview", promotion.pk)
    assert promotion.amounts_minor == {"EUR": 600, "GBP": 500}
    assert promotion.asks.skus == {"A", "B", "C"}
    assert promotion.asks.countries == {"GB"}

    page = at("promotion_change", promotion.pk)
    again = filled(clerk.get(page))
    assert again["amounts_minor"] == "EUR: 6.00\nGBP: 5.00"
    clerk.post(page, again)
    promotion.refresh_from_db()
    assert promotion.version == 1
    clerk.post(page, again | {"priority": "7"})
    promotion.refresh_from_db()
    assert (promotion.priority, promotion.usage_limit) == (7, 100)
    stale = clerk.post(page, again | {"priority": "8"})
    assert "is at version 2" in text_of(stale)


def test_what_is_refused_is_shown_beside_its_field(clerk: Client) -> None:
    form = filled(clerk.get(at("promotion_add")))
    form |= {"name": "Autumn", "kind": "percentage", "amounts_minor": "GBP: 5.00"}
    page = text_of(clerk.post(at("promotion_add"), form))
    assert "Above 0 and at most 100." in page
    assert "Only a fixed amount has them." in page
    wrong = text_of(clerk.post(at("promotion_add"), form | {"amounts_minor": "GBP: five"}))
    assert "is not a decimal amount" in wrong
    assert not Promotion.objects.exists()


def test_a_preview_shows_what_a_promotion_would_do(clerk: Client, now: datetime) -> None:
    products.product(now=now, sku="A", price_minor=1000)
    promotion_id = pricing.promotion(now=now, automatic=False, name="Ten off", active=False)
    asked = {"goods": "A: 2", "currency": "GBP", "country": "GB"}
    page = text_of(clerk.get(at("preview", promotion_id), asked))
    assert "<th>Total</th><td>20.00 GBP</td><td>18.00 GBP</td>" in page
    assert "Applied: Ten off." in page
    assert "is not like" in text_of(clerk.get(at("preview", promotion_id), asked | {"goods": "A"}))
    unsold = text_of(clerk.get(at("preview", promotion_id), asked | {"goods": "B: 1"}))
    assert "B is not sold here." in unsold
    channel = text_of(clerk.get(at("preview", promotion_id), asked | {"channel": "none"}))
    assert "There is no channel none." in channel


def test_coupons_are_made_by_the_hundred_and_taken_away_as_a_file(
    clerk: Client, now: datetime
) -> None:
    promotion_id = pricing.promotion(now=now, automatic=False)
    page = at("codes", promotion_id)
    form = filled(clerk.get(page)) | {"count": "150", "beginning": "may-", "batch": "=May"}
    made = clerk.post(page, form)
    file = clerk.get(made["Location"])
    assert file.streaming
    rows = list(csv.reader(b"".join(file).decode().splitlines()))
    assert rows[0] == ["code", "batch", "usage_limit", "used"]
    assert len({code for code, *_ in rows[1:]}) == Coupon.objects.count() == 150
    assert rows[1][1:] == ["'=May", "1", "0"]
    bad = text_of(clerk.post(page, form | {"beginning": "a b"}))
    assert "Letters, digits, - and _" in bad


def test_a_coupon_is_made_changed_and_archived(clerk: Client, now: datetime) -> None:
    promotion_id = pricing.promotion(now=now, automatic=False)
    form = filled(clerk.get(at("coupon_add")))
    clerk.post(at("coupon_add"), form | {"code": "ten", "promotion": promotion_id})
    coupon = Coupon.objects.get()
    page = at("coupon_change", coupon.pk)
    clerk.post(page, filled(clerk.get(page)) | {"usage_limit": "5"})
    coupon.refresh_from_db()
    assert (coupon.code, coupon.usage_limit) == ("TEN", 5)
    chosen = {"action": "archive_selected", "_selected_action": coupon.pk}
    assert "for good" in text_of(clerk.post(at("coupon_changelist"), chosen))
    clerk.post(at("coupon_changelist"), chosen | {"confirmed": "yes"})
    coupon.refresh_from_db()
    assert coupon.is_archived
    clerk.get(at("coupon_changelist"))  # says what was done
    assert "TEN" not in text_of(clerk.get(at("coupon_changelist")))
    assert "TEN" in text_of(clerk.get(at("coupon_changelist"), {"kept": "archived"}))
    taken = {"action": "take_away", "_selected_action": coupon.pk}
    file = b"".join(clerk.post(f"{at('coupon_changelist')}?kept=all", taken)).decode()
    assert file.splitlines()[1] == "TEN,,5,0"


def test_a_shipping_method_is_made_and_changed(clerk: Client) -> None:
    form = filled(clerk.get(at("shippingmethod_add"))) | {
        "code": "parcel",
        "name": "Parcel",
        "kind": "weight",
        "tiers": "GBP: 2000 g 3.95\nGBP: 31500g 7.50",
        "free_from": "GBP: 50.00",
        "countries": "GB, IE",
    }
    clerk.post(at("shippingmethod_add"), form)
    method = ShippingMethod.objects.get()
    rate = ShippingRate(tiers=((2000, 395), (31_500, 750)), free_from_minor=5000)
    assert method.terms_of_rates == {"GBP": rate}
    page = at("shippingmethod_change", method.pk)
    again = filled(clerk.get(page))
    assert again["tiers"] == "GBP: 2000 g 3.95\nGBP: 31500 g 7.50"
    wrong = text_of(clerk.post(page, again | {"tiers": ""}))
    assert "It needs a price in at least one currency." in wrong
    clerk.post(page, again | {"kind": "flat", "tiers": "", "prices": "GBP: 4.95"})
    method.refresh_from_db()
    assert method.terms_of_rates == {"GBP": ShippingRate(price_minor=495, free_from_minor=5000)}


def test_a_tax_rate_is_made_and_changed(clerk: Client) -> None:
    form = filled(clerk.get(at("taxrate_add")))
    clerk.post(at("taxrate_add"), form | {"country": "GB", "name": "VAT", "percent": "20"})
    rate = TaxRate.objects.get()
    page = at("taxrate_change", rate.pk)
    clerk.post(page, filled(clerk.get(page)) | {"percent": "17.5"})
    rate.refresh_from_db()
    assert (rate.country, rate.tax_class, rate.percent) == ("GB", "standard", Decimal("17.5"))


def test_promotions_are_found_by_their_state(clerk: Client) -> None:
    now = clock.now()
    states = {
        "running": {},
        "paused": {"active": False},
        "later": {"valid_from": now + DAY},
        "over": {"valid_until": now - DAY},
    }
    for name, terms in states.items():
        pricing.promotion(now=now, name=f"It is {name}", **terms)
    for state in states:
        page = text_of(clerk.get(at("promotion_changelist"), {"state": state}))
        assert [name for name in states if f"It is {name}" in page] == [state]


def test_who_may_only_look_changes_nothing(reader: Client, now: datetime) -> None:
    promotion_id = pricing.promotion(now=now, automatic=False)
    page = reader.get(at("promotion_change", promotion_id))
    assert "disabled" in text_of(page)
    assert reader.post(at("promotion_change", promotion_id), {}).status_code == 403
    assert reader.get(at("codes", promotion_id)).status_code == 403
    assert reader.get(at("promotion_add")).status_code == 403
    fulfilment = users.admin_client_of(users.staff("fulfilment"))
    assert fulfilment.get(at("promotion_changelist")).status_code == 403
    assert fulfilment.get(at("coupon_batch", promotion_id)).status_code == 403
