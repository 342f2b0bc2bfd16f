"""Commands that need the same rows for different reasons: none waits for another in a circle."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from uuid import UUID

import pytest
from django.conf import LazySettings

from domains.products.models import (
    Listing,
    ListingPrice,
    ListingWord,
    Price,
    PriceEntry,
    Product,
    ProductType,
    Reservation,
    StockItem,
    Variant,
)
from domains.products.public import Held, hold_for_cart
from domains.products.queries.media import media_of_product
from domains.products.rules.attributes import Kind
from domains.products.rules.imports.rows import ProductRow, VariantRow
from domains.products.rules.types import AttributeTerms
from domains.products.services import listing, media, prices, products, sheets, types
from domains.products.services.imports import bulk
from domains.products.services.variants import NewVariant
from infrastructure.database.contexts import atomic, connection_of
from infrastructure.database.threads import in_threads
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.support.cart_holds import TTL, cart_holding, held, lines_of
from tests.support.factories import products as factory
from tests.support.files import bring, counts
from tests.support.meeting import LOCKS, PATIENCE_SECONDS, meet
from tests.support.product_pictures import add, told, use_folder
from tests.support.stock import assert_books_are_right
from tests.support.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)
GIVE_UP_SECONDS = 120


@pytest.fixture(autouse=True)
def folder(settings: LazySettings, tmp_path: Path) -> Path:
    return use_folder(settings, tmp_path / "media")


# Whoever changes a product together with its price, and whoever changes its price


def import_product(now: datetime) -> None:
    row = ProductRow(external_id="lantern", variants=[VariantRow(sku="A", prices={"GBP": "7.00"})])
    with atomic("products"):
        [item] = bulk.upsert_products(rows=[row], actor_id=None, now=now)
    assert (item.outcome, item.faults) == ("changed", [])


def save_sheet(now: datetime) -> None:
    product = Product.objects.get()
    sheets.save_sheet(
        product_id=product.id,
        version=product.version,
        changes={"name": "Lamp"},
        added=[],
        prices=[prices.PriceEdit(sku="A", money=Money(700, "GBP"), seen=Money(1000, "GBP"))],
        pointers={},
        actor_id=None,
        now=now,
    )


def set_price(now: datetime) -> None:
    prices.set_price(sku="A", money=Money(600, "GBP"), min_quantity=5, actor_id=None, now=now)


def import_price(now: datetime) -> None:
    rows = "sku,currency,amount,min_quantity\nA,GBP,6.00,5\n"
    assert counts(bring("prices", rows, now=now)) == (0, 1, 0, 0)


def cancel_price(now: datetime) -> None:
    entry = PriceEntry.objects.get(min_quantity=9)
    prices.cancel_price(sku="A", entry_id=entry.id, actor_id=None, now=now)


def turn_price(now: datetime) -> None:
    prices.turn_due_prices(now=now)


@pytest.mark.parametrize("by_price", [set_price, import_price, cancel_price, turn_price])
@pytest.mark.parametrize("by_product", [import_product, save_sheet])
def test_a_price_is_changed_while_its_product_is(
    by_product: Callable[[datetime], None], by_price: Callable[[datetime], None], now: datetime
) -> None:
    factory.product(now=now - DAY, sku="A", price_minor=1000, external_id="lantern")
    prices.set_price(
        sku="A",
        money=Money(550, "GBP"),
        min_quantity=9,
        valid_from=now,
        actor_id=None,
        now=now - DAY,
    )

    meet(lambda: by_product(now), lambda: by_price(now))

    price = Price.objects.get()
    kept = [9, 550]
    tiers = {set_price: [5, 600, *kept], import_price: [5, 600, *kept], cancel_price: []}
    assert (price.amount_minor, price.tiers) == (700, tiers.get(by_price, kept))
    assert ListingPrice.objects.get().amount_minor == 700


# Holds of carts


def test_a_cart_takes_over_a_hold_while_its_first_one_is_made_and_both_are_taken(
    now: datetime,
) -> None:
    factory.stocked(dict.fromkeys("ABC", 5), now=now)
    first, second = sorted((new_id(), new_id()))
    cart_holding({"A": 1}, now=now, cart_id=second)
    lines = factory.lines({"A": 1, "B": 1})
    is_kept, is_awaited, is_taken = Event(), Event(), Event()

    def keep_b() -> None:
        with atomic("products"):
            StockItem.objects.select_for_update().get(sku="B")
            is_kept.set()
            until(somebody_waits)
            is_awaited.set()
            is_taken.wait(GIVE_UP_SECONDS)

    def merge() -> None:
        is_kept.wait(GIVE_UP_SECONDS)
        merged = hold_for_cart(cart_id=first, lines=lines, now=now, ttl=TTL, instead_of=second)
        assert merged == Held()

    def take_both() -> None:
        is_awaited.wait(GIVE_UP_SECONDS)
        cart_holding({"C": 1}, now=now, cart_id=first)
        with atomic("products"):
            Reservation.objects.select_for_update().get(pk=first)
            is_taken.set()
            until(somebody_waits)
            Reservation.objects.select_for_update().get(pk=second)

    in_threads(lambda work: work(), [keep_b, merge, take_both], threads=3)

    assert (lines_of(first), held("A", "B", "C")) == ({"A": 1, "B": 1}, [1, 1, 0])
    assert_books_are_right()


@pytest.mark.parametrize("more", [{}, {"B": 1}])
def test_a_cart_takes_over_as_much_as_it_wants_while_an_order_takes_that(
    now: datetime, more: dict[str, int]
) -> None:
    # Of B, whose row comes first, more is wanted than the other cart holds.
    factory.stocked(dict.fromkeys("BA", 5), now=now)
    source, cart_id = cart_holding({"A": 1}, now=now), new_id()
    lines = factory.lines({"A": 1, **more})

    def merge() -> None:
        merged = hold_for_cart(cart_id=cart_id, lines=lines, now=now, ttl=TTL, instead_of=source)
        assert merged == Held()

    merging = Thread(target=in_threads, args=(lambda work: work(), [merge]), kwargs={"threads": 1})
    with atomic("products"):
        StockItem.objects.select_for_update().get(sku="A")
        merging.start()
        until(somebody_waits)
        Reservation.objects.select_for_update().get(pk=source)
    merging.join()

    assert (lines_of(cart_id), held("A", "B")) == ({"A": 1, **more}, [1, more.get("B", 0)])
    assert_books_are_right()


def somebody_waits() -> bool:
    """For what this transaction has locked."""
    sql = "SELECT count(*) FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    [(waiting,)] = connection_of("products").fetch(sql, [])
    return bool(waiting)


# Types


def test_a_variant_is_added_on_the_page_of_a_product_while_its_type_is_changed(
    now: datetime,
) -> None:
    types.create_type(code="lamp", name="Lamp", attributes=[], now=now)
    factory.product(now=now, sku="A", product_type="lamp", name="Thing")
    product = Product.objects.get()
    glow = AttributeTerms(code="glow", name="Glow", kind=Kind.TEXT)

    meet(
        lambda: sheets.save_sheet(
            product_id=product.id,
            version=product.version,
            changes={"name": "Other"},
            added=[NewVariant(sku="B", name="Second")],
            prices=[],
            pointers={},
            actor_id=None,
            now=now,
        ),
        lambda: types.edit_type(code="lamp", version=None, attributes=[glow], now=now),
    )

    product = Product.objects.get()
    assert (product.name, [variant.sku for variant in product.variants]) == ("Other", ["A", "B"])
    assert [each.code for each in ProductType.objects.get().attributes] == ["glow"]


# Pictures


def test_the_sizes_of_a_picture_are_made_while_products_cease_to_show_it(now: datetime) -> None:
    lantern = factory.product(now=now, sku="A")
    lamp = factory.product(now=now, sku="B")
    media_id = add(lantern, now)
    add(lamp, now)

    meet(
        lambda: media.make_sizes(now=now),
        lambda: media.remove_media(media_id=media_id, version=None, now=now),
        # Not at the lease of the file, which is a transaction of its own.
        after=rf"^(?!.*SKIP LOCKED).*({LOCKS}|UPDATE \S*products_mediafile)",
    )

    [picture] = media_of_product(lamp)
    assert (picture.state, media_of_product(lantern)) == ("READY", [])
    assert told(lamp) == [["media"], ["media"]]
    assert told(lantern) in ([["media"], ["media"]], [["media"], ["media"], ["media"]])


# The listing


def test_popularity_is_summed_up_while_products_are_listed_in_any_order(now: datetime) -> None:
    first, second = sorted(factory.product(now=now, name=sku, sku=sku) for sku in "AB")
    demand = {(variant.id, now.date()): 5 for variant in Variant.objects.all()}
    listing.add_demand(units=demand)

    def edit(product_id: UUID) -> None:
        name = f"Thing {product_id}"
        products.edit_product(product_id=product_id, version=None, now=now, name=name)

    def sum_up() -> None:
        in_threads(lambda _: listing.refresh_popularity(now=now), [None], threads=1)

    summing = Thread(target=sum_up)
    with atomic("products"):
        edit(second)
        summing.start()
        summing.join(PATIENCE_SECONDS)
        edit(first)
    summing.join()

    listing.refresh_popularity(now=now)
    found = Listing.objects.order_by("pk").values_list("pk", "sort_name", "popularity")
    assert list(found) == [
        (product_id, f"thing {str(product_id).replace('-', ' ')}", 5)
        for product_id in (first, second)
    ]


@pytest.mark.parametrize("words", ["Zephyr's lamp", "lamp (blue) \\ 'n stuff"])
def test_a_word_that_a_product_in_the_making_needs_is_not_forgotten(
    words: str, now: datetime
) -> None:
    old = factory.product(now=now, name=f"Gone {words}", sku="A")
    known = set(ListingWord.objects.values_list("lexeme", flat=True))
    products.archive_product(product_id=old, version=None, now=now)

    def forget() -> None:
        with atomic("products"):
            Listing.objects.forget_words()

    with atomic("products"):
        factory.product(now=now, name=f"New {words}", sku="B")
        in_threads(lambda work: work(), [forget], threads=1)

    kept = set(ListingWord.objects.values_list("lexeme", flat=True))
    assert kept == known | {"new", "b"}
    forget()
    assert kept - set(ListingWord.objects.values_list("lexeme", flat=True)) == {"gone", "a"}
