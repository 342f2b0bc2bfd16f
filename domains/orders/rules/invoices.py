"""Invoices and credit notes: what is still to be documented of an order, and what they add up to.

An order's documents follow what it charges. Invoices minus credit notes always come to what it
charged when they were last made; a document is never changed, the next one tells the difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

from infrastructure.money import Money, allocate, minor_digits, rounded

SHIPPING = "shipping"
# Digits behind those of the currency that a price of one piece without tax is shown with: what a
# line costs is divided by its quantity, and that need not come out even.
UNIT_PRICE_DIGITS = 2


class Kind(StrEnum):
    INVOICE = "INVOICE"
    CREDIT_NOTE = "CREDIT_NOTE"


class Issued(StrEnum):
    """When an order's first invoice is made.

    SUPPLY: when the first money was taken, or the first goods have left, whichever comes first.
    That is when the tax becomes due (Directive 2006/112/EC, articles 63 and 65).
    COMPLETION: when everything has left and is paid.
    """

    SUPPLY = "supply"
    COMPLETION = "completion"


@dataclass(frozen=True, slots=True)
class Key:
    """What an item is about: a line of the order (or SHIPPING) at one rate of tax. What is taxed
    by another rate after an edit is another thing, so the old one is credited as a whole."""

    part: str
    tax_rate: str


@dataclass(frozen=True, slots=True)
class Item:
    """gross_minor: with tax_minor. quantity: 0 for a difference in the price alone."""

    key: Key
    quantity: int
    gross_minor: int
    tax_minor: int

    @property
    def net_minor(self) -> int:
        return self.gross_minor - self.tax_minor


@dataclass(frozen=True, slots=True)
class Invoiced:
    """An invoice, and the items of all credit notes that refer to it."""

    invoice_id: UUID
    items: Sequence[Item]
    credited: Sequence[Item] = ()


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be documented now: the items of a further invoice, and those of one credit note
    per invoice. Either may be empty."""

    invoice: list[Item] = field(default_factory=list)
    credits: dict[UUID, list[Item]] = field(default_factory=dict)


def documents_due(charged: Iterable[Item], invoices: Sequence[Invoiced]) -> Due:
    """What makes the documents of an order say what it charges now.

    charged: one item per key. invoices: in the order they were made; what is credited is credited
    to the latest that still has it. What becomes dearer only because less of an earlier credit is
    due is a negative item of a credit note that is due anyway and comes to as much at least; there
    is no invoice for that. A credit's tax is its cumulative share of the tax of the
    invoice's item, so that the credits of an item come to its tax exactly when all of it is
    credited.
    """
    wanted = {item.key: item for item in charged}
    left = _left(invoices)
    due = Due()
    raised = []
    for key in [*wanted, *(key for key in left if key not in wanted)]:
        item = wanted.get(key) or Item(key, 0, 0, 0)
        told = left.get(key, [])
        gross = sum(one.gross_minor for _, one, _ in told)
        if item.gross_minor > gross or (key not in left and item.quantity):
            raised.append(
                Item(
                    key,
                    max(item.quantity - sum(one.quantity for _, one, _ in told), 0),
                    item.gross_minor - gross,
                    _within(
                        item.tax_minor - sum(one.tax_minor for _, one, _ in told),
                        item.gross_minor - gross,
                    ),
                )
            )
        elif item.gross_minor < gross:
            quantity = max(sum(one.quantity for _, one, _ in told) - item.quantity, 0)
            _credit(due, told, gross - item.gross_minor, quantity)
    for item in raised:
        rest = item if item.quantity else _take_back(due, left[item.key], item)
        if rest is not None:
            due.invoice.append(rest)
    if not any(item.gross_minor for item in due.invoice):
        due.invoice.clear()  # nothing but what is free: no invoice for that alone
    return due


def _take_back(due: Due, told: list[_Left], item: Item) -> Item | None:
    """Set what a dearer item was credited before against the credit notes that are due anyway.
    Returns what is left to be invoiced."""
    gross, tax = item.gross_minor, item.tax_minor
    for invoice_id, left, invoiced in reversed(told):
        items = due.credits.get(invoice_id, [])
        credited = invoiced.gross_minor - left.gross_minor
        taken = min(gross, credited, sum(one.gross_minor for one in items))
        if taken:
            change = _tax_share(invoiced, credited) - _tax_share(invoiced, credited - taken)
            items.append(Item(item.key, 0, -taken, -change))
            gross, tax = gross - taken, tax - change
    return Item(item.key, 0, gross, _within(tax, gross)) if gross else None


