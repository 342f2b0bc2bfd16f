"""Invoices of the data as the orders that a shop would get."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice

from demo.catalogue import DATA
from demo.online_retail import Kind, Line

INVOICES = DATA / "invoices.csv.gz"

COUNTRIES = {
    "Australia": "AU",
    "Austria": "AT",
    "Bahrain": "BH",
    "Belgium": "BE",
    "Brazil": "BR",
    "Canada": "CA",
    "Channel Islands": "JE",
    "Cyprus": "CY",
    "Czech Republic": "CZ",
    "Denmark": "DK",
    "EIRE": "IE",
    "Finland": "FI",
    "France": "FR",
    "Germany": "DE",
    "Greece": "GR",
    "Hong Kong": "HK",
    "Iceland": "IS",
    "Israel": "IL",
    "Italy": "IT",
    "Japan": "JP",
    "Lebanon": "LB",
    "Lithuania": "LT",
    "Malta": "MT",
    "Netherlands": "NL",
    "Norway": "NO",
    "Poland": "PL",
    "Portugal": "PT",
    "RSA": "ZA",
    "Saudi Arabia": "SA",
    "Singapore": "SG",
    "Spain": "ES",
    "Sweden": "SE",
    "Switzerland": "CH",
    "USA": "US",
    "United Arab Emirates": "AE",
    "United Kingdom": "GB",
}
ELSEWHERE = "GB"


@dataclass(frozen=True, kw_only=True, slots=True)
class Invoice:
    """`lines`: quantity by SKU; several lines of one SKU are one, with their sum."""

    number: str
    customer: str
    country: str
    lines: dict[str, int]

    @property
    def country_code(self) -> str:
        return COUNTRIES.get(self.country, ELSEWHERE)


@dataclass(kw_only=True, slots=True)
class Played:
    """What became of the lines that were read."""

    lines: Counter[Kind] = field(default_factory=Counter)
    merged: int = 0
    empty: int = 0


def invoices_of(lines: Iterable[tuple[Kind, Line]], played: Played | None = None) -> list[Invoice]:
    """Invoices with something sold, in the order of their first lines.

    Needs all lines before the first invoice: some are torn apart in the data.
    """
    played = played or Played()
    heads: dict[str, Line] = {}
    quantities: dict[str, dict[str, int]] = {}
    for kind, line in lines:
        played.lines[kind] += 1
        if line.invoice.isdigit():
            heads.setdefault(line.invoice, line)
        if kind is Kind.SALE:
            sold = quantities.setdefault(line.invoice, {})
            played.merged += line.sku in sold
            sold[line.sku] = sold.get(line.sku, 0) + line.quantity
    played.empty = len(heads) - len(quantities)
    return [
        Invoice(
            number=number,
            customer=heads[number].customer,
            country=heads[number].country,
            lines=quantities[number],
        )
        for number in heads
        if number in quantities
    ]


def repeated(invoices: Sequence[Invoice], *, orders: int) -> Iterator[tuple[str, Invoice]]:
    """(name of the order, invoice): so many of them, from the start again where they do not
    suffice. The name is the invoice's number, with the round from the second round on."""
    names = (
        (invoice.number if number == 1 else f"{invoice.number}-{number}", invoice)
        for number in count(1)
        for invoice in invoices
    )
    return islice(names, orders if invoices else 0)
