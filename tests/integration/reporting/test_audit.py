"""The audit of a whole shop, as its command runs it, with a broker."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

from demo.catalogue import Product
from demo.loading import load
from domains.orders.models import Order, PaymentChoice
from domains.orders.public import Unsettled, unsettled
from domains.products.models import PriceList
from domains.reporting.queries.audit import NAMED, Unrest
from infrastructure import clock
from infrastructure.kafka import reader
from tests.integration.reporting.conftest import Sql, handle_everything, relay_everything
from tests.support.factories import orders
from tests.support.factories import products as goods

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("broker"),
]


@pytest.fixture
def order() -> Order:
    """An order of an hour ago: the command asks the real clock."""
    then = clock.now() - timedelta(hours=1)
    goods.stocked({"A": 10}, now=then)
    return orders.placed({"A": 2}, now=then)


def run(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("audit_books", *arguments, stdout=out, stderr=StringIO())
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_a_shop_at_rest_ends_with_0(order: Order) -> None:
    relay_everything()
    handle_everything()

    code, printed = run("--wait", "60")

    assert code == 0
    assert "The books agree: 0 differences, 0 in flight" in printed


def test_the_demo_with_its_price_list_leaves_no_difference() -> None:
    skus = [str(number) for number in range(10_000, 10_024)]
    load(
        products=[
            Product(sku=sku, name=f"Thing {sku}", price_minor=500, stock=3, category="Things")
            for sku in skus
        ],
        now=clock.now() - timedelta(hours=1),
        progress=lambda done, total: None,
    )
    relay_everything()
    handle_everything()

    code, printed = run("--wait", "60")

    assert PriceList.objects.get().price_rows.exists()
    assert "The books agree: 0 differences, 0 in flight" in printed
    assert code == 0


def test_it_waits_until_every_event_is_handled(order: Order) -> None:
    def come_to_rest() -> None:
        try:
            relay_everything()
            handle_everything()
        finally:
            connections.close_all()

    shop = threading.Timer(0.5, come_to_rest)
    shop.start()
    try:
        code, printed = run("--wait", "100")
    finally:
        shop.join()

    assert code == 0
    assert "The books agree: 0 differences, 0 in flight" in printed


def test_a_shop_that_does_not_come_to_rest_ends_with_3_and_says_what_moves() -> None:
    goods.stocked({"A": 10}, now=clock.now())
    relay_everything()
    handle_everything()
    order = orders.placed({"A": 1}, now=clock.now(), asynchronous=True)

    code, printed = run("--wait", "1")

    assert code == 3
    assert "The books agree: 0 differences" in printed
    assert printed.endswith(
        "Not at rest after 1 s: 1 events in the outbox,"
        f" 1 orders unsettled ({order.number}), handlers done.\n"
    )


@pytest.mark.parametrize(
    "payment",
    [
        PaymentChoice(method="bank_transfer", token=""),
        PaymentChoice(method="card", token="tok_declined", keep_on_decline=True),
    ],
)
def test_an_order_that_waits_for_its_customer_is_at_rest(
    payment: PaymentChoice, settings: Any
) -> None:
    settings.PAYMENT_METHODS = ["bank_transfer", "card"]
    goods.stocked({"A": 10}, now=clock.now())
    order = orders.placed({"A": 1}, payment=payment, now=clock.now())
    relay_everything()
    handle_everything()

    code, printed = run("--wait", "60")

    assert order.status == "PENDING"
    assert code == 0
    assert printed.endswith("\nOrders that wait for their customer to pay: 1.\n")


def test_the_longest_unsettled_orders_are_named_but_not_all() -> None:
    then = clock.now()
    goods.stocked({"A": 10}, now=then)
    numbers = [
        orders.placed({"A": 1}, now=then + timedelta(seconds=n), asynchronous=True).number
        for n in range(NAMED + 1)
    ]

    found = unsettled(now=then, named=NAMED)

    assert found == Unsettled(moving=NAMED + 1, numbers=numbers[:NAMED], waiting=0)
    assert str(Unrest(outbox=0, unsettled=found.moving, numbers=found.numbers, lag={})) == (
        f"0 events in the outbox, 6 orders unsettled ({', '.join(numbers[:NAMED])}, …),"
        " handlers done"
    )


@pytest.mark.parametrize("why", ["its time is over", "somebody asked for its end"])
def test_an_order_that_waited_for_its_customer_moves_again(why: str, settings: Any) -> None:
    settings.PAYMENT_METHODS = ["bank_transfer"]
    now = clock.now()
    goods.stocked({"A": 10}, now=now)
    transfer = PaymentChoice(method="bank_transfer", token="")
    order = orders.placed({"A": 1}, payment=transfer, now=now)
    assert order.pay_until is not None
    assert unsettled(now=now, named=1) == Unsettled(moving=0, numbers=[], waiting=1)

    if why == "its time is over":
        now = order.pay_until
    else:
        order.request_cancel(reason="", now=now)
        order.save()

    assert unsettled(now=now, named=1) == Unsettled(moving=1, numbers=[order.number], waiting=0)


def test_what_still_moves_does_not_break_the_json() -> None:
    goods.stocked({"A": 10}, now=clock.now())
    relay_everything()
    handle_everything()
    orders.placed({"A": 2}, now=clock.now())
    relay_everything()

    code, printed = run("--wait", "0.5", "--json")

    assert code == 3
    assert sum(check["in_flight"] for check in json.loads(printed)) == 6
    assert run("--wait", "0.5")[1].endswith(
        "0 orders unsettled, orders.issue_invoices_and_credit_notes 1 events behind,"
        " orders.mark_what_is_overpaid 1 events behind,"
        " orders.settle_asynchronous_orders 1 events behind,"
        " orders.settle_orders_with_an_outcome 1 events behind,"
        " products.add_demand_for_products 1 events behind,"
        " reporting.add_to_sales 1 events behind.\n"
    )


def test_differences_count_for_more_than_what_still_moves(order: Order) -> None:
    code, printed = run("--wait", "0.5")

    assert code == 1
    assert "Not at rest after 0.5 s: 8 events in the outbox" in printed


def test_a_difference_ends_with_1_and_is_printed(order: Order, sql: Sql) -> None:
    relay_everything()
    handle_everything()
    sql("products", "UPDATE products_stockitem SET on_hand = 11 WHERE sku = 'A'")

    code, printed = run()

    assert code == 1
    assert "SKU A: on hand: counter 11, ledger 10, warehouses 10" in printed
    assert "\n1 differences, 0 in flight" in printed


def test_no_more_rows_are_named_than_asked_for(order: Order) -> None:
    relay_everything()

    _, printed = run("--limit", "1")

    assert "handled: 10 differences" in printed
    assert "… and 9 more (--limit 0)" in printed


def test_the_result_as_json(order: Order) -> None:
    relay_everything()
    handle_everything()

    code, printed = run("--json")

    assert code == 0
    assert {check["name"]: check["differences"] for check in json.loads(printed)} == {
        "stock": [],
        "holds": [],
        "sent": [],
        "totals": [],
        "cart holds": [],
        "payments": [],
        "settling": [],
        "journal": [],
        "coupons": [],
        "document numbers": [],
        "documents": [],
        "dead letters": [],
        "events": [],
        "handled": [],
    }


def test_without_a_broker_events_are_not_checked_and_it_ends_with_2(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "TIMEOUT_SECONDS", 0.5)

    with override_settings(KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9"):
        code, printed = run()

    assert code == 2
    assert "events: not checked. Kafka cannot be read" in printed
    assert "1 of 13 checks not made" in printed
