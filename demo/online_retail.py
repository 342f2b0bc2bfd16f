"""Reads Online Retail, and decides what each of its lines is. Real data is dirty: see README.md."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from pathlib import Path
from typing import IO

COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)

# Goods have five digits and up to three letters; a few newer ones begin with DCGS.
_GOODS = re.compile(r"\d{5}[A-Z]{0,3}|DCGS[0-9A-Z]{1,6}")


class Kind(StrEnum):
    """What a line is. Only sales become lines of orders, and say what is sold at which price."""

    SALE = "sold"
    CANCELLATION = "cancellation, invoice number with a C"
    BOOKKEEPING = "bookkeeping, invoice number with another letter"
    NOT_GOODS = "no goods: postage, fees, vouchers, samples, manual entries"
    WRITE_OFF = "quantity of zero or less without a cancellation: stock written off"
    NO_PRICE = "price of zero or less: gifts, samples and corrections"
    DUPLICATE = "exactly the same line twice: the second one"


@dataclass(frozen=True, slots=True)
class Line:
    invoice: str
    code: str
    sku: str
    """The code in capitals: 112 codes of the data differ in nothing but their letters' case."""
    name: str
    quantity: int
    at: str
    price_minor: int
    customer: str
    country: str


def read(path: Path) -> Iterator[dict[str, str]]:
    """The lines of a CSV file, plain or compressed by gzip, as they are."""
    with _open(path) as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(f"{path} does not have the columns {', '.join(COLUMNS)}.")
        yield from reader


def classified(rows: Iterable[dict[str, str]]) -> Iterator[tuple[Kind, Line]]:
    """Each line with what it is. A line that is several things is the first of Kind's order."""
    invoice, seen = "", set[tuple[str, ...]]()
    for row in rows:
        if row["InvoiceNo"] != invoice:
            invoice, seen = row["InvoiceNo"], set()
        line = line_of(row)
        kind = _kind_of(line)
        identity = tuple(row.values())
        if kind is Kind.SALE and identity in seen:
            kind = Kind.DUPLICATE
        seen.add(identity)
        yield kind, line


def line_of(row: dict[str, str]) -> Line:
    return Line(
        invoice=row["InvoiceNo"],
        code=row["StockCode"].strip(),
        sku=row["StockCode"].strip().upper(),
        name=" ".join(row["Description"].split()),
        quantity=int(row["Quantity"]),
        at=row["InvoiceDate"],
        price_minor=int(
            (Decimal(row["UnitPrice"]) * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)
        ),
        customer=row["CustomerID"].removesuffix(".0"),
        country=row["Country"],
    )


def _kind_of(line: Line) -> Kind:
    if line.invoice.startswith("C"):
        return Kind.CANCELLATION
    if not line.invoice.isdigit():
        return Kind.BOOKKEEPING
    if not _GOODS.fullmatch(line.sku):
        return Kind.NOT_GOODS
    if line.quantity <= 0:
        return Kind.WRITE_OFF
    if line.price_minor <= 0:
        return Kind.NO_PRICE
    return Kind.SALE


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")
