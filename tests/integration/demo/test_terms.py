from __future__ import annotations

from datetime import datetime

import pytest

from demo.terms import load_terms
from domains.pricing.models import Coupon, ShippingMethod, TaxRate
from domains.pricing.public import Quote, quote
from tests.support.factories import pricing

pytestmark = pytest.mark.django_db


def quoted(now: datetime, price_minor: int, *coupons: str, **changes: str) -> Quote:
    line = pricing.line(unit_price_minor=price_minor, quantity=1)
    return quote(pricing.request(line, coupons=coupons, **changes), now=now)


def test_the_demo_ships_for_nothing_unless_it_is_to_be_quick(now: datetime) -> None:
    assert load_terms(now=now) is True
    usual = quoted(now, 1200)
    assert (usual.total_minor, usual.tax_minor, usual.prices_include_tax) == (1200, 200, True)
    assert usual.shipping is not None
    assert (usual.shipping.method, usual.shipping.total_minor) == ("standard", 0)
    assert quoted(now, 4999, shipping_method="express").shipping_minor == 495
    assert quoted(now, 5000, shipping_method="express").shipping_minor == 0
    assert quoted(now, 1190, country="DE").tax_minor == 190


def test_its_coupons_take_something_off(now: datetime) -> None:
    load_terms(now=now)
    assert quoted(now, 1200, "WELCOME10").total_minor == 1080
    assert quoted(now, 2000, "EARLYBIRD").total_minor == 1500
    assert [one.code for one in quoted(now, 1999, "EARLYBIRD").problems] == [
        "coupon_not_applicable"
    ]
    assert Coupon.objects.get(code="EARLYBIRD").usage_limit == 100


def test_a_shop_that_is_set_up_is_left_alone(now: datetime) -> None:
    load_terms(now=now)
    counts = [model.objects.count() for model in (ShippingMethod, TaxRate, Coupon)]
    assert load_terms(now=now) is False
    assert [model.objects.count() for model in (ShippingMethod, TaxRate, Coupon)] == counts
    assert counts[0] == counts[2] == 2
