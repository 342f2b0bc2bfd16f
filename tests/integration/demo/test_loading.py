from __future__ import annotations

from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db.models import Count

from demo import loading
from demo.catalogue import Product
from demo.loading import load, slug_of
from demo.online_retail import COLUMNS
from demo.pictures import picture_of
from domains.products.models import Category, Variant
from domains.products.models.media import ProductMedia
from domains.products.public import Offer, offers, stock_audit
from domains.products.queries.media import media_of_product
from domains.products.services.products import archive_product
from infrastructure.money import Money
from tests.support.factories import orders
from tests.unit.demo.test_online_retail import row

pytestmark = pytest.mark.django_db

PRODUCTS = [
    Product(
        sku=f"1000{number}",
        name=f"Lantern {number}",
        price_minor=100 + number,
        stock=number + 1,
        category="Candles and lights" if number % 2 else "More",
    )
    for number in range(5)
]
SKUS = [product.sku for product in PRODUCTS]


def loaded(now: datetime, products: list[Product] = PRODUCTS) -> int:
    return load(products=products, now=now, progress=lambda done, total: None)


def found(now: datetime) -> dict[str, Offer]:
    return offers(dict.fromkeys(SKUS, 1), currency="GBP", now=now)


def test_products_are_for_sale_with_their_price_and_stock(now: datetime) -> None:
    assert loaded(now) == 5

    offered = found(now)
    assert {sku: (offer.name, offer.unit_price, offer.available) for sku, offer in offered.items()}\
        == {
            product.sku: (product.name, Money(product.price_minor, "GBP"), product.stock)
            for product in PRODUCTS
        }  # fmt: skip
    assert all(offer.active for offer in offered.values())


def test_some_cost_less_from_twelve_on_for_the_trade_or_for_two_weeks(now: datetime) -> None:
    tiered, trade, sale = "10010", "10009", "10005"
    goods = [
        Product(sku=sku, name="Lantern", price_minor=1000, stock=5, category="More")
        for sku in (tiered, trade, sale)
    ]
    loaded(now, goods)

    def cost(quantity: int, *, minutes: int = 0, group: str | None = None) -> list[int]:
        wanted = dict.fromkeys((tiered, trade, sale), quantity)
        moment = now + timedelta(minutes=minutes)
        found = offers(wanted, currency="GBP", customer_group=group, now=moment)
        return [found[sku].unit_price.amount_minor for sku in wanted]

    assert cost(1) == [1000, 1000, 1000]
    assert cost(12) == [900, 1000, 1000]
    assert cost(1, group="trade") == [1000, 850, 1000]
    assert cost(1, minutes=1) == [1000, 1000, 800]


def test_a_few_products_have_a_picture_that_is_the_same_every_time(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "PICTURES", 2)
    loaded(now)
    ids = dict(Variant.objects.filter(sku__in=SKUS).values_list("sku", "product_id"))
    pictured = {sku: media_of_product(product_id) for sku, product_id in ids.items()}
    assert {sku: len(media) for sku, media in pictured.items()} == {
        **dict.fromkeys(SKUS, 0),
        "10001": 1,
        "10004": 1,
    }
    [picture] = pictured["10001"]
    assert (picture.shown.alt, picture.shown.width, picture.state) == (
        "Lantern 1",
        480,
        "PROCESSING",
    )
    assert picture_of("Lantern 1") == picture_of("Lantern 1") != picture_of("Lantern 2")


def test_categories_get_the_slugs_that_the_products_ask_for(now: datetime) -> None:
    loaded(now)

    assert dict(Category.objects.values_list("name", "slug")) == {
        name: slug_of(name) for name in ("Candles and lights", "More")
    }


def test_a_second_load_changes_nothing(now: datetime) -> None:
    loaded(now)
    orders.placed({"10004": 2}, now=now)

    assert loaded(now) == 0
    assert found(now)["10004"].available == 3


def test_a_load_that_was_interrupted_goes_on(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "BATCH", 2)

    def fail_later(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(products=PRODUCTS, now=now, progress=fail_later)
    orders.placed({"10003": 1}, now=now)

    assert loaded(now) == 1
    assert {row.sku: (row.on_hand, row.held) for row in stock_audit()} == {
        "10000": (1, 0),
        "10001": (2, 0),
        "10002": (3, 0),
        "10003": (4, 1),
        "10004": (5, 0),
    }


def test_pictures_that_a_load_did_not_come_to_are_added_by_the_next(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "PICTURES", 3)
    add_media = loading.add_media

    def pictures() -> list[tuple[str, int]]:
        """Of each product that has some, how many."""
        shown = ProductMedia.objects.values_list("product__variant_rows__sku")
        return sorted(shown.annotate(count=Count("id")))

    def add_one(**media: Any) -> UUID:
        if pictures():
            raise KeyboardInterrupt
        return add_media(**media)

    monkeypatch.setattr(loading, "add_media", add_one)
    with pytest.raises(KeyboardInterrupt):
        loaded(now)
    assert [count for _, count in pictures()] == [1]
    monkeypatch.setattr(loading, "add_media", add_media)

    assert loaded(now) == 0
    assert pictures() == [("10000", 1), ("10001", 1), ("10004", 1)]
    assert loaded(now) == 0
    assert pictures() == [("10000", 1), ("10001", 1), ("10004", 1)]


def test_a_good_that_was_archived_gets_no_picture_any_more(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "PICTURES", 0)
    loaded(now)
    product_id = Variant.objects.get(sku="10001").product_id
    archive_product(product_id=product_id, version=None, now=now)
    monkeypatch.setattr(loading, "PICTURES", 2)
    assert loaded(now) == 0
    shown = ProductMedia.objects.values_list("product__variant_rows__sku", flat=True)
    assert list(shown) == ["10004"]


def test_the_command_says_what_it_did_with_the_dirt(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    rows = [row(), row(InvoiceNo="C1"), row(StockCode="POST")]
    path.write_text(
        "\n".join(",".join(values) for values in (COLUMNS, *(r.values() for r in rows)))
    )
    out = StringIO()

    call_command("load_demo", "--from", str(path), stdout=out)
    call_command("load_demo", "--from", str(path), stdout=out)

    printed = out.getvalue()
    assert "1 of 1 products\n" in printed
    assert "        1  lines: cancellation, invoice number with a C\n" in printed
    assert "1 products with price and stock in " in printed
    assert printed.endswith("All 1 products of the demo are there.\n")
