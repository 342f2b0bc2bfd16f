"""What lists filter, sort and count by is what everybody is asked, price lists for all included."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from domains.products.models import (
    Listing,
    ListingDue,
    ListingPrice,
    PriceList,
    Variant,
    listing_due,
)
from domains.products.public import NewProduct, NewVariant, create_products
from domains.products.queries.search.port import Criteria, FacetsWanted, Range
from domains.products.services import listing, price_lists, prices
from domains.products.tasks import refresh_due_listings
from infrastructure.database.contexts import alias_of
from infrastructure.database.threads import in_threads
from infrastructure.money import Money
from tests.support.factories import products
from tests.support.listing import contents, found_by, listed, made_anew
from tests.support.prices import DAY, HOUR, list_of_prices, put


def turn(now: datetime) -> None:
    """What the workers do every few seconds."""
    price_lists.turn_due_lists(now=now)
    prices.turn_due_prices(now=now)
    refresh_due_listings()


def listed_prices(currency: str = "GBP") -> dict[str, int]:
    names = dict(Listing.objects.values_list("product_id", "sort_name"))
    rows = ListingPrice.objects.filter(currency=currency).values_list("product_id", "amount_minor")
    return {names[product_id]: amount for product_id, amount in rows}


def asked(now: datetime, currency: str = "GBP") -> dict[str, int]:
    """What anonymous readers are shown of the cheapest variant of each product."""
    found = {}
    for item in listed(now, currency=currency):
        amounts = [variant["price"]["amount"] for variant in item["variants"] if variant["price"]]
        if amounts:
            found[item["name"].lower()] = min(round(float(amount) * 100) for amount in amounts)
    return found


def edit(code: str, now: datetime, **terms: Any) -> None:
    price_lists.edit_price_list(code=code, version=None, now=now, **terms)


@pytest.mark.django_db
def test_a_list_for_everybody_is_what_lists_filter_sort_and_count_by(now: datetime) -> None:
    products.product(now=now, sku="A", name="Lamp", price_minor=2000)
    products.product(now=now, sku="B", name="Bell", price_minor=900)
    list_of_prices("summer", now=now)
    put(500, now=now, price_list="summer")
    below_six = Criteria(locale="en", currency="GBP", lowest_minor=Range(most=600))
    found = found_by(below_six, now, sort="price", facets=FacetsWanted(price=True))
    assert [product.name for product in found.products] == ["Lamp"]
    assert found.facets is not None
    assert found.facets.price is not None
    assert (found.facets.price.lowest_minor, found.facets.price.highest_minor) == (500, 900)
    everything = found_by(Criteria(locale="en", currency="GBP"), now, sort="price")
    assert [product.name for product in everything.products] == ["Lamp", "Bell"]
    assert listed_prices() == asked(now) == {"lamp": 500, "bell": 900}


@pytest.mark.django_db
def test_lists_for_some_are_not_what_lists_filter_by(now: datetime) -> None:
    products.product(now=now, sku="A", name="Lamp", price_minor=2000)
    price_lists.name_channel(code="fair", name="At the fair")
    list_of_prices("trade", now=now, customer_group="trade")
    list_of_prices("fair", now=now, channel="fair")
    for code in ("trade", "fair"):
        put(500, now=now, price_list=code)
    assert listed_prices() == {"lamp": 2000}
    edit("trade", now, customer_group="")
    refresh_due_listings()
    assert listed_prices() == asked(now) == {"lamp": 500}
    edit("trade", now, customer_group="retail")
    refresh_due_listings()
    assert listed_prices() == asked(now) == {"lamp": 2000}


@pytest.mark.django_db
def test_the_list_that_is_asked_first_decides_also_where_another_is_cheaper(now: datetime) -> None:
    products.product(now=now, sku="A", name="Lamp", price_minor=2000)
    for code, priority, amount in (("high", 2, 2500), ("low", 1, 500), ("a", 1, 700)):
        list_of_prices(code, now=now, priority=priority)
        put(amount, now=now, price_list=code)
    assert listed_prices() == asked(now) == {"lamp": 2500}
    edit("high", now, active=False)
    refresh_due_listings()
    assert listed_prices() == asked(now) == {"lamp": 700}
    edit("low", now, priority=9)
    refresh_due_listings()
    assert listed_prices() == asked(now) == {"lamp": 500}
    prices.withdraw_price(sku="A", currency="GBP", price_list="low", actor_id=None, now=now + HOUR)
    assert listed_prices() == asked(now + HOUR) == {"lamp": 700}


@pytest.mark.django_db
def test_a_list_counts_within_its_window_and_a_price_in_it_within_its_own(now: datetime) -> None:
    products.product(now=now, sku="A", name="Lamp", price_minor=2000)
    list_of_prices("summer", now=now, valid_from=now + DAY, valid_until=now + 4 * DAY)
    put(500, now=now, price_list="summer", valid_from=now + 2 * DAY, valid_until=now + 3 * DAY)
    put(800, now=now, price_list="summer")
    told = []
    for days in range(6):
        at = now + days * DAY
        turn(at)
        assert listed_prices() == asked(at)
        told.append(listed_prices()["lamp"])
    assert told == [2000, 800, 500, 800, 2000, 2000]
    assert PriceList.objects.get().version == 1


@pytest.mark.django_db
def test_a_change_of_a_list_lists_its_products_anew_in_slices(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing_due, "BATCH", 3)
    skus = [f"S{number}" for number in range(7)]
    products.stocked(dict.fromkeys(skus, 0), now=now)
    list_of_prices("summer", now=now)
    prices.set_prices(
        prices=[
            prices.NewPrice(sku=sku, money=Money(5, "GBP"), price_list="summer") for sku in skus
        ],
        actor_id=None,
        now=now,
    )
    with CaptureQueriesContext(connections[alias_of("products")]) as queries:
        edit("summer", now, name="Every summer")
        assert ListingDue.objects.count() == 0
        edit("summer", now, active=False)
    assert not any("products_listingprice" in query["sql"] for query in queries)
    done = []
    while listing.refresh_next():
        done.append(ListingPrice.objects.filter(amount_minor__gt=5).count())
    assert done == [3, 6, 7]


@pytest.mark.django_db
def test_a_price_of_a_list_lists_its_product_anew_only_where_everybody_is_asked_it(
    now: datetime,
) -> None:
    products.product(now=now, sku="A", name="Lamp", price_minor=2000)
    list_of_prices("summer", now=now)
    list_of_prices("trade", now=now, customer_group="trade")
    counts = []
    for code in ("summer", "trade"):
        put(600, now=now, price_list=code)
        with CaptureQueriesContext(connections[alias_of("products")]) as queries:
            put(500, now=now + HOUR, price_list=code)
        counts.append(sum("SAVEPOINT" not in query["sql"] for query in queries))
    everybody, group = counts
    assert everybody - group == 3  # the product, its lock, and the prices of its listing


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(3))
def test_what_is_filtered_by_is_what_anonymous_readers_are_shown(seed: int, now: datetime) -> None:
    """Of generated lists, windows and prices, whenever the workers have been there."""
    random = Random(seed)
    create_products(
        products=[
            NewProduct(
                name=f"Lamp {number}",
                status="active",
                variants=tuple(
                    NewVariant(
                        sku=f"S{number}-{place}",
                        options={"Size": f"{place}"},
                        prices=(Money(random.randint(500, 900), "GBP"),)
                        if random.random() < 0.8
                        else (),
                    )
                    for place in range(random.randint(1, 2))
                ),
            )
            for number in range(5)
        ],
        now=now,
    )
    skus = list(Variant.objects.order_by("sku").values_list("sku", flat=True))
    codes: list[str] = []
    lowest = set()

    def window() -> dict[str, datetime | None]:
        start = random.choice([None, now + random.randint(0, 5) * DAY])
        end = random.choice([None, (start or now) + random.randint(1, 5) * DAY])
        return {"valid_from": start, "valid_until": end}

    for _ in range(60):
        now += random.choice([HOUR, DAY])
        kind = random.randint(0, 5)
        if kind == 0 or not codes:
            codes.append(f"list{len(codes)}")
            group = random.choice(["", "", "trade"])
            terms = {"priority": random.randint(0, 3), "customer_group": group} | window()
            list_of_prices(codes[-1], now=now, **terms)
        elif kind == 1:
            changes: list[dict[str, Any]] = [
                window(),
                {"active": random.random() < 0.7},
                {"priority": random.randint(0, 3)},
                {"customer_group": random.choice(["", "trade"])},
            ]
            edit(random.choice(codes), now, **random.choice(changes))
        else:
            put(
                random.randint(100, 999),
                now=now,
                sku=random.choice(skus),
                price_list=random.choice([None, *codes, *codes]),
                kind=random.choice(["regular", "sale"]),
                **window(),
            )
        turn(now)
        assert listed_prices() == asked(now)
        lowest.add(min(listed_prices().values()))
    kept = contents()
    assert made_anew() == kept
    assert len(lowest) > 3


@pytest.mark.django_db(transaction=True)
def test_prices_and_lists_changed_at_once_leave_what_everybody_is_asked(now: datetime) -> None:
    skus = [f"S{number}" for number in range(6)]
    products.stocked(dict.fromkeys(skus, 0), now=now)
    for code in ("one", "two"):
        list_of_prices(code, now=now)

    def change(number: int) -> None:
        at = now + timedelta(seconds=number)
        if number % 3 == 0:
            put(100 + number, now=at, sku=skus[number % 6], price_list="one")
        elif number % 3 == 1:
            code = ["one", "two"][number % 2]
            price_lists.edit_price_list(
                code=code, version=None, now=at, active=number % 4 < 2, priority=number
            )
        else:
            put(200 + number, now=at, sku=skus[number % 5], price_list="two")
        if number % 7 == 0:
            turn(at)

    in_threads(change, range(60), threads=6)
    later = now + DAY
    turn(later)
    assert listed_prices() == asked(later)
    kept = contents()
    assert made_anew() == kept
