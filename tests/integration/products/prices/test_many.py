"""Many prices at once, and what setting and asking costs."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from domains.products.errors import (
    InvalidPercentage,
    PricesChanged,
    PriceTooLarge,
    VariantNotFound,
)
from domains.products.models import Price, PriceEntry
from domains.products.public import offers
from domains.products.services import price_lists
from domains.products.services import prices as services
from infrastructure.database.contexts import alias_of
from infrastructure.money import MAX_AMOUNT_MINOR, Money
from tests.support.factories import products
from tests.support.files import bring, counts, faults, take, written
from tests.support.prices import (
    DAY,
    STAFF,
    cost,
    gbp,
    list_of_prices,
    put,
)

pytestmark = pytest.mark.django_db


def test_many_are_set_in_few_statements(now: datetime, django_assert_num_queries: Any) -> None:
    products.stocked({f"S{n}": 0 for n in range(300)}, now=now - DAY)
    new = [
        services.NewPrice(sku=f"S{n}", money=gbp(500 + n), min_quantity=quantity)
        for n in range(150)
        for quantity in (1, 10)
    ]
    # Begin, variants, prices, entries, all written at once, their products, lists twice, commit.
    with django_assert_num_queries(10, using=alias_of("products")):
        services.set_prices(prices=new, actor_id=None, now=now)
    assert offers({"S7": 10}, currency="GBP", now=now)["S7"].unit_price == gbp(507)
    assert PriceEntry.objects.filter(price__sku="S7").count() == 3


def test_of_many_all_are_set_or_none(now: datetime) -> None:
    new = [services.NewPrice(sku=sku, money=gbp(500)) for sku in ("A", "nothing")]
    with pytest.raises(VariantNotFound):
        services.set_prices(prices=new, actor_id=None, now=now)
    assert cost(now) == 1000


def test_prices_rise_by_percent_as_the_preview_said(now: datetime) -> None:
    put(333, now=now, min_quantity=10)
    put(250, now=now, kind="sale")
    products.product(now=now, sku="B", name="Bell", price_minor=5)
    ids = list(Price.objects.values_list("pk", flat=True))
    said = services.preview_percent_change(price_ids=ids, percent=Decimal("10"), now=now)
    assert [(c.sku, c.min_quantity, c.old, c.new) for c in said] == [
        ("A", 1, gbp(1000), gbp(1100)),
        ("A", 10, gbp(333), gbp(366)),
        ("B", 1, gbp(5), gbp(6)),
    ]
    assert cost(now) == 250
    before = PriceEntry.objects.count()
    done = services.change_prices_by_percent(
        price_ids=ids, percent=Decimal("10"), actor_id=STAFF, now=now
    )
    assert (done, PriceEntry.objects.count()) == (said, before + 3)
    assert (cost(now), Price.objects.get(sku="B").amount_minor) == (250, 6)
    with pytest.raises(PricesChanged):
        services.change_prices_by_percent(
            price_ids=ids,
            percent=Decimal("10"),
            previewed=services.digest_of(said),
            actor_id=STAFF,
            now=now,
        )
    assert PriceEntry.objects.count() == before + 3
    with pytest.raises(InvalidPercentage):
        services.preview_percent_change(price_ids=ids, percent=Decimal("-100.1"), now=now)


def test_prices_that_would_become_too_large_stay_and_so_do_the_others(now: datetime) -> None:
    products.product(now=now, sku="B", name="Bell", price_minor=MAX_AMOUNT_MINOR // 11 + 1)
    ids = list(Price.objects.values_list("pk", flat=True))
    before = PriceEntry.objects.count()
    for change in (
        services.preview_percent_change,
        partial(services.change_prices_by_percent, actor_id=STAFF),
    ):
        with pytest.raises(PriceTooLarge) as refused:
            change(price_ids=ids, percent=Decimal(1000), now=now)
        assert refused.value.code == "amount_too_large"
    assert PriceEntry.objects.count() == before
    assert [price.amount_minor for price in Price.objects.order_by("sku")] == [
        1000,
        MAX_AMOUNT_MINOR // 11 + 1,
    ]


def test_a_price_that_falls_to_half_a_penny_is_rounded_up(now: datetime) -> None:
    products.product(now=now, sku="B", name="Bell", price_minor=1005)
    price = Price.objects.get(sku="B")
    done = services.change_prices_by_percent(
        price_ids=[price.pk], percent=Decimal("-50"), actor_id=STAFF, now=now
    )
    assert [(change.old, change.new) for change in done] == [(gbp(1005), gbp(503))]
    price.refresh_from_db()
    assert price.amount_minor == 503


def test_offers_are_one_statement_whatever_lists_there_are(
    now: datetime, django_assert_num_queries: Any
) -> None:
    list_of_prices("trade", now=now, customer_group="trade")
    put(700, now=now, price_list="trade")
    put(600, now=now, valid_from=now + DAY)
    with django_assert_num_queries(1, using=alias_of("products")):
        assert cost(now + 2 * DAY, customer_group="trade") == 700


def test_a_channel_is_looked_up_once(now: datetime, django_assert_num_queries: Any) -> None:
    price_lists.name_channel(code="web", name="Our site")
    assert cost(now, channel="web") == 1000
    with django_assert_num_queries(1, using=alias_of("products")):
        assert cost(now, channel="web") == 1000


def test_setting_a_price_is_few_statements(now: datetime, django_assert_num_queries: Any) -> None:
    # Begin, variant, price, entries, written at once, its product, lists twice, commit.
    with django_assert_num_queries(10, using=alias_of("products")):
        put(900, now=now)


@pytest.mark.parametrize("way", ["command", "file"])
def test_what_is_asked_already_is_the_same_for_a_command_and_a_file(
    way: str, now: datetime
) -> None:
    products.product(now=now - DAY, sku="Z", price_minor=1000)
    until = now + DAY
    services.set_price(
        sku="Z", money=Money(1200, "GBP"), valid_until=until, actor_id=None, now=now - DAY / 2
    )

    def ask(amount_minor: int, **window: datetime) -> tuple[int | None, int]:
        money = Money(amount_minor, "GBP")
        if way == "command":
            services.set_price(sku="Z", money=money, actor_id=None, now=now, **window)
        else:
            begin, end = (
                "" if at is None else at.isoformat()
                for at in (window.get("valid_from"), window.get("valid_until"))
            )
            rows = f"sku,currency,amount,valid_from,valid_until\nZ,GBP,{money.amount_text},"
            assert faults(bring("prices", f"{rows}{begin},{end}\n", now=now)) == []
        price = Price.objects.get(sku="Z")
        return price.amount_minor, price.entries_recorded

    # It is 12.00 until then, and 10.00 from then on.
    assert ask(1200, valid_until=until) == (1200, 2)
    assert ask(1000, valid_from=until) == (1200, 2)
    # But it is not 10.00 now.
    assert ask(1000) == (1000, 3)
    assert ask(1000) == (1000, 3)


def test_a_price_that_waits_below_another_one_is_exported_as_it_will_come(now: datetime) -> None:
    products.product(now=now - DAY, sku="Z", price_minor=1000)
    until = now + DAY
    services.set_price(
        sku="Z", money=Money(1200, "GBP"), valid_until=until, actor_id=None, now=now - DAY / 2
    )
    exported = take("prices", now=now)
    rows = list(csv.DictReader(io.StringIO(exported.decode())))
    assert [
        (row["amount"], row["valid_from"], row["valid_until"]) for row in rows if row["sku"] == "Z"
    ] == [
        ("12.00", "", until.isoformat()),
        ("10.00", until.isoformat(), ""),
    ]
    before = written()
    assert counts(bring("prices", exported, now=now)) == (0, 0, 3, 0)
    assert counts(bring("products", take("products", now=now), now=now)) == (0, 0, 2, 0)
    assert written() == before
