"""The read model behind lists: what commands make of it is what a rebuild makes of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connections
from django.test.utils import CaptureQueriesContext

from domains.products.events import ReservedLine, StockAvailabilityChanged, StockReserved
from domains.products.handlers import (
    add_demand_for_products,
    forget_demand_for_products,
    refresh_availability_of_listings,
)
from domains.products.models import (
    Listing,
    ListingDemand,
    ListingOption,
    ListingPrice,
    ListingVariant,
    ListingWord,
    Product,
    StockItem,
    Variant,
    listing_demand_sql,
)
from domains.products.public import NewProduct, NewVariant, create_products
from domains.products.rules.attributes import Kind
from domains.products.rules.types import AttributeTerms
from domains.products.services import listing, prices, types
from domains.products.services import products as services
from infrastructure.database.contexts import alias_of, atomic
from infrastructure.database.threads import in_threads
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.support.factories import products
from tests.support.listing import by_aggregates, contents, empty, listed
from tests.support.listing_walk import COLOUR, RELEASED, WEIGHT, Walk

SECRET = AttributeTerms(code="secret", name="Secret", kind=Kind.TEXT)


def rebuilt(now: datetime) -> None:
    empty()
    listing.rebuild_listing(now=now)


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(4))
def test_after_any_commands_the_listing_is_what_a_rebuild_makes(seed: int, now: datetime) -> None:
    walk = Walk(Random(seed), now)
    for _ in range(90):
        walk.step()
    kept = contents()
    assert kept["products"]
    assert kept["cards"]
    # Also of prices whose time has come, before anybody has turned them.
    for at in (walk.now, walk.now + timedelta(minutes=5)):
        for currency in ("GBP", "EUR"):
            assert listed(at, currency=currency) == by_aggregates(at, currency=currency)
    rebuilt(walk.now)
    assert contents() == kept


@pytest.mark.django_db
def test_a_listing_tells_what_can_be_searched_and_filtered(now: datetime) -> None:
    types.create_type(
        code="lamp", name="Lamp", attributes=(COLOUR, WEIGHT, RELEASED, SECRET), now=now
    )
    garden = products.category(name="Gärten", now=now)
    [product_id] = create_products(
        products=[
            NewProduct(
                name="Women's Café-Lantern",
                description="It shines.",
                status="active",
                product_type="lamp",
                attributes={"weight": 12.5, "released": "1970-01-11", "secret": "Hidden"},
                categories=("garten",),
                texts={"de": {"name": "Öllampen"}},
                variants=(
                    NewVariant(
                        sku="AB-1",
                        prices=(Money(500, "GBP"), Money(700, "EUR")),
                        attributes={"color": "red"},
                        options={"COLOR": "Red", "Shoe size": "38"},
                        barcode="4006381333931",
                    ),
                    NewVariant(
                        sku="ab.2",
                        prices=(Money(300, "GBP"),),
                        options={"COLOR": "BLUE", "Shoe size": "39"},
                    ),
                ),
            )
        ],
        now=now,
    )
    found = Listing.objects.get()
    assert found.product_id == product_id
    assert (found.sort_name, found.available, found.popularity) == ("womens cafe lantern", False, 0)
    assert found.category_ids == [garden]
    # An option that an attribute is called like is one of its choices.
    assert found.tokens == ["color=blue", "color=red", "shoe_size=38", "shoe_size=39"]
    assert found.identifiers == ["4006381333931", "ab 1", "ab 2", "ollampen", "womens cafe lantern"]
    assert found.names == ("'cafe' 'lantern' 'ollamp' 'ollampen' 'women' 'womens'")
    assert "'hidden':" in found.document
    assert "'shine'" in found.document
    assert contents()["prices"] == [(product_id, "EUR", 700), (product_id, "GBP", 300)]
    assert contents()["numbers"] == [(product_id, "released", 10.0), (product_id, "weight", 12.5)]
    shared = {"weight": 12.5, "released": 10}
    assert list(
        ListingVariant.objects.order_by("variant__sku").values_list(
            "variant__sku", "product_id", "available", "tokens", "numbers"
        )
    ) == [
        ("AB-1", product_id, False, ["color=red", "shoe_size=38"], shared),
        ("ab.2", product_id, False, ["color=blue", "shoe_size=39"], shared),
    ]
    assert set(ListingOption.objects.values_list("code", "name")) == {
        ("color", "COLOR"),
        ("shoe_size", "Shoe size"),
    }
    assert ListingWord.objects.get(lexeme="shine").head is False
    assert ListingWord.objects.get(lexeme="lantern").head is True


@pytest.mark.django_db
def test_words_know_how_many_products_have_them_and_by_what_slips_find_them(now: datetime) -> None:
    def create(sku: str, name: str, description: str) -> None:
        variant = NewVariant(sku=sku)
        product = NewProduct(
            name=name, description=description, status="active", variants=(variant,)
        )
        create_products(products=[product], now=now)

    def told() -> dict[str, tuple[int, set[str]]]:
        rows = ListingWord.objects.values_list("lexeme", "products", "slip_keys")
        return {lexeme: (products, set(keys)) for lexeme, products, keys in rows}

    create("1", "Tea", "For breakfast: a cup.")
    assert told()["cup"] == (1, set())
    create("2", "Tea cup", "")
    assert told() == {
        "1": (1, set()),
        "2": (1, set()),
        "tea": (1, {"tea", "ea", "ta", "te", "aet"}),
        # No longer only in a description.
        "cup": (1, {"cup", "up", "cp", "cu", "cpu"}),
        "breakfast": (1, set()),
    }
    assert listing.count_words() == 2
    assert listing.count_words() == 0
    assert (told()["tea"][0], told()["cup"][0], told()["breakfast"][0]) == (2, 2, 1)
    create("3", "Bakelike", "")
    keys = told()["bakelike"][1]
    assert {"bakelik", "bakelk", "aelik"} <= keys
    assert len(keys) == 1 + 7 + 21
    assert "bakelike" not in keys


@pytest.mark.django_db
def test_a_rebuild_forgets_what_no_product_has_any_more(now: datetime) -> None:
    products.product(now=now, name="Old lamp", sku="A")
    [product_id] = create_products(
        products=[
            NewProduct(
                name="Blue umbrella",
                status="active",
                variants=(NewVariant(sku="B", options={"Size": "L"}),),
            )
        ],
        now=now,
    )
    services.archive_product(product_id=product_id, version=None, now=now)
    assert ListingWord.objects.filter(lexeme="umbrella").exists()
    call_command("rebuild_listing", verbosity=0)
    assert not ListingWord.objects.filter(lexeme="umbrella").exists()
    assert not ListingOption.objects.exists()
    assert [row.sort_name for row in Listing.objects.all()] == ["old lamp"]


@pytest.mark.django_db
def test_availability_follows_the_stock_and_not_the_event(now: datetime) -> None:
    products.product(now=now, sku="A", stock=3)
    item = StockItem.objects.get()
    # What staff deliver is listed at once; what is held, with the event.
    assert Listing.objects.get().available is True
    products.held({"A": 3}, now=now)
    assert Listing.objects.get().available is True
    late = StockAvailabilityChanged(
        variant_id=item.pk, sku="A", available=True, occurred_at=now - timedelta(days=1)
    )
    refresh_availability_of_listings([late, late])
    assert Listing.objects.get().available is False


@pytest.mark.django_db
def test_popularity_is_what_orders_asked_for_in_ninety_days(now: datetime) -> None:
    ids = products.stocked({"A": 9, "B": 9}, now=now)

    def reserved(sku: str, quantity: int, days_ago: int, holder: str = "order") -> StockReserved:
        line = ReservedLine(variant_id=ids[sku], sku=sku, quantity=quantity)
        at = now - timedelta(days=days_ago)
        return StockReserved(order_id=new_id(), lines=(line,), holder=holder, occurred_at=at)

    def popularity() -> dict[str, int]:
        rows = Listing.objects.values_list("sort_name", "popularity")
        return dict(rows)

    add_demand_for_products(
        [reserved("A", 2, 0), reserved("A", 3, 0), reserved("A", 1, 89), reserved("B", 7, 90)]
    )
    add_demand_for_products([reserved("B", 4, 10), reserved("B", 50, 0, holder="cart")])
    assert listing.refresh_popularity(now=now) == 2
    assert popularity() == {"thing a": 6, "thing b": 4}
    assert listing.refresh_popularity(now=now) == 0
    forget_demand_for_products(now.date() - timedelta(days=1), None)
    listing.refresh_popularity(now=now)
    assert popularity() == {"thing a": 1, "thing b": 4}
    rebuilt(now)
    assert popularity() == {"thing a": 1, "thing b": 4}
    add_demand_for_products([reserved("A", 5, 0)])
    assert listing.refresh_popularity(now=now + timedelta(days=80)) == 2
    assert popularity() == {"thing a": 5, "thing b": 0}


@pytest.mark.django_db
def test_demand_that_no_longer_counts_is_deleted(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing_demand_sql, "FORGOTTEN_AT_ONCE", 2)
    ids = products.stocked({"A": 9, "B": 9}, now=now)
    days = [now.date() - timedelta(days=ago) for ago in (0, 89, 90, 91, 1000)]
    listing.add_demand(units={(variant, day): 1 for variant in ids.values() for day in days})
    listing.refresh_popularity(now=now)
    kept = ListingDemand.objects.order_by("day").values_list("day", "units")
    assert list(kept) == [(days[1], 1)] * 2 + [(days[0], 1)] * 2
    assert set(Listing.objects.values_list("popularity", flat=True)) == {2}


@pytest.mark.django_db
def test_demand_is_summed_up_once_however_many_products_it_changes(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "BATCH", 2)
    ids = products.stocked({f"S{n}": 9 for n in range(5)}, now=now)
    listing.add_demand(units={(variant, now.date()): 3 for variant in ids.values()})
    with CaptureQueriesContext(connections[alias_of("products")]) as queries:
        assert listing.refresh_popularity(now=now) == 5
    statements = [query["sql"] for query in queries]
    assert sum("sum(units)" in sql for sql in statements) == 1
    assert sum("UPDATE products_listing " in sql for sql in statements) == 3
    assert set(Listing.objects.values_list("popularity", flat=True)) == {3}


@pytest.mark.django_db(transaction=True)
def test_prices_of_two_variants_set_at_once_leave_the_lowest_of_both(now: datetime) -> None:
    create_products(
        products=[
            NewProduct(
                name="Lamp",
                status="active",
                variants=tuple(NewVariant(sku=f"S{n}") for n in range(4)),
            )
        ],
        now=now,
    )

    def change(number: int) -> None:
        prices.set_price(
            sku=f"S{number % 4}", money=Money(1000 - number, "GBP"), actor_id=None, now=now
        )

    in_threads(change, range(40), threads=8)
    lowest = ListingPrice.objects.get().amount_minor
    assert lowest == min(
        price.amount_minor
        for variant in Variant.objects.all()
        for price in variant.price_rows.all()
    )
    kept = contents()
    rebuilt(now)
    assert contents() == kept


@pytest.mark.django_db(transaction=True)
def test_who_refreshes_the_same_products_in_any_order_never_waits_in_a_circle(
    now: datetime,
) -> None:
    ids = create_products(
        products=[
            NewProduct(name=f"Lamp {n}", status="active", variants=(NewVariant(sku=f"S{n}"),))
            for n in range(20)
        ],
        now=now,
    )
    mixed = [Random(n).sample(ids, 20) for n in range(24)]

    def refresh(product_ids: list[UUID]) -> None:
        with atomic("products"):
            Listing.objects.refresh(product_ids)

    in_threads(refresh, mixed, threads=8)
    assert Listing.objects.count() == Product.objects.count() == 20


@pytest.mark.django_db(transaction=True)
def test_a_rebuild_in_threads_tells_how_far_it_is(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    products.stocked({f"S{n}": 0 for n in range(7)}, now=now)
    monkeypatch.setattr(listing, "BATCH", 2)
    kept = contents()
    empty()
    told: list[tuple[int, int]] = []
    done = listing.rebuild_listing(now=now, threads=3, progress=lambda *how: told.append(how))
    assert done == 7
    assert sorted(told) == [(2, 7), (4, 7), (6, 7), (7, 7)]
    assert contents() == kept
