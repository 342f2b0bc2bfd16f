"""What lists show of a product is written down beforehand, and is what its aggregates say."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings

from domains.products.models import ListingCard, MediaFile, PriceEntry
from domains.products.public import NewProduct, NewVariant, create_products
from domains.products.services import inventory, media, prices, products, variants
from domains.products.services.prices import NewPrice
from infrastructure.money import Money
from tests.support.factories import pictures
from tests.support.listing import by_aggregates, contents, listed, made_anew
from tests.support.prices import list_of_prices
from tests.support.product_pictures import use_folder

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
WHO: tuple[dict[str, Any], ...] = (
    {},
    {"locale": "de"},
    {"currency": "EUR"},
    {"currency": "JPY"},
    {"currency": "KWD"},
    {"customer_group": "trade"},
)


@pytest.fixture(autouse=True)
def _folder(settings: LazySettings, tmp_path: Path) -> None:
    use_folder(settings, tmp_path / "media")


@pytest.fixture
def lantern(now: datetime) -> UUID:
    [product_id] = create_products(
        products=[
            NewProduct(
                name='White "metal" lantern',
                status="active",
                texts={"de": {"name": "Weiße Laterne"}, "fr": {"description": "Belle."}},
                variants=(
                    NewVariant(
                        sku="A",
                        options={"Size": "S"},
                        prices=(Money(1000, "GBP"), Money(1, "JPY"), Money(5, "KWD")),
                    ),
                    NewVariant(sku="B", options={"Size": "L"}, prices=(Money(1250, "GBP"),)),
                ),
            )
        ],
        now=now,
    )
    return product_id


def is_told_rightly(now: datetime) -> None:
    for who in WHO:
        assert listed(now, **who) == by_aggregates(now, **who)
    kept = contents()["cards"]
    assert made_anew()["cards"] == kept


def carded() -> set[str]:
    return set(ListingCard.objects.values_list("currency", flat=True))


def put(sku: str, amount_minor: int, now: datetime, currency: str = "GBP", **more: Any) -> None:
    new = NewPrice(sku=sku, money=Money(amount_minor, currency), **more)
    prices.set_prices(prices=[new], actor_id=None, now=now)


def count(now: datetime, **levels: int) -> None:
    inventory.set_stock(levels=levels, reason="count", now=now)


def add_picture(product_id: UUID, now: datetime, **fields: Any) -> UUID:
    file = io.BytesIO(pictures.picture())
    return media.add_media(product_id=product_id, file=file, now=now, **fields)


def edit(**changes: Any) -> Callable[[UUID, datetime], object]:
    return lambda product_id, now: products.edit_product(
        product_id=product_id, version=None, now=now, **changes
    )


def edit_variant(sku: str, **changes: Any) -> Callable[[UUID, datetime], object]:
    return lambda _, now: variants.edit_variant(sku=sku, version=None, now=now, **changes)


def named(items: list[dict[str, Any]]) -> Any:
    return [item["name"] for item in items]


def left(items: list[dict[str, Any]]) -> Any:
    return [(v["sku"], v["available"]) for item in items for v in item["variants"]]


def asked(items: list[dict[str, Any]]) -> Any:
    return [v["price"] and v["price"]["amount"] for item in items for v in item["variants"]]


def pictured(items: list[dict[str, Any]]) -> Any:
    return [item["image"] and (item["image"]["alt"], item["image"]["variant"]) for item in items]


def resized(items: list[dict[str, Any]]) -> Any:
    return [len(item["image"]["renditions"]) > 0 for item in items]


def picture_then(change: Callable[[UUID, datetime], object]) -> Callable[[UUID, datetime], object]:
    def do(product_id: UUID, now: datetime) -> None:
        change(add_picture(product_id, now, alt="A lantern", alts={"de": "Eine Laterne"}), now)

    return do


def fail_sizes(_: UUID, now: datetime) -> None:
    """The original is gone, whenever it is tried."""
    file = MediaFile.objects.get()
    media.public_files.delete_folder(media.rules.folder_of(file.sha256))
    for attempt in range(10):
        media.make_sizes(now=now + attempt * 10 * HOUR)


CHANGES: dict[str, tuple[Callable[[UUID, datetime], object], Callable[[Any], Any], Any]] = {
    "nothing": (lambda *_: None, left, [("A", False), ("B", False)]),
    "a name": (edit(name="Lamp"), named, ["Lamp"]),
    "a translation": (edit(texts={"de": {"name": "Lampe"}}), named, ['White "metal" lantern']),
    "no translation": (edit(texts={"de": None}), named, ['White "metal" lantern']),
    "a slug": (edit(slug="lamp"), lambda items: [item["slug"] for item in items], ["lamp"]),
    "off sale": (edit(status="draft"), named, []),
    "options": (
        edit_variant("A", options={"Size": 'X"L'}),
        lambda items: [v["options"] for v in items[0]["variants"]],
        [{"Size": 'X"L'}, {"Size": "L"}],
    ),
    "an order": (edit_variant("A", position=7), left, [("B", False), ("A", False)]),
    "a variant less": (edit_variant("A", retired=True), left, [("B", False)]),
    "all in stock": (lambda _, now: count(now, A=1, B=2), left, [("A", True), ("B", True)]),
    "some in stock": (lambda _, now: count(now, B=2), left, [("A", False), ("B", True)]),
    "sold out again": (
        lambda _, now: (count(now, A=1, B=2), count(now, A=0)),
        left,
        [("A", False), ("B", True)],
    ),
    "a price": (lambda _, now: put("A", 900, now), asked, ["9.00", "12.50"]),
    "a price in a new currency": (
        lambda _, now: put("A", 900, now, currency="EUR"),
        asked,
        ["10.00", "12.50"],
    ),
    "no price": (
        lambda _, now: prices.withdraw_price(
            sku="A", currency="GBP", price_list=None, actor_id=None, now=now
        ),
        asked,
        [None, "12.50"],
    ),
    "a price for many": (
        lambda _, now: put("B", 900, now, min_quantity=10),
        lambda items: [len(v["price_tiers"]) for v in items[0]["variants"]],
        [0, 1],
    ),
    "a reduction": (
        lambda _, now: put("A", 800, now, kind="sale"),
        lambda items: [v["reduction"] is not None for v in items[0]["variants"]],
        [True, False],
    ),
    "a price of a list for somebody": (
        lambda _, now: (
            list_of_prices("trade", now=now, customer_group="trade"),
            put("A", 500, now, price_list="trade"),
        ),
        asked,
        ["10.00", "12.50"],
    ),
    "a price of a list for everybody": (
        lambda _, now: (
            list_of_prices("summer", now=now),
            put("A", 700, now, price_list="summer"),
        ),
        asked,
        ["7.00", "12.50"],
    ),
    "a picture": (
        lambda product_id, now: add_picture(product_id, now, alt="A", variant="B"),
        pictured,
        [("A", "B")],
    ),
    "a picture's text": (
        picture_then(
            lambda media_id, now: media.edit_media(
                media_id=media_id, version=None, now=now, alt="Lit", alts={"de": ""}
            )
        ),
        pictured,
        [("Lit", None)],
    ),
    "no picture": (
        picture_then(
            lambda media_id, now: media.remove_media(media_id=media_id, version=None, now=now)
        ),
        pictured,
        [None],
    ),
    "a picture's sizes": (
        picture_then(lambda _, now: media.make_sizes(now=now)),
        resized,
        [True],
    ),
    "a picture that failed": (picture_then(fail_sizes), pictured, [None]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_after_a_change_a_list_shows_what_the_aggregates_say(
    lantern: UUID, now: datetime, change: str
) -> None:
    do, shown, expected = CHANGES[change]
    now += HOUR
    do(lantern, now)
    assert shown(listed(now)) == expected
    is_told_rightly(now)


def test_what_turns_by_itself_is_not_written_down_until_it_has(
    lantern: UUID, now: datetime
) -> None:
    assert carded() == {"GBP", "JPY", "KWD"}
    put("A", 900, now, valid_from=now + HOUR)
    assert carded() == {"JPY", "KWD"}
    assert asked(listed(now)) == ["10.00", "12.50"]
    assert asked(listed(now + HOUR)) == ["9.00", "12.50"]
    assert prices.turn_due_prices(now=now + HOUR) == 1
    assert carded() == {"GBP", "JPY", "KWD"}
    assert asked(listed(now + HOUR)) == ["9.00", "12.50"]
    is_told_rightly(now + HOUR)


def test_a_cancelled_price_is_written_down_again(lantern: UUID, now: datetime) -> None:
    put("A", 900, now, valid_from=now + HOUR)
    entry = PriceEntry.objects.latest("from_at")
    prices.cancel_price(sku="A", entry_id=entry.id, actor_id=None, now=now)
    assert carded() == {"GBP", "JPY", "KWD"}
    is_told_rightly(now + HOUR)


def test_who_has_prices_of_their_own_is_shown_them(lantern: UUID, now: datetime) -> None:
    list_of_prices("trade", now=now, customer_group="trade")
    assert asked(listed(now, customer_group="trade")) == ["10.00", "12.50"]
    put("A", 500, now, price_list="trade")
    assert asked(listed(now)) == ["10.00", "12.50"]
    assert asked(listed(now, customer_group="trade")) == ["5.00", "12.50"]


def test_amounts_have_the_decimals_of_their_currency(lantern: UUID, now: datetime) -> None:
    assert carded() == {"GBP", "JPY", "KWD"}
    assert asked(listed(now, currency="JPY")) == ["1", None]
    assert asked(listed(now, currency="KWD")) == ["0.005", None]
    assert asked(listed(now, currency="EUR")) == [None, None]


def test_a_picture_is_told_of_in_the_language_asked_for(lantern: UUID, now: datetime) -> None:
    add_picture(lantern, now, alt="A lantern", alts={"de": "Eine Laterne"})
    assert pictured(listed(now)) == [("A lantern", None)]
    assert pictured(listed(now, locale="de")) == [("Eine Laterne", None)]
