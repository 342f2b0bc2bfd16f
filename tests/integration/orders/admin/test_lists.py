"""The lists of orders and documents: what is found, who sees them, and what they cost."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from domains.orders.handlers import show_what_came_on_account
from domains.orders.models import Order, PaymentChoice
from domains.orders.models.commands.fulfilling import Tracking
from domains.orders.models.order_set import SENT_UNPAID
from domains.orders.services import fulfilling, invoicing
from domains.payments.events import PaymentProcessed
from domains.payments.services import record_receipt
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.support.admin_pages import text_of
from tests.support.after_placement import STAFF, reread
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.factories.users import admin_client_of, customer, staff

pytestmark = pytest.mark.django_db

ORDERS = "/admin/orders/order/"
DOCUMENTS = "/admin/orders/document/"
_INLINE = re.compile(
    rb"<script(?![^>]*src=)(?![^>]*application/json)|\sstyle=|\son[a-z]+=\"|<style"
)


@pytest.fixture
def clerk() -> Client:
    return admin_client_of(staff("support"))


@pytest.fixture
def pair(now: datetime) -> tuple[Order, Order]:
    """Ann's order of A, and somebody else's of B."""
    goods.stocked({"A": 99, "B": 99}, now=now)
    ann = customer(email="ann@example.com")
    return (
        orders.placed({"A": 1}, now=now, customer_id=ann.pk),
        orders.placed({"B": 1}, now=now),
    )


def send(order: Order, now: datetime) -> Order:
    fulfilling.fulfil(
        order_id=order.id,
        lines=None,
        warehouse="main",
        tracking=Tracking(carrier="DHL", number="JD0146"),
        by=STAFF,
        key=orders.key(),
        now=now,
    )
    return reread(order)


def found(client: Client, **parameters: str) -> set[str]:
    page = text_of(client.get(ORDERS, parameters))
    return set(re.findall(r'class="field-number"><a[^>]*>([0-9A-Z]{9})<', page))


def test_orders_are_found_by_whatever_is_in_hand(
    clerk: Client, pair: tuple[Order, Order], now: datetime
) -> None:
    ann, other = pair
    send(ann, now)
    (invoice,) = invoicing.issue_due(order_id=ann.id, now=now)
    assert found(clerk) == {ann.number, other.number}
    for text in (
        ann.number,
        ann.number.lower(),
        "ANN@example.com",
        "A",
        "a",
        "JD0146",
        "jd0146",
        invoice.number,
        invoice.number.lower(),
        str(ann.id),
        str(ann.customer_id),
    ):
        assert found(clerk, q=text) == {ann.number}, text
    assert found(clerk, q="nothing like that") == set()
    assert found(clerk, q="nobody@example.com") == set()


def test_a_guest_is_found_by_the_address_on_the_order(clerk: Client, now: datetime) -> None:
    goods.stocked({"A": 9}, now=now)
    guest = orders.placed({"A": 1}, now=now, customer_id=None, email="Guest@Example.com")
    assert found(clerk, q="guest@example.COM") == {guest.number}


def test_orders_are_filtered_by_what_is_to_do_and_how_they_stand(
    clerk: Client, pair: tuple[Order, Order], now: datetime
) -> None:
    sent, other = pair
    send(sent, now)
    assert found(clerk, todo="send") == {other.number}
    assert found(clerk, status="COMPLETED") == {sent.number}
    assert found(clerk, payment_status="AUTHORISED") == {other.number}
    assert found(clerk, fulfilment_status="FULFILLED") == {sent.number}
    assert found(clerk, return_status="REQUESTED") == set()
    assert found(clerk, todo="return") == found(clerk, todo="approve") == set()
    assert found(clerk, source="web") == {sent.number, other.number}


def test_orders_that_are_sent_and_not_yet_paid_are_listed_until_the_money_is_here(
    clerk: Client, pair: tuple[Order, Order], now: datetime
) -> None:
    paid, _ = pair
    send(paid, now)
    owed = orders.placed({"A": 1}, payment=PaymentChoice(method="invoice", token=""), now=now)
    send(owed, now)
    listed = text_of(clerk.get(ORDERS, {"todo": "unpaid"}))
    assert found(clerk, todo="unpaid") == {owed.number}
    assert ("Completed" in listed, "Authorised" in listed) == (True, True)

    for reference, half in (("first half", 1), ("second half", 2)):
        record_receipt(
            payment_id=owed.payment_id,
            amount=Money(owed.total_minor // 2, "GBP"),
            reference=reference,
            received_at=now,
            actor_id=None,
            now=now,
        )
        show_what_came_on_account([received(owed, now)])
        assert found(clerk, todo="unpaid") == ({owed.number} if half == 1 else set())
        show_what_came_on_account([received(owed, now)])
    assert found(clerk, payment_status="CAPTURED") == {paid.number, owed.number}


def test_what_is_sent_and_not_yet_paid_is_found_by_its_index() -> None:
    with connections[alias_of("orders")].cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    listed = Order.objects.filter(SENT_UNPAID).order_by("-placed_at", "-id")
    assert "orders_sent_unpaid" in listed.explain()


def received(order: Order, now: datetime) -> PaymentProcessed:
    return PaymentProcessed(
        payment_id=order.payment_id,
        reference=order.number,
        method=order.payment_method,
        amount_minor=order.total_minor,
        currency=order.currency,
        captured_minor=order.total_minor // 2,
        operation_id=new_id(),
        occurred_at=now,
    )


def test_orders_are_found_by_the_day_they_were_placed(clerk: Client, now: datetime) -> None:
    goods.stocked({"A": 99}, now=now)
    # 2026-03-02 09:30 UTC, and the first and the last moment of a day.
    morning = orders.placed({"A": 1}, now=now)
    first = orders.placed({"A": 1}, now=datetime(2026, 3, 3, tzinfo=UTC))
    last = orders.placed({"A": 1}, now=datetime(2026, 3, 4, 23, 59, 59, tzinfo=UTC))
    everything = {morning.number, first.number, last.number}
    assert found(clerk, placed_at_since="2026-03-03") == {first.number, last.number}
    assert found(clerk, placed_at_until="2026-03-03") == {morning.number, first.number}
    assert found(clerk, placed_at_since="2026-03-04", placed_at_until="2026-03-04") == {last.number}
    assert found(clerk, placed_at_since="9999-12-31") == set()
    assert found(clerk, placed_at_until="9999-12-31") == everything
    page = text_of(clerk.get(ORDERS, {"placed_at_since": "soon", "status": "CONFIRMED"}))
    assert "Enter a valid date." in page
    assert '<input type="hidden" name="status" value="CONFIRMED">' in page


def test_a_longer_list_takes_no_more_statements(clerk: Client, now: datetime) -> None:
    goods.stocked({"A": 99}, now=now)

    def statements() -> int:
        clerk.get(ORDERS)
        with CaptureQueriesContext(connections[alias_of("orders")]) as seen:
            assert clerk.get(ORDERS).status_code == 200
        return len(seen)

    orders.placed({"A": 1}, now=now, customer_id=customer().pk)
    few = statements()
    for _ in range(10):
        orders.placed({"A": 1}, now=now, customer_id=customer().pk)
    assert statements() == few
    assert few <= 12


def test_what_is_in_hand_is_looked_up_by_its_indexes(clerk: Client, now: datetime) -> None:
    goods.stocked({f"SKU{number}": 99 for number in range(9)}, now=now)
    for number in range(9):
        send(orders.placed({f"SKU{number}": 1}, now=now), now)
    connection = connections[alias_of("orders")]
    with CaptureQueriesContext(connection) as listed:
        found(clerk)
    with CaptureQueriesContext(connection) as searched:
        assert len(found(clerk, q="SKU7")) == 1
    assert len(searched) == len(listed)
    (sql,) = [
        query["sql"]
        for query in searched.captured_queries
        if "'SKU7'" in query["sql"] and "LIMIT" in query["sql"]
    ]
    with connection.cursor() as cursor:
        # What other tests left in the statistics is not what is here. They say how few rows there
        # are, which would make reading them all the best plan.
        cursor.execute("ANALYZE orders_order, orders_orderline, orders_fulfilment")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {sql}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Seq Scan" not in plan, plan
    for index in ("orders_lines_of_sku", "orders_fulfilments_tracked"):
        assert f" {index} " in plan, plan


def test_pages_have_nothing_that_the_browser_would_refuse(
    clerk: Client, pair: tuple[Order, Order], now: datetime
) -> None:
    ann, _ = pair
    send(ann, now)
    invoicing.issue_due(order_id=ann.id, now=now)
    for address in (
        ORDERS,
        DOCUMENTS,
        f"{ORDERS}{ann.id}/change/",
        f"{ORDERS}{ann.id}/do/note/",
    ):
        page = clerk.get(address)
        assert page.status_code == 200
        assert _INLINE.findall(page.content.replace(b"<template", b"<div")) == []


@pytest.mark.parametrize("address", [ORDERS, DOCUMENTS])
def test_who_may_not_read_orders_sees_no_list(address: str) -> None:
    assert admin_client_of(staff("catalogue")).get(address).status_code == 403


def test_nothing_can_be_typed_into_an_order(clerk: Client, pair: tuple[Order, Order]) -> None:
    address = f"{ORDERS}{pair[0].id}/change/"
    page = text_of(clerk.get(address))
    assert "tok_" not in page
    assert 'name="status"' not in page
    assert clerk.post(address, {"status": "CANCELLED"}).status_code == 403
    assert clerk.get(f"{ORDERS}{pair[0].id}/delete/").status_code == 403
