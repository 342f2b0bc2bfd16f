"""What is documented of an order follows what it charges, to the minor unit."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.orders.rules import invoices
from domains.orders.rules.invoices import (
    Invoiced,
    Issued,
    Item,
    Key,
    documents_due,
    less,
    less_as_credited,
    reduced,
    tax_summary,
)

RATES = ["20", "5", "0"]
parts = st.sampled_from(["a", "b", "c", invoices.SHIPPING])


@st.composite
def charges(draw: st.DrawFn) -> list[Item]:
    """What an order charges at some moment: at most one item for each of its parts."""
    items = []
    for part in draw(st.lists(parts, unique=True)):
        gross = draw(st.integers(0, 50_000))
        tax = draw(st.integers(0, gross // 5))
        key = Key(part, draw(st.sampled_from(RATES)))
        items.append(Item(key, draw(st.integers(1, 9)), gross, tax))
    return items


class Books:
    """The documents of one order, made one after the other."""

    def __init__(self) -> None:
        self.invoices: list[Invoiced] = []

    def follow(self, charged: list[Item]) -> invoices.Due:
        due = documents_due(charged, self.invoices)
        self.invoices = [
            Invoiced(
                one.invoice_id, one.items, [*one.credited, *due.credits.get(one.invoice_id, [])]
            )
            for one in self.invoices
        ]
        if due.invoice:
            self.invoices.append(Invoiced(UUID(int=len(self.invoices) + 1), due.invoice))
        return due

    @property
    def gross(self) -> int:
        return sum(
            sum(i.gross_minor for i in one.items) - sum(i.gross_minor for i in one.credited)
            for one in self.invoices
        )


@given(st.lists(charges(), min_size=1, max_size=6))
def test_invoices_less_credit_notes_come_to_what_the_order_charges(
    history: list[list[Item]],
) -> None:
    books = Books()
    for charged in history:
        books.follow(charged)
        assert books.gross == sum(item.gross_minor for item in charged)
        again = documents_due(charged, books.invoices)
        assert (again.invoice, again.credits) == ([], {})


@given(st.lists(charges(), min_size=1, max_size=6))
def test_no_invoice_is_ever_credited_by_more_than_it_says(history: list[list[Item]]) -> None:
    books = Books()
    for charged in history:
        books.follow(charged)
        for one in books.invoices:
            for item in one.items:
                credited = [c for c in one.credited if c.key == item.key]
                assert sum(c.gross_minor for c in credited) <= item.gross_minor
                assert 0 <= sum(c.tax_minor for c in credited) <= item.tax_minor
                assert sum(c.quantity for c in credited) <= item.quantity


@given(charges(), st.lists(st.integers(0, 60_000), max_size=5))
def test_what_is_given_back_in_whatever_pieces_ends_at_no_tax(
    charged: list[Item], refunds: list[int]
) -> None:
    books = Books()
    books.follow(charged)
    refunded, total = 0, sum(item.gross_minor for item in charged)
    for amount in refunds:
        refunded = min(refunded + amount, total)
        books.follow(less(charged, refunded))
        assert books.gross == total - refunded
    books.follow([])
    for one in books.invoices:
        for item in one.items:
            credited = [c for c in one.credited if c.key == item.key]
            assert sum(c.tax_minor for c in credited) == (item.tax_minor if item.gross_minor else 0)


class Standing:
    """An order of three lines at different rates, and its documents. All was paid."""

    def __init__(self, quantities: list[int], prices: list[int]) -> None:
        self.quantities, self.prices = quantities, prices
        self.at_large = 0
        self.books = Books()
        self.follow()

    @property
    def items(self) -> list[Item]:
        return [
            Item(
                Key(name, rate),
                count,
                count * price,
                invoices.rounded(Fraction(count * price * int(rate), 100 + int(rate))),
            )
            for name, rate, count, price in zip(
                "abc", RATES, self.quantities, self.prices, strict=True
            )
        ]

    @property
    def charged(self) -> int:
        return sum(item.gross_minor for item in self.items) - self.at_large

    def follow(self) -> invoices.Due:
        wanted = less_as_credited(self.items, self.at_large, self.books.invoices)
        due = self.books.follow(wanted)
        for item in wanted:
            assert self.documented(item.key) == item.gross_minor
        assert self.books.gross == self.charged
        again = less_as_credited(self.items, self.at_large, self.books.invoices)
        assert again == wanted
        return due

    def documented(self, key: Key) -> int:
        return sum(
            sum(i.gross_minor for i in one.items if i.key == key)
            - sum(i.gross_minor for i in one.credited if i.key == key)
            for one in self.books.invoices
        )


deeds = st.tuples(
    st.sampled_from(["refund", "cancel", "edit"]),
    st.integers(0, 2),
    st.integers(1, 5),
    st.integers(0, 100),
)


@given(
    st.lists(st.integers(1, 9), min_size=3, max_size=3),
    st.lists(st.integers(1, 5_000), min_size=3, max_size=3),
    st.lists(deeds, max_size=8),
)
def test_no_document_is_without_a_reason(
    quantities: list[int], prices: list[int], done: list[tuple[str, int, int, int]]
) -> None:
    order = Standing(quantities, prices)
    for deed, line, count, percent in done:
        before, had = order.charged, len(order.books.invoices)
        if deed == "refund":
            order.at_large += before * percent // 100
        elif deed == "cancel":
            gone = min(count, order.quantities[line])
            order.quantities[line] -= gone
            # What was given back already counts for what is gone, up to all of it.
            set_off = min(order.at_large, gone * order.prices[line] * percent // 100)
            order.at_large -= max(set_off, -(order.charged))
        else:
            order.quantities[line] += count
        due = order.follow()

        credited = sum(item.gross_minor for items in due.credits.values() for item in items)
        if deed == "edit":
            assert due.credits == {}
            assert sum(item.gross_minor for item in due.invoice) == order.charged - before
        elif had == 1 and len(order.books.invoices) == 1:
            assert due.invoice == []
            assert credited == before - order.charged
        assert all(sum(item.gross_minor for item in items) >= 0 for items in due.credits.values())


def test_what_a_cancellation_shifts_between_the_rates_is_told_by_its_credit_note() -> None:
    books, others = Key("books", "0"), Key("others", "20")

    def charge(count: int) -> list[Item]:
        gross = count * 1999
        return [
            Item(books, 2, 1554, 0),
            Item(others, count, gross, invoices.rounded(Fraction(gross, 6))),
        ]

    documents = Books()
    documents.follow(charge(8))
    at_large = less_as_credited(charge(8), 186, documents.invoices)
    refunded = documents.follow(at_large)
    assert refunded.credits == {UUID(int=1): [Item(books, 0, 16, 0), Item(others, 0, 170, 28)]}

    # The 1.86 count for what is gone, so nothing is left of it for what stays.
    cancelled = documents.follow(less_as_credited(charge(5), 0, documents.invoices))

    assert cancelled.invoice == []
    assert cancelled.credits == {UUID(int=1): [Item(others, 3, 5827, 971), Item(books, 0, -16, 0)]}
    assert documents.gross == 1554 + 5 * 1999


@given(charges())
def test_the_rows_of_the_tax_summary_add_up_to_the_tax_of_the_order(charged: list[Item]) -> None:
    rows = tax_summary(charged)
    assert sum(row.tax_minor for row in rows) == sum(item.tax_minor for item in charged)
    assert sum(row.net_minor for row in rows) == sum(item.net_minor for item in charged)
    assert len({row.rate for row in rows}) == len(rows)


@given(charges(), st.integers(0, 300_000))
def test_an_amount_of_no_line_is_taken_off_all_of_them(charged: list[Item], amount: int) -> None:
    total = sum(item.gross_minor for item in charged)
    after = less(charged, amount)
    assert sum(item.gross_minor for item in after) == max(total - amount, 0)
    assert all(0 <= item.tax_minor <= item.gross_minor for item in after)


def test_what_is_taxed_otherwise_after_an_edit_is_credited_whole_and_invoiced_anew() -> None:
    books = Books()
    books.follow([Item(Key("a", "20"), 1, 1200, 200)])
    due = books.follow([Item(Key("a", "0"), 1, 1000, 0)])
    assert due.invoice == [Item(Key("a", "0"), 1, 1000, 0)]
    assert due.credits == {UUID(int=1): [Item(Key("a", "20"), 1, 1200, 200)]}


def test_the_latest_invoice_is_credited_first() -> None:
    books = Books()
    key = Key("a", "20")
    books.follow([Item(key, 1, 1200, 200)])
    books.follow([Item(key, 3, 3600, 600)])
    due = books.follow([Item(key, 0, 600, 100)])
    assert due.credits == {
        UUID(int=2): [Item(key, 2, 2400, 400)],
        UUID(int=1): [Item(key, 1, 600, 100)],
    }


def test_a_lower_price_alone_credits_no_pieces() -> None:
    books = Books()
    item = Item(Key("a", "20"), 2, 2400, 400)
    books.follow([item])
    due = books.follow([reduced(item, 300)])
    assert due.credits == {UUID(int=1): [Item(item.key, 0, 300, 50)]}


def test_free_goods_are_on_the_invoice_but_make_none() -> None:
    free = Item(Key("gift", "20"), 1, 0, 0)
    assert documents_due([free], []).invoice == []
    paid = Item(Key("a", "20"), 1, 1200, 200)
    assert documents_due([free, paid], []).invoice == [free, paid]


@pytest.mark.parametrize(
    ("when", "status", "has_left", "captured", "expected"),
    [
        (Issued.SUPPLY, "CONFIRMED", False, 0, False),
        (Issued.SUPPLY, "CONFIRMED", False, 1, True),
        (Issued.SUPPLY, "CONFIRMED", True, 0, True),
        (Issued.SUPPLY, "COMPLETED", False, 0, True),
        (Issued.SUPPLY, "PENDING", False, 1, False),
        (Issued.SUPPLY, "CANCELLED", True, 1, False),
        (Issued.COMPLETION, "CONFIRMED", True, 1, False),
        (Issued.COMPLETION, "COMPLETED", True, 1, True),
    ],
)
def test_when_the_first_invoice_is_made(
    when: Issued, status: str, has_left: bool, captured: int, expected: bool
) -> None:
    made = invoices.is_invoiceable(
        when=when, status=status, has_left=has_left, captured_minor=captured, charges=True
    )
    assert made is expected


def test_an_order_that_charges_nothing_gets_no_invoice() -> None:
    assert not invoices.is_invoiceable(
        when=Issued.SUPPLY, status="COMPLETED", has_left=True, captured_minor=0, charges=False
    )


def test_numbers_count_in_a_series_of_their_year_where_the_books_are() -> None:
    late = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert invoices.issue_date(late, time_zone="UTC") == date(2026, 12, 31)
    assert invoices.issue_date(late, time_zone="Europe/Berlin") == date(2027, 1, 1)
    series = invoices.series_of("INV", date(2027, 1, 1))
    assert invoices.document_number(series, 42) == "INV-2027-000042"


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (123456789, "GBP", "1,234,567.89"),
        (5, "GBP", "0.05"),
        (-123456, "EUR", "-1,234.56"),
        (12345, "JPY", "12,345"),
        (1234567, "KWD", "1,234.567"),
    ],
)
def test_amounts_are_written_with_the_decimals_of_their_currency(
    minor: int, currency: str, text: str
) -> None:
    assert invoices.amount_text(minor, currency) == text


@pytest.mark.parametrize(
    ("net", "quantity", "text"),
    [(1000, 2, "5.00"), (1000, 3, "3.3333"), (200, 3, "0.6667"), (100000001, 2, "500,000.0050")],
)
def test_a_price_of_one_piece_has_more_decimals_where_it_does_not_come_out_even(
    net: int, quantity: int, text: str
) -> None:
    assert invoices.unit_net_text(net, quantity, "GBP") == text


@pytest.mark.parametrize(
    ("rate", "text"), [("20", "20 %"), ("20.00", "20 %"), ("5.5", "5.5 %"), ("", "0 %")]
)
def test_rates_are_written_without_idle_zeros(rate: str, text: str) -> None:
    assert invoices.rate_text(rate) == text


def test_an_address_is_written_as_on_a_letter() -> None:
    address = {
        "name": "Ann Smith",
        "line1": "1 Mill Lane",
        "line2": "",
        "city": "Leeds",
        "region": "",
        "postcode": "LS1 1AA",
        "country": "GB",
        "phone": "0113",
    }
    assert invoices.address_lines(address) == ["Ann Smith", "1 Mill Lane", "LS1 1AA Leeds", "GB"]
