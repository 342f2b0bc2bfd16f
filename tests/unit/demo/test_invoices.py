from __future__ import annotations

from demo.invoices import INVOICES, Invoice, Played, invoices_of, repeated
from demo.online_retail import Kind, classified, read
from demo.replay.orders import order_of
from tests.unit.demo.test_online_retail import row


def invoice(number: str = "536365", country: str = "United Kingdom", **lines: int) -> Invoice:
    return Invoice(number=number, customer="17850", country=country, lines=lines)


def test_the_lines_of_a_sku_become_one_with_their_sum() -> None:
    played = Played()

    found = invoices_of(
        classified(
            [
                row(Quantity="6"),
                row(Quantity="2"),
                row(StockCode="85123a", Quantity="1"),
                row(StockCode="71053", Quantity="4"),
                row(StockCode="POST"),
            ]
        ),
        played,
    )

    assert found == [
        Invoice(
            number="536365",
            customer="17850",
            country="United Kingdom",
            lines={"85123A": 9, "71053": 4},
        )
    ]
    assert played.merged == 2
    assert played.lines == {Kind.SALE: 4, Kind.NOT_GOODS: 1}


def test_invoices_without_anything_sold_are_counted_and_not_played() -> None:
    played = Played()

    found = invoices_of(
        classified(
            [
                row(InvoiceNo="1", UnitPrice="0"),
                row(InvoiceNo="C2", Quantity="-1"),
                row(InvoiceNo="3"),
            ]
        ),
        played,
    )

    assert [each.number for each in found] == ["3"]
    assert played.empty == 1


def test_an_invoice_that_is_torn_apart_is_one() -> None:
    rows = [row(InvoiceNo="1"), row(InvoiceNo="2"), row(InvoiceNo="1", StockCode="71053")]

    found = invoices_of(classified(rows))

    assert [(each.number, len(each.lines)) for each in found] == [("1", 2), ("2", 1)]


def test_invoices_come_again_under_other_names_where_they_do_not_suffice() -> None:
    first, second = invoice("1"), invoice("2")

    assert [name for name, _ in repeated([first, second], orders=5)] == [
        "1",
        "2",
        "1-2",
        "2-2",
        "1-3",
    ]
    assert list(repeated([], orders=5)) == []


def test_the_extract_has_every_kind_of_dirt_and_the_longest_invoice() -> None:
    played = Played()

    found = invoices_of(classified(read(INVOICES)), played)

    assert set(played.lines) == set(Kind)
    assert len(found) == 2493
    longest = max(found, key=lambda each: len(each.lines))
    assert (longest.number, len(longest.lines)) == ("573585", 1106)


class TestTheOrder:
    def test_it_has_the_lines_and_the_country(self) -> None:
        order = order_of(invoice(country="EIRE", A=2, B=1))

        assert order["lines"] == [{"sku": "A", "quantity": 2}, {"sku": "B", "quantity": 1}]
        assert order["shipping_address"] == {
            "name": "Customer 17850",
            "line1": "1 High Street",
            "city": "EIRE",
            "postcode": "",
            "country": "IE",
        }

    def test_abroad_it_is_paid_on_account(self) -> None:
        assert order_of(invoice(country="Germany"))["payment"] == {"method": "invoice", "token": ""}

    def test_one_card_in_a_hundred_is_declined(self) -> None:
        assert order_of(invoice("536365"))["payment"]["token"] == "tok_visa"
        assert order_of(invoice("536400"))["payment"]["token"] == "tok_declined"

    def test_a_country_that_is_none_counts_as_at_home(self) -> None:
        assert invoice(country="Unspecified").country_code == "GB"