def _credit(due: Due, told: list[_Left], gross: int, quantity: int) -> None:
    for invoice_id, left, invoiced in reversed(told):
        taken = min(gross, left.gross_minor)
        if not taken:
            continue
        pieces = min(quantity, left.quantity)
        before = _tax_share(invoiced, invoiced.gross_minor - left.gross_minor)
        after = _tax_share(invoiced, invoiced.gross_minor - left.gross_minor + taken)
        due.credits.setdefault(invoice_id, []).append(
            Item(invoiced.key, pieces, taken, after - before)
        )
        gross, quantity = gross - taken, quantity - pieces


# Of one invoice: its id, what is left of an item after its credits, and the item.
_Left = tuple[UUID, Item, Item]


def _left(invoices: Sequence[Invoiced]) -> dict[Key, list[_Left]]:
    left: dict[Key, list[_Left]] = {}
    for invoice in invoices:
        credited: dict[Key, list[Item]] = {}
        for item in invoice.credited:
            credited.setdefault(item.key, []).append(item)
        for item in invoice.items:
            taken = credited.get(item.key, [])
            rest = Item(
                item.key,
                max(item.quantity - sum(one.quantity for one in taken), 0),
                item.gross_minor - sum(one.gross_minor for one in taken),
                item.tax_minor - sum(one.tax_minor for one in taken),
            )
            left.setdefault(item.key, []).append((invoice.invoice_id, rest, item))
    return left


def _tax_share(item: Item, gross_minor: int) -> int:
    if not item.gross_minor:
        return 0
    return rounded(Fraction(item.tax_minor * gross_minor, item.gross_minor))


def _within(tax_minor: int, gross_minor: int) -> int:
    return min(max(tax_minor, 0), gross_minor)


def less(items: Sequence[Item], gross_minor: int) -> list[Item]:
    """Take an amount that belongs to no line off what an order charges, in proportion, as for a
    refund out of goodwill: it lowers what is taxed at each rate (Directive 2006/112/EC, article
    90). No more is taken than there is."""
    total = sum(item.gross_minor for item in items)
    taken = min(gross_minor, total)
    if not taken:
        return list(items)
    parts = allocate(taken, [item.gross_minor for item in items])
    return [reduced(item, part) for item, part in zip(items, parts, strict=True)]


def less_as_credited(
    items: Sequence[Item], gross_minor: int, invoices: Sequence[Invoiced]
) -> list[Item]:
    """The same once there are documents: what was credited for an item stays credited as long as
    so much is taken off. Only what is new is taken off in proportion, and where all comes to more
    than the documents say, what became more, or dearer than was ever invoiced, is charged first."""
    if not invoices:
        return less(items, gross_minor)
    left = _left(invoices)
    grosses, kept, beyond = [], [], []
    for item in items:
        told = left.get(item.key, [])
        gross = sum(rest.gross_minor for _, rest, _ in told)
        quantity = sum(rest.quantity for _, rest, _ in told)
        # Of pieces that are gone their part of what is documented is gone, too.
        of_pieces = gross * item.quantity // quantity if item.quantity < quantity else gross
        grosses.append(min(item.gross_minor, of_pieces))
        kept.append(min(item.gross_minor, gross) - grosses[-1])
        most = gross
        if item.quantity <= quantity:
            most = sum(invoiced.gross_minor for _, _, invoiced in told)
        beyond.append(max(item.gross_minor - max(most, gross), 0))
    wanted = max(sum(item.gross_minor for item in items) - gross_minor, 0)
    grosses = _towards(wanted, grosses, kept)
    grosses = _towards(wanted, grosses, beyond)
    rooms = [item.gross_minor - gross for item, gross in zip(items, grosses, strict=True)]
    grosses = _towards(wanted, grosses, rooms)
    return [
        reduced(item, item.gross_minor - gross) for item, gross in zip(items, grosses, strict=True)
    ]


