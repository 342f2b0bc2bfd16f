"""Once an order is invoiced, its documents follow what is cancelled and given back."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import pytest
from django.db import DatabaseError

from domains.orders.models import Document, Order
from domains.orders.models.commands.refunding import RefundWish
from domains.orders.services import cancelling, fulfilling, refunding
from domains.orders.services.invoice_content import content_of
from domains.orders.services.invoicing import charges_of, issue_due
from domains.products.public import NewPrice, set_prices
from infrastructure.database.contexts import atomic
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.support.after_placement import STAFF, assert_books_agree, reread, send_units, units
from tests.support.factories import orders, pricing
from tests.support.factories import products as goods

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(now: datetime) -> Order:
    """Two of A and one of B at 10.00 each; one of A was sent, all is invoiced."""
    goods.stocked({"A": 9, "B": 9}, now=now)
    order = orders.placed({"A": 2, "B": 1}, now=now)
    send_units(order, {"A": 1}, now)
    (invoice,) = issue_due(order_id=order.id, now=now)
    assert invoice.gross_minor == 3000
    return reread(order)


def refund(order: Order, now: datetime, **wish: object) -> None:
    refunding.refund(
        order_id=order.id,
        wish=RefundWish(**wish),  # type: ignore[arg-type]
        reason="goodwill",
        by=STAFF,
        key=orders.key(),
        now=now,
    )


def documented(order_id: UUID) -> int:
    rows = Document.objects.filter(order_id=order_id)
    return sum(-d.gross_minor if d.is_credit_note else d.gross_minor for d in rows)


def charged(order: Order) -> int:
    return sum(item.gross_minor for item in charges_of(reread(order))[0])


def test_a_cancelled_line_is_credited(order: Order, now: datetime) -> None:
    cancelling.cancel(
        order_id=order.id,
        lines=units(order, {"B": 1}),
        reason="out_of_stock",
        by=STAFF,
        key=orders.key(),
        now=now,
    )
    (note,) = issue_due(order_id=order.id, now=now)
    invoice = Document.objects.get(kind="INVOICE")
    assert (note.kind, note.number) == ("CREDIT_NOTE", "CN-2026-000001")
    assert (note.invoice_id, note.invoice_number) == (invoice.id, invoice.number)
    assert [(line.sku, line.quantity, line.gross_minor) for line in note.lines] == [("B", 1, 1000)]
    assert documented(order.id) == reread(order).total_minor == 2000


def test_what_is_given_back_for_a_line_is_credited(order: Order, now: datetime) -> None:
    refund(order, now, units=units(order, {"A": 1}))
    (note,) = issue_due(order_id=order.id, now=now)
    assert [(line.sku, line.gross_minor) for line in note.lines] == [("A", 1000)]
    assert documented(order.id) == charged(order) == 2000


def test_a_courtesy_lowers_every_line(order: Order, now: datetime) -> None:
    refund(order, now, amount_minor=301)
    (note,) = issue_due(order_id=order.id, now=now)
    assert sorted(line.gross_minor for line in note.lines) == [100, 201]
    assert [line.quantity for line in note.lines] == [0, 0]
    assert documented(order.id) == charged(order) == 2699


def test_each_refund_is_credited_once_in_the_order_they_came(order: Order, now: datetime) -> None:
    for amount in (100, 250):
        refund(order, now, amount_minor=amount)
        (note,) = issue_due(order_id=order.id, now=now)
        assert note.gross_minor == amount
        assert issue_due(order_id=order.id, now=now) == []
    numbers = Document.objects.filter(kind="CREDIT_NOTE").order_by("sequence")
    assert [note.number for note in numbers] == ["CN-2026-000001", "CN-2026-000002"]


def test_what_a_courtesy_lowered_before_is_set_right_by_the_credit_note_of_a_cancellation(
    now: datetime,
) -> None:
    goods.stocked({"A": 9, "B": 9}, now=now)
    order = orders.placed({"A": 2, "B": 8}, now=now)
    fulfilling.capture(order_id=order.id, by=STAFF, key=orders.key(), now=now)
    issue_due(order_id=order.id, now=now)
    refund(order, now, amount_minor=186)
    issue_due(order_id=order.id, now=now)
    cancelling.cancel(
        order_id=order.id,
        lines=units(order, {"B": 3}),
        reason="changed_mind",
        refund=True,
        by=STAFF,
        key=orders.key(),
        now=now,
    )

    (note,) = issue_due(order_id=order.id, now=now)

    assert (note.kind, note.gross_minor) == ("CREDIT_NOTE", 3000 - 186)
    lines = [(line.sku, line.quantity, line.gross_minor) for line in note.lines]
    assert lines == [("B", 3, 3000 - 149), ("A", 0, -37)]
    assert documented(order.id) == charged(order) == reread(order).total_minor == 7000
    assert [row.figures[-1] for row in content_of(note).rows] == ["28.51", "-0.37"]
    assert issue_due(order_id=order.id, now=now) == []
    assert_books_agree(now)


def test_a_cancelled_order_is_credited_whole(now: datetime) -> None:
    goods.stocked({"A": 9}, now=now)
    order = orders.placed({"A": 2}, now=now)
    fulfilling.capture(order_id=order.id, by=STAFF, key=orders.key(), now=now)
    issue_due(order_id=order.id, now=now)
    cancelling.cancel(
        order_id=order.id, reason="fraud", refund=True, by=STAFF, key=orders.key(), now=now
    )
    (note,) = issue_due(order_id=order.id, now=now)
    assert (note.gross_minor, documented(order.id)) == (2000, 0)
    assert reread(order).status == "CANCELLED"


def test_the_database_takes_no_credit_beyond_the_invoice(order: Order, now: datetime) -> None:
    invoice = Document.objects.get(kind="INVOICE")
    copied = [f.column for f in Document._meta.concrete_fields]
    changed = {
        "id": f"'{new_id()}'",
        "kind": "'CREDIT_NOTE'",
        "series": "'CN-2026'",
        "number": "'CN-2026-000009'",
        "invoice_id": "id",
        "gross_minor": "gross_minor + 1",
        "net_minor": "net_minor + 1",
    }
    columns = ", ".join(f'"{name}"' for name in copied)
    values = ", ".join(changed.get(name, f'"{name}"') for name in copied)
    sql = (
        f"INSERT INTO orders_document ({columns}) SELECT {values} FROM orders_document RETURNING 1"
    )
    with pytest.raises(DatabaseError, match="does not fit invoice"), atomic("orders"):
        Document.objects.command(sql, [])
    assert list(Document.objects.all()) == [invoice]


def test_documents_say_what_was_charged_where_half_a_minor_unit_is_in_question(
    now: datetime,
) -> None:
    """Two at 2.55 less ten per cent: 4.59 for both, 2.29 for one, and not 2.30."""
    goods.stocked({"A": 9}, now=now)
    set_prices(prices=[NewPrice(sku="A", money=Money(255, "GBP"))], actor_id=None, now=now)
    pricing.promotion(now=now)
    order = orders.placed({"A": 2}, now=now)
    cancelling.cancel(
        order_id=order.id,
        lines=units(order, {"A": 1}),
        reason="out_of_stock",
        by=STAFF,
        key=orders.key(),
        now=now,
    )
    send_units(order, {"A": 1}, now)
    issue_due(order_id=order.id, now=now)
    left = reread(order)
    assert (order.total_minor, left.total_minor) == (459, 229)
    assert documented(order.id) == charged(left) == left.total_minor

    refund(left, now, units=units(left, {"A": 1}))
    issue_due(order_id=order.id, now=now)
    assert documented(order.id) == charged(left) == 0
