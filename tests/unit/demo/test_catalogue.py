from __future__ import annotations

from pathlib import Path
from zlib import crc32

import pytest

from demo.catalogue import (
    CATEGORIES,
    Catalogue,
    Product,
    category_of,
    read_products,
    read_report,
    stock_of,
    write_products,
)
from demo.online_retail import classified
from tests.unit.demo.test_online_retail import row


def catalogue_of(*rows: dict[str, str]) -> Catalogue:
    catalogue = Catalogue()
    for kind, line in classified(rows):
        catalogue.take(kind, line)
    return catalogue


def test_a_good_takes_its_most_frequent_name_and_price_and_a_years_sales_as_stock() -> None:
    (product,) = catalogue_of(
        row(Description="WHITE LANTERN", Quantity="3"),
        row(Description="WHITE LANTERN", Quantity="4", UnitPrice="2.95"),
        row(Description="LANTERN, WHITE", Quantity="5", UnitPrice="2.95"),
        row(StockCode="85123a", Description="", Quantity="6", UnitPrice="2.95"),
        row(Description="damaged", Quantity="-9", UnitPrice="0"),
    ).products()

    assert product == Product(
        sku="85123A",
        name="White lantern",
        price_minor=295,
        stock=18,
        category="Candles and lights",
    )


def test_the_report_counts_every_kind_of_dirt() -> None:
    report = catalogue_of(
        row(),
        row(),
        row(UnitPrice="9.99", Description="OTHER"),
        row(StockCode="85123a", CustomerID=""),
        row(StockCode="99999", UnitPrice="0", Description=""),
        row(StockCode="POST"),
        row(Quantity="-1"),
        row(InvoiceNo="C1", Quantity="-1"),
        row(InvoiceNo="A1"),
    ).report()

    assert list(report.items()) == [
        ("lines: sold", 3),
        ("lines: cancellation, invoice number with a C", 1),
        ("lines: bookkeeping, invoice number with another letter", 1),
        ("lines: no goods: postage, fees, vouchers, samples, manual entries", 1),
        ("lines: quantity of zero or less without a cancellation: stock written off", 1),
        ("lines: price of zero or less: gifts, samples and corrections", 1),
        ("lines: exactly the same line twice: the second one", 1),
        ("lines without a description, named by the other lines", 1),
        ("lines without a customer, sold to anybody", 1),
        ("spellings of a code with small letters: in capitals", 1),
        ("goods with several descriptions: the most frequent one", 1),
        ("goods with several prices: the most frequent one", 1),
        ("goods that were never sold at a price: left out", 1),
        ("goods", 1),
    ]


def test_one_good_in_so_many_runs_short() -> None:
    skus = [f"{number:05}" for number in range(3000)]
    scarce = [sku for sku in skus if crc32(sku.encode()) % 150 == 0]

    assert {stock_of(sku, 530) for sku in scarce} == {20}
    assert {stock_of(sku, 530) for sku in skus if sku not in scarce} == {530}
    assert stock_of(scarce[0], 3) == 1
    assert 10 <= len(scarce) <= 30


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("WHITE METAL LANTERN", "Candles and lights"),
        ("JUMBO BAG RED RETROSPOT", "Bags and purses"),
        ("SET OF 20 VINTAGE CHRISTMAS NAPKINS", "Christmas"),
        ("REGENCY CAKESTAND 3 TIER", "More"),
        ("PACK OF 72 RETROSPOT CAKE CASES", "Party"),
        ("STRAWBERRY CERAMIC TRINKET BOX", "Home"),
    ],
)
def test_the_category_is_the_first_family_whose_words_occur(name: str, category: str) -> None:
    assert category_of(name) == category


def test_products_come_back_from_their_file(tmp_path: Path) -> None:
    path = tmp_path / "products.csv.gz"
    products = [
        Product(sku="10002", name='A "globe", round', price_minor=85, stock=7, category="More")
    ]

    assert write_products(products, path) == 1
    assert read_products(path) == products


def test_the_demo_has_the_goods_of_the_whole_set() -> None:
    products = read_products()

    assert len(products) == read_report()["goods"] == 3798
    assert len({product.sku for product in products}) == 3798
    assert {product.category for product in products} == {*CATEGORIES}
    assert all(product.price_minor > 0 and product.stock > 0 for product in products)
    by_sku = {product.sku: product for product in products}
    assert by_sku["85123A"].name == "White hanging heart t-light holder"
