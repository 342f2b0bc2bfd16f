"""Quotes from what staff have set up."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from domains.pricing import public
from domains.pricing.queries import terms
from domains.pricing.rules.terms import Conditions, ShippingRate
from domains.pricing.services import coupons, promotions, shipping
from infrastructure.cache.local import LocalCache
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from tests.support.factories import pricing, products

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def quote(now: datetime, *lines: Any, **changes: Any) -> public.Quote:
    return public.quote(pricing.request(*lines, **changes), now=now)


def problems(found: public.Quote) -> list[tuple[str, str]]:
    return [(one.code, one.pointer) for one in found.problems]


def test_a_shop_without_terms_asks_for_the_goods_alone(now: datetime) -> None:
    found = quote(now)
    assert (found.subtotal_minor, found.total_minor, found.tax_minor) == (2000, 2000, 0)
    assert found.shipping is None
    assert found.problems == found.uses == found.discounts == ()


def test_a_quote_is_one_statement_and_none_while_the_terms_are_known(
    now: datetime, django_assert_num_queries: Any
) -> None:
    pricing.shipping_method(now=now, price_minor=495)
    pricing.tax_rate(now=now)
    pricing.promotion(now=now)
    with override_settings(PRICING_TERMS_SECONDS=60.0):
        terms.forget()
        with django_assert_num_queries(1, using=alias_of("pricing")):
            first = quote(now)
        with django_assert_num_queries(0, using=alias_of("pricing")):
            assert quote(now) == first
        with django_assert_num_queries(1, using=alias_of("pricing")):
            quote(now, coupons=("TEN",))
    terms.forget()
    assert first.total_minor == 2000 - 200 + 495


def test_tax_is_in_the_price_or_on_top_by_channel(now: datetime) -> None:
    pricing.tax_rate("20", now=now)
    pricing.shipping_method(now=now, price_minor=600)
    with override_settings(PRICES_INCLUDE_TAX_EXCEPT_ON=["trade"]):
        gross, net = quote(now), quote(now, channel="trade")
        # Who says which prices the lines have is asked nothing else.
        assert quote(now, channel="trade", prices_include_tax=True) == gross
        assert quote(now, prices_include_tax=False) == net
    assert (gross.prices_include_tax, gross.total_minor, gross.tax_minor) == (True, 2600, 433)
    assert gross.lines[0].tax_minor == 333
    assert (net.prices_include_tax, net.total_minor, net.tax_minor) == (False, 3120, 520)
    assert net.shipping is not None
    assert (net.shipping.total_minor, net.shipping_minor) == (720, 720)


def test_a_region_goes_before_its_country_and_a_class_before_the_standard(now: datetime) -> None:
    pricing.tax_rate("20", now=now)
    pricing.tax_rate("0", now=now, tax_class="books")
    pricing.tax_rate("15", now=now, region="Jersey")
    rates = {
        (region, tax_class): quote(now, pricing.line(tax_class=tax_class), region=region)
        .lines[0]
        .tax_rate
        for region in ("", "jersey ")
        for tax_class in ("standard", "books", "wine")
    }
    assert rates == {
        ("", "standard"): "20",
        ("", "books"): "0",
        ("", "wine"): "20",
        ("jersey ", "standard"): "15",
        ("jersey ", "books"): "0",
        ("jersey ", "wine"): "15",
    }
    assert quote(now, country="US").lines[0].tax_rate == "0"
    assert quote(now, country=None).tax_minor == 0


def test_the_first_method_that_goes_there_is_the_default(now: datetime) -> None:
    pricing.shipping_method("pickup", now=now, countries=["IE"], position=0)
    pricing.shipping_method("standard", now=now, price_minor=300, position=1)
    pricing.shipping_method("express", now=now, price_minor=900, position=2, not_to=["im", "JE 1"])
    shipped = quote(now).shipping
    assert shipped is not None
    assert (shipped.method, shipped.total_minor) == ("standard", 300)
    express = quote(now, shipping_method="express", postcode="LS1 1AA")
    assert express.shipping_minor == 900
    island = quote(now, shipping_method="express", postcode="im2 1aa")
    assert (problems(island), island.shipping) == (
        [("shipping_unavailable", "/shipping_method")],
        None,
    )
    unknown = quote(now, shipping_method="drone")
    assert problems(unknown) == [("unknown_shipping_method", "/shipping_method")]
    assert problems(quote(now, currency="EUR")) == [("shipping_unavailable", "/country")]


def test_shipping_by_weight_and_free_from_an_amount(now: datetime) -> None:
    rate = ShippingRate(tiers=((1000, 300), (5000, 700)), free_from_minor=10_000)
    pricing.shipping_method("parcel", now=now, kind="weight", rates={"GBP": rate})
    line = pricing.line
    assert quote(now, line(quantity=2)).shipping_minor == 300
    assert quote(now, line(quantity=3)).shipping_minor == 700
    assert quote(now, line(quantity=10, unit_price_minor=999)).shipping_minor == 700
    assert quote(now, line(quantity=10)).shipping_minor == 0
    heavy = quote(now, line(quantity=11, unit_price_minor=1))
    assert problems(heavy) == [("shipping_unavailable", "/country")]


def test_the_discount_counts_before_shipping_is_free(now: datetime) -> None:
    pricing.shipping_method(now=now, price_minor=495, free_from_minor=2000)
    assert quote(now).shipping_minor == 0
    pricing.promotion(now=now, kind="fixed_order", amounts_minor={"GBP": 1})
    assert quote(now).total_minor == 1999 + 495


def test_a_coupon_brings_its_promotion_and_what_is_wrong_with_others_is_said(
    now: datetime,
) -> None:
    ten = pricing.coupon("TEN", now=now)
    late = pricing.coupon("LATE", now=now, promotion={"valid_from": now + DAY})
    pricing.coupon("GONE", now=now)
    coupons.archive_coupon(code="GONE", version=None, now=now)
    found = quote(now, coupons=(" ten", "LATE", "NONE", "GONE", "TEN"))
    assert found.total_minor == 1800
    assert [(d.coupon, d.amount_minor) for d in found.discounts] == [("TEN", 200)]
    assert found.uses == (ten,)
    assert problems(found) == [
        ("coupon_not_applicable", "/coupons/1"),
        ("unknown_coupon", "/coupons/2"),
        ("unknown_coupon", "/coupons/3"),
    ]
    assert quote(now + DAY, coupons=("LATE",)).uses == (late,)


def test_what_cannot_be_combined_stays_alone(now: datetime) -> None:
    pricing.promotion(now=now, name="All week", percent=Decimal(5))
    pricing.coupon("ALONE", now=now, promotion={"combinable": False, "priority": 5})
    pricing.coupon("MORE", now=now, promotion={"priority": 1})
    found = quote(now, coupons=("MORE", "ALONE"))
    assert [d.coupon for d in found.discounts] == ["ALONE"]
    assert problems(found) == [("coupon_not_combinable", "/coupons/0")]
    both = quote(now, coupons=("MORE",))
    assert [(d.coupon, d.amount_minor) for d in both.discounts] == [("MORE", 200), (None, 90)]


def test_one_promotion_is_not_stacked_by_its_codes(now: datetime) -> None:
    first = pricing.coupon("A", now=now)
    coupons.create_coupon(code="B", promotion_id=first.promotion_id, now=now)
    found = quote(now, coupons=("A", "B"))
    assert found.discount_minor == 200
    assert problems(found) == [("coupon_not_combinable", "/coupons/1")]


def test_free_shipping_takes_off_what_it_costs(now: datetime) -> None:
    pricing.shipping_method(now=now, price_minor=495)
    pricing.tax_rate(now=now)
    free = pricing.coupon("FREE", now=now, promotion={"kind": "free_shipping"})
    found = quote(now, coupons=("FREE",))
    assert found.shipping is not None
    assert (found.shipping.price_minor, found.shipping.discount_minor) == (495, 495)
    assert (found.shipping.tax_minor, found.total_minor) == (0, 2000)
    assert found.uses == (free,)
    promotions.edit_promotion(
        promotion_id=free.promotion_id,
        version=None,
        now=now,
        conditions=Conditions(shipping_methods=frozenset({"express"})),
    )
    assert problems(quote(now, coupons=("FREE",))) == [("coupon_not_applicable", "/coupons/0")]


@pytest.mark.parametrize(
    ("conditions", "holds", "does_not"),
    [
        ({"customer_groups": {"trade"}}, {"customer_group": "trade"}, {}),
        ({"countries": {"DE"}}, {"country": "DE"}, {"country": None}),
        ({"channels": {"web"}}, {"channel": "web"}, {"channel": "app"}),
        ({"currencies": {"EUR"}}, {"currency": "EUR"}, {"currency": "GBP"}),
    ],
)
def test_a_promotion_holds_for_whom_it_says(
    now: datetime, conditions: Any, holds: Any, does_not: Any
) -> None:
    asks = {name: frozenset(values) for name, values in conditions.items()}
    pricing.promotion(now=now, conditions=Conditions(**asks))
    assert quote(now, **holds).discount_minor == 200
    assert quote(now, **does_not).discount_minor == 0


def test_a_promotion_is_for_the_goods_that_it_names(now: datetime) -> None:
    product_id = products.product(now=now, sku="LAMP")
    asks = Conditions(
        skus=frozenset({"CUP"}),
        product_ids=frozenset({product_id}),
        not_on_sale=True,
        minimum_quantity=3,
        minimum_subtotal_minor={"GBP": 2500},
    )
    pricing.promotion(now=now, conditions=asks)
    lines = (
        pricing.line("a", sku="CUP", quantity=1),
        pricing.line("b", sku="LAMP", product_id=product_id, quantity=2),
        pricing.line("c", sku="CUP", on_sale=True),
        pricing.line("d"),
    )
    assert [line.discount_minor for line in quote(now, *lines).lines] == [100, 200, 0, 0]
    assert quote(now, *lines[1:]).discount_minor == 0
    assert (
        quote(now, pricing.line(sku="CUP", quantity=24, unit_price_minor=100)).total_minor == 2400
    )
    assert quote(now, *lines, currency="EUR").discount_minor == 0


def test_categories_are_asked_for_where_a_condition_names_them(now: datetime) -> None:
    products.category(name="Light", now=now)
    products.category(name="Lanterns", parent="light", now=now)
    product_id = products.product(now=now, sku="LAMP", categories=("lanterns",))
    pricing.promotion(now=now, conditions=Conditions(categories=frozenset({"light"})))
    one = pricing.line("a", product_id=product_id)
    found = quote(now, one, pricing.line("b"))
    assert [line.discount_minor for line in found.lines] == [200, 0]


def test_what_is_used_up_is_not_quoted(now: datetime) -> None:
    customer_id = new_id()
    everybody = pricing.promotion(now=now, usage_limit_per_customer=1)
    use = public.Use(promotion_id=everybody, coupon=None)
    code = pricing.coupon("ONCE", now=now, usage_limit=1)
    first = quote(now, coupons=("ONCE",), customer_id=customer_id)
    assert set(first.uses) == {use, code}
    done = public.redeem(order_id=new_id(), uses=first.uses, customer_key=str(customer_id), now=now)
    assert done == public.Redeemed()
    again = quote(now, coupons=("ONCE",), customer_id=customer_id)
    assert (again.discounts, problems(again)) == ((), [("coupon_used_up", "/coupons/0")])
    assert quote(now, customer_id=new_id()).uses == (use,)


def test_shipping_options_are_what_quotes_would_charge(now: datetime) -> None:
    pricing.shipping_method(now=now)
    pricing.shipping_method("express", now=now, price_minor=495, position=1)
    asked = pricing.request(coupons=("FREE",))
    pricing.coupon("FREE", now=now, promotion={"kind": "free_shipping"})
    found = public.shipping_options(asked, now=now)
    assert [(one.code, one.price.price_minor, one.price.total_minor) for one in found] == [
        ("standard", 0, 0),
        ("express", 495, 0),
    ]


def test_changed_terms_are_quoted_at_once(
    now: datetime, django_capture_on_commit_callbacks: Any
) -> None:
    with override_settings(PRICING_TERMS_SECONDS=60.0):
        terms.forget()
        assert quote(now).shipping is None
        with django_capture_on_commit_callbacks(using=alias_of("pricing"), execute=True):
            pricing.shipping_method(now=now)
        shipped = quote(now).shipping
        assert shipped is not None
        with django_capture_on_commit_callbacks(using=alias_of("pricing"), execute=True):
            shipping.archive_shipping_method(code="standard", version=None, now=now)
        assert quote(now).shipping is None
    terms.forget()


def test_what_is_looked_up_when_it_is_asked_for_is_no_change_of_the_terms(
    now: datetime, django_capture_on_commit_callbacks: Any
) -> None:
    with override_settings(PRICING_TERMS_SECONDS=60.0):
        terms.forget()
        quote(now)
        with django_capture_on_commit_callbacks(using=alias_of("pricing"), execute=True):
            promotion_id = pricing.coupon("ONE", now=now).promotion_id
            coupons.edit_coupon(code="ONE", version=None, now=now, usage_limit=5)
            promotions.edit_promotion(
                promotion_id=promotion_id, version=None, now=now, percent=Decimal(25)
            )
            found = quote(now, coupons=("ONE",))
            coupons.archive_coupon(code="ONE", version=None, now=now)
        with CaptureQueriesContext(connections[alias_of("pricing")]) as captured:
            quote(now)
    terms.forget()
    assert (found.discount_minor, len(captured)) == (500, 0)


def test_an_order_that_is_changed_may_use_what_it_has_used(now: datetime) -> None:
    last = pricing.coupon("LAST", now=now, usage_limit=1)
    (first,) = quote(now, coupons=("LAST",)).given
    public.redeem(order_id=new_id(), uses=[last], customer_key="ann", now=now)
    assert problems(quote(now, coupons=("LAST",))) == [("coupon_used_up", "/coupons/0")]
    by_now = quote(now, coupons=("LAST",), redeemed=frozenset({last}))
    assert (by_now.discount_minor, by_now.uses, by_now.problems) == (200, (last,), ())
    coupons.archive_coupon(code="LAST", version=None, now=now)
    kept = public.kept(public.to_keep(first), coupon="LAST")
    again = quote(now, kept=(kept,))
    assert (again.discount_minor, again.uses, again.problems) == (200, (last,), ())


def test_terms_are_read_anew_when_another_process_says_that_they_changed(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = LocalCache(most_entries=1, most_bytes=1)
    heard = SimpleNamespace(local=local, listener=SimpleNamespace(start=lambda: None))
    monkeypatch.setattr(terms, "installed", lambda: heard)
    statements = []
    with override_settings(CACHE_ENABLED=True, PRICING_TERMS_SECONDS=60.0):
        terms.forget()
        # Deaf at first: then their age decides. Whoever begins to hear reads them anew.
        steps = [
            lambda: None,
            lambda: None,
            lambda: (local.clear(), local.trust(60)),
            lambda: local.drop(["something else"]),
            lambda: local.drop([terms.TAG]),
            lambda: None,
        ]
        for step in steps:
            step()
            with CaptureQueriesContext(connections[alias_of("pricing")]) as captured:
                quote(now)
            statements.append(len(captured))
    terms.forget()
    assert statements == [1, 0, 1, 0, 1, 0]
