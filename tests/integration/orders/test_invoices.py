"""Invoices and credit notes: numbered without gaps, never changed, in step with the order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from django.conf import settings
from django.db import DatabaseError
from django.test import override_settings

from domains.orders.errors import OrderNotFound
from domains.orders.events import OrderStatusUpdated
from domains.orders.handlers import issue_invoices_and_credit_notes
from domains.orders.models import Document, DocumentSeries, Order
from domains.orders.services.invoicing import issue_due
from domains.payments import public as payments
from domains.payments.events import PaymentProcessed
from infrastructure.database.contexts import atomic
from infrastructure.database.threads import in_threads
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.support.after_placement import reread
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.messaging import process_environment
from tests.support.order_steps import edit, more

pytestmark = pytest.mark.django_db

races = pytest.mark.django_db(transaction=True)


@pytest.fixture
def order(now: datetime) -> Order:
    goods.stocked({"A": 90, "B": 90}, now=now)
    return orders.placed({"A": 2, "B": 1}, now=now)


def captured(order: Order, *, now: datetime, minor: int | None = None) -> Order:
    payments.capture(
        payment_id=order.payment_id,
        key=new_id(),
        amount=Money(minor or order.total_minor, order.currency),
        now=now,
    )
    return order


def numbers(series: str) -> list[int]:
    rows = Document.objects.filter(series=series).order_by("sequence")
    return list(rows.values_list("sequence", flat=True))


# When


def test_nothing_is_invoiced_before_anything_was_taken_or_sent(order: Order, now: datetime) -> None:
    assert issue_due(order_id=order.id, now=now) == []
    assert not Document.objects.exists()
    assert not DocumentSeries.objects.exists()


def test_the_first_money_makes_the_invoice_of_the_whole_order(order: Order, now: datetime) -> None:
    captured(order, now=now, minor=100)
    (invoice,) = issue_due(order_id=order.id, now=now)
    stored = Document.objects.whole(invoice.id)
    assert (stored.kind, stored.number) == ("INVOICE", "INV-2026-000001")
    assert stored.gross_minor == order.total_minor
    assert stored.tax_minor == order.tax_minor
    assert sum(row["tax_minor"] for row in stored.taxes) == order.tax_minor
    assert [(line.sku, line.quantity) for line in stored.lines][:2] == [("A", 2), ("B", 1)]
    assert stored.buyer["name"] == "Ann Smith"
    assert stored.seller["name"] == "Kontor Demo Shop"
    assert stored.issue_date == stored.supply_date == stored.order_date == date(2026, 3, 2)
    assert (stored.delivery, stored.invoice_id) == (None, None)


def test_a_credit_note_is_made_out_to_whom_its_invoice_was(order: Order, now: datetime) -> None:
    captured(order, now=now)
    issue_due(order_id=order.id, now=now)
    elsewhere = orders.ADDRESS | {"name": "Bob Jones"}
    edit(order, now, shipping_address=elsewhere, lines=[more(order, "A", 1)])
    (credit,) = issue_due(order_id=order.id, now=now)
    assert (credit.kind, credit.buyer["name"]) == ("CREDIT_NOTE", "Ann Smith")
    assert credit.delivery == reread(order).shipping_address


def test_asking_again_makes_nothing(order: Order, now: datetime) -> None:
    captured(order, now=now)
    assert len(issue_due(order_id=order.id, now=now)) == 1
    assert issue_due(order_id=order.id, now=now) == []
    assert numbers("INV-2026") == [1]


@override_settings(INVOICE_WHEN="completion")
def test_a_shop_may_wait_until_the_order_is_complete(order: Order, now: datetime) -> None:
    captured(order, now=now)
    assert issue_due(order_id=order.id, now=now) == []


def test_an_order_that_is_not_there_is_refused(now: datetime) -> None:
    with pytest.raises(OrderNotFound):
        issue_due(order_id=new_id(), now=now)


def test_events_make_the_documents_and_repeated_ones_make_no_more(
    order: Order, now: datetime
) -> None:
    captured(order, now=now)
    paid = PaymentProcessed(
        payment_id=order.payment_id,
        reference=order.number,
        method="card",
        operation_id=new_id(),
        amount_minor=order.total_minor,
        captured_minor=order.total_minor,
        currency="GBP",
        occurred_at=now,
    )
    other = OrderStatusUpdated(
        order_id=order.id,
        number=order.number,
        customer_id=order.customer_id,
        previous_status="PENDING",
        status="CONFIRMED",
        reason="",
        currency="GBP",
        total_minor=order.total_minor,
        occurred_at=now,
    )
    issue_invoices_and_credit_notes([other])
    assert not Document.objects.exists()
    issue_invoices_and_credit_notes([paid, other])
    issue_invoices_and_credit_notes([paid])
    assert Document.objects.filter(order_id=order.id).count() == 1


# Numbers


@races
def test_fifty_threads_get_fifty_numbers_without_a_gap_though_some_roll_back(
    now: datetime,
) -> None:
    goods.stocked({"A": 90}, now=now)
    placed = [captured(orders.placed({"A": 1}, now=now), now=now) for _ in range(50)]
    failing = {order.id for order in placed[::5]}
    failed: set[UUID] = set()

    class OfNoUse(Exception):
        pass

    def issue(order: Order) -> None:
        if order.id in failing and order.id not in failed:
            failed.add(order.id)
            with suppress(OfNoUse), atomic("orders"):
                assert len(issue_due(order_id=order.id, now=now)) == 1
                raise OfNoUse
        issue_due(order_id=order.id, now=now)

    in_threads(issue, placed, threads=50)
    assert failed == failing
    assert numbers("INV-2026") == list(range(1, 51))
    assert DocumentSeries.objects.get(code="INV-2026").last_number == 50
    assert len({document.order_id for document in Document.objects.all()}) == 50


@races
def test_twenty_at_once_for_one_order_make_one_invoice(order: Order, now: datetime) -> None:
    captured(order, now=now)
    start = threading.Barrier(20)

    def issue(_: int) -> None:
        start.wait()
        issue_due(order_id=order.id, now=now)

    in_threads(issue, range(20), threads=20)
    assert numbers("INV-2026") == [1]


@races
@pytest.mark.faults
def test_a_process_that_dies_with_a_number_in_hand_takes_none(order: Order, now: datetime) -> None:
    captured(order, now=now)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.documents_process", str(order.id), now.isoformat()],
        cwd=settings.BASE_DIR,
        env=process_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        drawn = process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert drawn == "1\n"
    assert not Document.objects.exists()
    (invoice,) = issue_due(order_id=order.id, now=now)
    assert invoice.number == "INV-2026-000001"
    assert numbers("INV-2026") == [1]


def test_each_year_counts_from_one_by_the_calendar_of_the_seller(now: datetime) -> None:
    goods.stocked({"A": 9}, now=now)
    new_year = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    first, second = (captured(orders.placed({"A": 1}, now=now), now=now) for _ in range(2))
    with override_settings(SELLER_TIME_ZONE="Europe/Berlin"):
        (late,) = issue_due(order_id=first.id, now=new_year)
    (early,) = issue_due(order_id=second.id, now=new_year)
    assert (late.number, late.issue_date) == ("INV-2027-000001", date(2027, 1, 1))
    assert (early.number, early.issue_date) == ("INV-2026-000001", date(2026, 12, 31))


def test_a_later_number_never_has_an_earlier_day(now: datetime) -> None:
    goods.stocked({"A": 9}, now=now)
    first, second = (captured(orders.placed({"A": 1}, now=now), now=now) for _ in range(2))
    issue_due(order_id=first.id, now=now + timedelta(days=1))
    (invoice,) = issue_due(order_id=second.id, now=now)
    assert (invoice.sequence, invoice.issue_date) == (2, date(2026, 3, 3))


# What was issued stays


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orders_document SET gross_minor = gross_minor + 1, net_minor = net_minor + 1",
        "DELETE FROM orders_document",
        "UPDATE orders_documentline SET name = 'Something else'",
        "DELETE FROM orders_documentline",
    ],
)
def test_the_database_refuses_to_change_what_was_issued(
    order: Order, now: datetime, statement: str
) -> None:
    captured(order, now=now)
    (invoice,) = issue_due(order_id=order.id, now=now)
    with (
        pytest.raises(DatabaseError, match="never changed"),
        atomic("orders"),
    ):
        Document.objects.command(f"{statement} RETURNING 1", [])
    assert Document.objects.whole(invoice.id).gross_minor == order.total_minor


def test_what_the_settings_say_later_is_on_later_invoices_only(now: datetime) -> None:
    goods.stocked({"A": 9}, now=now)
    first, second = (captured(orders.placed({"A": 1}, now=now), now=now) for _ in range(2))
    (old,) = issue_due(order_id=first.id, now=now)
    moved = {
        "name": "New Ltd",
        "address": "2 Quay; Hull",
        "vat_id": "GB1",
        "contact": "",
        "note": "",
    }
    with override_settings(SELLER=moved):
        (new,) = issue_due(order_id=second.id, now=now)
    assert Document.objects.whole(old.id).seller["name"] == "Kontor Demo Shop"
    assert Document.objects.whole(new.id).seller == {
        "name": "New Ltd",
        "address": ["2 Quay", "Hull"],
        "vat_id": "GB1",
        "contact": "",
    }
