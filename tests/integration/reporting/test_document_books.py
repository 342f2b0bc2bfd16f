"""Invoices and credit notes compared with orders, with differences made by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domains.orders.models import Document, Order
from domains.orders.models.commands.refunding import RefundWish
from domains.orders.services import cancelling, fulfilling, invoicing, refunding
from domains.reporting.queries.documents import compare_documents
from infrastructure.database.contexts import connection_of
from tests.support.after_placement import STAFF, reread, units
from tests.support.factories import orders
from tests.support.factories import products as goods

pytestmark = pytest.mark.django_db

_GUARDED = ("orders_document", "orders_documentline")


def damage(statement: str, *params: Any, rows: int = 1) -> None:
    """As nobody can whom the database watches."""
    with connection_of("orders").cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in _GUARDED:
            cursor.execute(f"ALTER TABLE orders.{table} DISABLE TRIGGER USER")
        cursor.execute(
            "ALTER TABLE orders.orders_document DROP CONSTRAINT IF EXISTS documents_one_number"
        )
        cursor.execute(statement, params)
        assert cursor.rowcount == rows


def differences(now: datetime) -> dict[str, list[str]]:
    """Check -> what differs, an hour later."""
    return {
        check.name: [f"{found.subject}: {found.detail}" for found in check.differences]
        for check in compare_documents(due=now + timedelta(hours=1))
        if check.differences
    }


def sent(now: datetime) -> UUID:
    """An order of 30.00 that was sent and paid."""
    order = orders.placed({"A": 2, "B": 1}, now=now)
    fulfilling.fulfil(
        order_id=order.id, lines=None, warehouse="main", by=STAFF, key=orders.key(), now=now
    )
    return order.id


@pytest.fixture
def invoices(now: datetime) -> list[Document]:
    """Of four orders."""
    goods.stocked({"A": 99, "B": 99}, now=now)
    ids = [sent(now) for _ in range(4)]
    return [document for one in ids for document in invoicing.issue_due(order_id=one, now=now)]


def test_documents_of_all_kinds_of_orders_agree(invoices: list[Document], now: datetime) -> None:
    def refund(order_id: UUID, wish: RefundWish) -> None:
        refunding.refund(order_id=order_id, wish=wish, reason="late", by=STAFF, key=None, now=now)

    one, two, three, _ = (reread(document.order) for document in invoices)
    refund(one.id, RefundWish(amount_minor=333))
    refund(two.id, RefundWish(units=units(two, {"A": 1})))
    refund(three.id, RefundWish())
    paid = orders.placed({"A": 3}, now=now)
    fulfilling.capture(order_id=paid.id, by=STAFF, key=None, now=now)
    cancelling.cancel(
        order_id=paid.id,
        lines=units(paid, {"A": 1}),
        refund=True,
        reason="",
        by=STAFF,
        key=None,
        now=now,
    )
    orders.placed({"A": 1}, now=now)
    orders.placed({"A": 1}, now=now, payment=orders.DECLINED)
    for order in Order.objects.all():
        invoicing.issue_due(order_id=order.id, now=now)

    assert differences(now) == {}
    assert Document.objects.filter(kind="CREDIT_NOTE").count() == 3
    # Five invoices, three credit notes, two counters; and the orders that stand.
    assert [check.rows for check in compare_documents(due=now)] == [10, 6]


def test_a_missing_number_is_a_difference(invoices: list[Document], now: datetime) -> None:
    damage("UPDATE orders.orders_document SET sequence = 6 WHERE id = %s", invoices[3].id)
    damage("UPDATE orders.orders_documentseries SET last_number = 6")

    assert differences(now) == {"document numbers": ["series INV-2026 after 3: 4 to 5 are missing"]}


def test_numbers_that_are_missing_at_the_ends_are_differences(
    invoices: list[Document], now: datetime
) -> None:
    damage("UPDATE orders.orders_document SET sequence = 9 WHERE id = %s", invoices[0].id)

    assert differences(now) == {
        "document numbers": [
            "series INV-2026 after 0: 1 is missing",
            "series INV-2026 after 4: 5 to 8 are missing",
            "series INV-2026 after 9: the last number is 9, the counter goes on with 5",
        ]
    }


def test_a_number_that_was_used_twice_is_a_difference(
    invoices: list[Document], now: datetime
) -> None:
    damage("UPDATE orders.orders_document SET sequence = 3 WHERE id = %s", invoices[1].id)

    assert differences(now) == {
        "document numbers": [
            "series INV-2026 after 1: 2 is missing",
            "series INV-2026 after 3: 3 was used twice",
        ]
    }


def test_a_series_without_a_counter_is_a_difference(
    invoices: list[Document], now: datetime
) -> None:
    damage("DELETE FROM orders.orders_documentseries")

    assert differences(now) == {
        "document numbers": [
            "series INV-2026 after 4: the last number is 4, the counter goes on with 1"
        ]
    }


def test_an_order_that_charges_something_else_is_a_difference(
    invoices: list[Document], now: datetime
) -> None:
    order = invoices[0].order
    damage("UPDATE orders.orders_order SET total_minor = 3100 WHERE id = %s", order.id)

    assert differences(now) == {
        "documents": [
            f"order {order.number} {order.id}: 3100 GBP (minor units) charged and kept,"
            " 3000 documented"
        ]
    }


def test_a_document_that_is_gone_is_a_difference(invoices: list[Document], now: datetime) -> None:
    last = invoices[3]
    damage("DELETE FROM orders.orders_documentline WHERE document_id = %s", last.id, rows=2)
    damage("DELETE FROM orders.orders_document WHERE id = %s", last.id)

    assert differences(now) == {
        "document numbers": [
            "series INV-2026 after 3: the last number is 3, the counter goes on with 5"
        ],
        "documents": [
            f"order {last.order_number} {last.order_id}: 3000 GBP (minor units) charged and kept,"
            " and no invoice"
        ],
    }


def test_a_document_that_does_not_add_up_is_a_difference(
    invoices: list[Document], now: datetime
) -> None:
    first = invoices[0]
    damage("DELETE FROM orders.orders_documentline WHERE document_id = %s AND sku = 'B'", first.id)

    assert differences(now) == {
        "documents": [
            f"document {first.number}: says 3000 with 0 tax (minor units), its lines 2000 with 0"
        ]
    }


def test_what_was_done_a_moment_ago_is_in_flight(invoices: list[Document], now: datetime) -> None:
    sent(now)

    _, sums = compare_documents(due=now - timedelta(seconds=1))

    assert (sums.in_flight, sums.differences) == (1, [])
    assert list(differences(now)) == ["documents"]
