from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from demo.online_retail import COLUMNS, Kind, classified, line_of, read

GOOD = {
    "InvoiceNo": "536365",
    "StockCode": "85123A",
    "Description": "WHITE HANGING HEART T-LIGHT HOLDER",
    "Quantity": "6",
    "InvoiceDate": "2010-12-01 08:26:00",
    "UnitPrice": "2.55",
    "CustomerID": "17850.0",
    "Country": "United Kingdom",
}


def row(**changes: str) -> dict[str, str]:
    return GOOD | changes


def kinds(*rows: dict[str, str]) -> list[Kind]:
    return [kind for kind, _ in classified(rows)]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, Kind.SALE),
        ({"StockCode": "DCGS0076"}, Kind.SALE),
        ({"StockCode": "15056bl"}, Kind.SALE),
        ({"Description": ""}, Kind.SALE),
        ({"CustomerID": ""}, Kind.SALE),
        ({"InvoiceNo": "C536379", "Quantity": "-1"}, Kind.CANCELLATION),
        ({"InvoiceNo": "A563185", "StockCode": "B"}, Kind.BOOKKEEPING),
        ({"StockCode": "POST"}, Kind.NOT_GOODS),
        ({"StockCode": "gift_0001_20"}, Kind.NOT_GOODS),
        ({"StockCode": "M"}, Kind.NOT_GOODS),
        ({"StockCode": "BANK CHARGES"}, Kind.NOT_GOODS),
        ({"Quantity": "-10", "UnitPrice": "0.0"}, Kind.WRITE_OFF),
        ({"Quantity": "0"}, Kind.WRITE_OFF),
        ({"UnitPrice": "0.0"}, Kind.NO_PRICE),
        ({"UnitPrice": "0.001"}, Kind.NO_PRICE),
        ({"UnitPrice": "-1"}, Kind.NO_PRICE),
    ],
)
def test_every_line_is_of_one_kind(changes: dict[str, str], kind: Kind) -> None:
    assert kinds(row(**changes)) == [kind]


def test_the_same_line_twice_in_an_invoice_is_a_duplicate() -> None:
    assert kinds(row(), row(), row(Quantity="7"), row(InvoiceNo="536366"), row()) == [
        Kind.SALE,
        Kind.DUPLICATE,
        Kind.SALE,
        Kind.SALE,
        Kind.SALE,
    ]


def test_what_a_line_says_is_cleaned() -> None:
    line = line_of(row(StockCode="85123a", Description=" WHITE  HEART ", UnitPrice="2.555"))

    assert (line.code, line.sku) == ("85123a", "85123A")
    assert line.name == "WHITE HEART"
    assert (line.quantity, line.price_minor) == (6, 256)
    assert line.customer == "17850"


@pytest.mark.parametrize("name", ["sales.csv", "sales.csv.gz"])
def test_files_are_read_plain_and_compressed(tmp_path: Path, name: str) -> None:
    text = ",".join(COLUMNS) + "\n" + ",".join(GOOD.values()) + "\n"
    path = tmp_path / name
    content = text.encode()
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)

    assert list(read(path)) == [GOOD]


def test_other_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text("a,b\n1,2\n")

    with pytest.raises(ValueError, match="does not have the columns"):
        list(read(path))
