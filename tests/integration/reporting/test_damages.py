"""One row at a time is changed behind everybody's back, and the audit names what does not agree."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from domains.orders.models import Order
from domains.orders.services import fulfilling
from domains.products.public import bar_change
from domains.reporting.queries.books import compare_books
from infrastructure.database.contexts import connection_of
from infrastructure.ids import new_id
from tests.integration.reporting.conftest import Sql
from tests.support.after_placement import STAFF, reread
from tests.support.factories import orders, payments
from tests.support.factories import products as goods
from tests.support.order_steps import came_back, fulfil, refund

pytestmark = pytest.mark.django_db


def differences(now: datetime) -> dict[str, list[str]]:
    """Check -> what differs, an hour later; without the subjects."""
    return {
        check.name: [finding.detail for finding in check.differences]
        for check in compare_books(now=now, due=now + timedelta(hours=1))
        if check.differences
    }


@pytest.fixture
def order(now: datetime) -> Order:
    """Of 30.00, which were taken; nothing was sent."""
    goods.stocked({"A": 10, "B": 5}, now=now)
    order = orders.placed({"A": 2, "B": 1}, now=now)
    fulfilling.capture(order_id=order.id, by=STAFF, key=None, now=now)
    assert differences(now) == {}
    return order


@pytest.mark.parametrize("change", ["unit_price_minor = 1", "amount_minor = 1"])
def test_a_line_that_is_not_its_price(order: Order, now: datetime, sql: Sql, change: str) -> None:
    sql("orders", f"UPDATE orders_orderline SET {change} WHERE order_id = %s AND sku = 'A'",
        order.id)  # fmt: skip

    assert differences(now)["totals"][-1] == (
        "lines that are not their price times their quantity: A"
    )


def test_an_order_that_is_completed_before_it_is_sent(
    order: Order, now: datetime, sql: Sql
) -> None:
    sql("orders", "UPDATE orders_order SET status = 'COMPLETED' WHERE id = %s", order.id)

    assert differences(now) == {"holds": ["completed, and 3 pieces of 2 variants not sent"]}


def test_a_payment_that_says_nothing_was_taken(order: Order, now: datetime) -> None:
    payments.without_guards(
        "UPDATE payments_payment SET status = 'AUTHORISED' WHERE id = %s", order.id
    )

    assert differences(now) == {
        "journal": ["is AUTHORISED, and 3000 GBP (minor units) was captured"]
    }


def test_a_step_that_its_order_does_not_carry_out(order: Order, now: datetime) -> None:
    with connection_of("orders").cursor() as cursor:
        cursor.execute(
            "UPDATE orders_orderstep SET state = 'REQUESTED', finished_at = NULL"
            " WHERE order_id = %s",
            [order.id],
        )
        steps = cursor.rowcount

    assert steps > 0
    assert differences(now) == {"settling": ["is unfinished, and nobody carries it out"] * steps}


@pytest.mark.parametrize("column", ["change_id", "fulfilment_id"])
def test_goods_that_moved_though_it_was_barred(
    order: Order, now: datetime, sql: Sql, column: str
) -> None:
    barred = new_id()
    bar_change(order_id=order.id, change_id=barred, refusal="out_of_stock", now=now)
    sql(
        "products",
        f"UPDATE products_stockmovement SET {column} = %s"
        " WHERE id = (SELECT min(id) FROM products_stockmovement)",
        barred,
    )

    assert differences(now) == {
        "stock": ["moved goods, though barred at 2026-03-02 09:30:00 UTC: out_of_stock"]
    }


@pytest.fixture
def sent(order: Order, now: datetime) -> Order:
    """All of it was sent; one A came back, was put on a shelf and paid back."""
    fulfil(order, now)
    back = came_back(order, now, A=1)
    refund(order, now, return_id=back.id)
    order = reread(order)
    assert differences(now) == {}
    return order


@pytest.mark.parametrize(
    ("kind", "of_order", "of_nobody"),
    [
        ("SHIPMENT", "sent 2, ledger 0", "2 pieces of 1 variants sent, 0 put back, no order"),
        ("RETURN", "put back 1, ledger 0", "0 pieces of 0 variants sent, 1 put back, no order"),
    ],
)
def test_goods_that_left_or_came_back_under_another_order(
    sent: Order, now: datetime, sql: Sql, kind: str, of_order: str, of_nobody: str
) -> None:
    (line,) = [line for line in sent.lines if line.sku == "A"]
    sql(
        "products",
        "UPDATE products_stockmovement SET order_id = %s WHERE kind = %s AND stock_item_id = %s",
        new_id(), kind, line.variant_id,
    )  # fmt: skip

    assert sorted(differences(now)["sent"]) == sorted([f"{line.variant_id}: {of_order}", of_nobody])


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ("fulfilled = 1", "A: sent 1, by what it was counted from 2"),
        ("returned = 2", "A: returned 2, by what it was counted from 1"),
        ("refunded_minor = 1", "A: refunded 1, by what it was counted from 1000"),
    ],
)
def test_a_line_that_says_something_else_than_its_parcels_returns_and_refunds(
    sent: Order, now: datetime, sql: Sql, change: str, detail: str
) -> None:
    sql("orders", f"UPDATE orders_orderline SET {change} WHERE order_id = %s AND sku = 'A'",
        sent.id)  # fmt: skip

    assert detail in differences(now)["totals"]


@pytest.mark.parametrize("side", ["debit", "credit"])
def test_money_that_was_booked_on_another_account(sent: Order, now: datetime, side: str) -> None:
    payments.without_guards(
        f"UPDATE payments_journalentry SET {side}_account = 'BANK'"
        f" WHERE payment_id = %s AND {side}_account = 'GATEWAY'",
        sent.id,
    )

    what, amount = {"debit": ("captured", 3000), "credit": ("refunded", 1000)}[side]
    assert differences(now) == {
        "journal": [
            f"{what} in minor units of GBP: counter {amount}, journal 0, operations {amount}"
        ]
    }


def test_a_warehouse_that_has_less_than_was_counted(order: Order, now: datetime, sql: Sql) -> None:
    sql("products", "UPDATE products_stocklevel SET on_hand = 9 WHERE on_hand = 10")

    assert differences(now) == {"stock": ["on hand: counter 10, ledger 10, warehouses 9"]}