def _towards(total: int, grosses: list[int], rooms: list[int]) -> list[int]:
    """Bring amounts to a total: up as far as there is room, or down in proportion."""
    missing = total - sum(grosses)
    change = min(missing, sum(rooms))
    if not change:
        return grosses
    parts = allocate(abs(change), rooms if change > 0 else grosses)
    sign = 1 if change > 0 else -1
    return [gross + sign * part for gross, part in zip(grosses, parts, strict=True)]


def reduced(item: Item, gross_minor: int) -> Item:
    """An item that costs so much less, with its share of the tax; never less than nothing."""
    left = max(item.gross_minor - gross_minor, 0)
    return Item(item.key, item.quantity, left, _tax_share(item, left))


@dataclass(frozen=True, slots=True)
class TaxRow:
    rate: str
    net_minor: int
    tax_minor: int


def tax_summary(items: Iterable[Item]) -> list[TaxRow]:
    """What is taxed at each rate and the tax on it, the highest rate first. The rows' taxes are
    those of the items, which were rounded per line: they add up to the document's tax."""
    by_rate: dict[str, tuple[int, int]] = {}
    for item in items:
        net, tax = by_rate.get(item.key.tax_rate, (0, 0))
        by_rate[item.key.tax_rate] = (net + item.net_minor, tax + item.tax_minor)
    rows = [TaxRow(rate, net, tax) for rate, (net, tax) in by_rate.items()]
    return sorted(rows, key=lambda row: (-Fraction(row.rate or "0"), row.rate))


def is_invoiceable(
    *, when: Issued, status: str, has_left: bool, captured_minor: int, charges: bool
) -> bool:
    """Whether an order without an invoice gets its first one now."""
    if not charges or status not in ("CONFIRMED", "COMPLETED"):
        return False
    if when is Issued.COMPLETION:
        return status == "COMPLETED"
    return status == "COMPLETED" or has_left or captured_minor > 0


def series_of(prefix: str, issue_date: date) -> str:
    """Numbers count from 1 in each series and year: the series is `INV-2026`."""
    return f"{prefix}-{issue_date.year}"


def document_number(series: str, sequence: int) -> str:
    return f"{series}-{sequence:06d}"


def issue_date(now: datetime, *, time_zone: str) -> date:
    """The day it is where the seller keeps the books."""
    return now.astimezone(ZoneInfo(time_zone)).date()


def amount_text(amount_minor: int, currency: str) -> str:
    """`1,234.50`: thousands apart, and the currency's decimals."""
    whole, point, decimals = Money(abs(amount_minor), currency).amount_text.partition(".")
    sign = "-" if amount_minor < 0 else ""
    return f"{sign}{int(whole):,}{point}{decimals}"


def unit_net_text(net_minor: int, quantity: int, currency: str) -> str:
    """The price of one piece without tax (article 226 point 8), with two more decimals than the
    currency where it does not come out even."""
    digits = minor_digits(currency)
    exact = Fraction(net_minor, quantity)
    if exact.denominator == 1:
        return amount_text(int(exact), currency)
    more = rounded(exact * 10**UNIT_PRICE_DIGITS)
    whole, decimals = divmod(more, 10 ** (digits + UNIT_PRICE_DIGITS))
    return f"{whole:,}.{decimals:0{digits + UNIT_PRICE_DIGITS}d}"


def rate_text(rate: str) -> str:
    """`20 %` of `20`, `20.0` or `20.00`."""
    text = rate or "0"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def address_lines(address: Mapping[str, str]) -> list[str]:
    """A postal address as it is written on a letter, without the phone number."""
    place = " ".join(filter(None, (address.get("postcode"), address.get("city"))))
    lines = [
        address.get("company"),
        address.get("name"),
        address.get("line1"),
        address.get("line2"),
        place,
        address.get("region"),
        address.get("country"),
    ]
    return [line for line in lines if line]


def invoice_lines(address: Mapping[str, str]) -> list[str]:
    """The same of whom an invoice is made out to: with the VAT id, where there is one."""
    vat_id = address.get("vat_id")
    return [*address_lines(address), *([vat_id] if vat_id else [])]
