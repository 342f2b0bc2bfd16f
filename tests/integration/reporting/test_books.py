"""The books of the contexts compared, with differences made by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domains.orders.models import Order, PaymentChoice
from domains.orders.rules.placement import Status
from domains.orders.services.placement import cancel_order
from domains.payments.public import Guarantee, PaymentStatus
from domains.products.public import HoldLine, hold, hold_for_cart, stock_audit
from domains.products.services.inventory import configure_stock
from domains.reporting.errors import UnknownStatus
from domains.reporting.queries.books import GUARANTEES, MONEY, STAGES, compare_books
from infrastructure.ids import new_id
from tests.integration.reporting.conftest import Sql
from tests.support.factories import orders, payments
from tests.support.factories import products as goods

pytestmark = pytest.mark.django_db

SILENT = PaymentChoice(method="card", token="tok_timeout")


def differences(now: datetime) -> dict[str, list[str]]:
    """Check -> what differs, an hour later."""
    checks = compare_books(now=now, due=now + timedelta(hours=1))
    return {
        check.name: [f"{f.subject}: {f.detail}" for f in check.differences]
        for check in checks
        if check.differences
    }


@pytest.fixture
def variants(now: datetime) -> dict[str, UUID]:
    return goods.stocked({"A": 10, "B": 5}, now=now)


@pytest.fixture
def order(variants: dict[str, UUID], now: datetime) -> Order:
    return orders.placed({"A": 2, "B": 1}, now=now)


def test_a_shop_with_orders_of_all_kinds_has_no_differences(order: Order, now: datetime) -> None:
    orders.placed({"A": 1}, now=now, payment=orders.DECLINED)
    cancelled = orders.placed({"B": 1}, now=now)
    cancel_order(order_id=cancelled.id, reason="customer_request", now=now)

    assert differences(now) == {}
    checks = compare_books(now=now, due=now + timedelta(hours=1))
    assert {check.name: (check.rows, check.in_flight) for check in checks} == {
        "stock": (2, 0),
        "holds": (1, 0),
        "sent": (0, 0),
        "totals": (3, 0),
        "cart holds": (0, 0),
        "payments": (3, 0),
        "settling": (3, 0),
        "journal": (3, 0),
        "coupons": (0, 0),
    }


def test_an_order_that_is_being_placed_is_in_flight(
    variants: dict[str, UUID], now: datetime
) -> None:
    orders.placed({"A": 1}, now=now, asynchronous=True)

    checks = {check.name: check for check in compare_books(now=now, due=now - timedelta(seconds=1))}

    assert checks["settling"].in_flight == 1
    assert not any(check.differences for check in checks.values())


def test_an_order_that_nobody_decides_is_a_difference(
    variants: dict[str, UUID], now: datetime
) -> None:
    order = orders.placed({"A": 1}, now=now, asynchronous=True)

    assert differences(now) == {
        "settling": [
            f"order {order.number} {order.id}: undecided and unfinished since 2026-03-02 09:30:00,"
            " waits for its goods to be held"
        ]
    }


def test_an_order_whose_gateway_is_silent_for_too_long_is_a_difference(
    variants: dict[str, UUID], now: datetime
) -> None:
    order = orders.placed({"A": 1}, now=now, payment=SILENT)
    while_young = compare_books(now=now, due=now - timedelta(seconds=1))

    assert {check.name: check.in_flight for check in while_young if check.in_flight} == {
        "settling": 1
    }
    assert not any(check.differences for check in while_young)
    assert differences(now) == {
        "settling": [
            f"order {order.number} {order.id}: undecided and unfinished since 2026-03-02 09:30:00,"
            " waits for the gateway in_process: its payment is UNKNOWN"
        ]
    }


def test_a_payment_that_only_staff_can_clear_up_is_a_difference(
    order: Order, sql: Sql, now: datetime
) -> None:
    sql("payments", "UPDATE payments_payment SET needs_attention_at = %s WHERE id = %s", now,
        order.id)  # fmt: skip

    assert differences(now) == {
        "payments": [
            f"order {order.number} {order.id}: payment AUTHORISED needs attention by staff"
        ]
    }


def test_a_counter_beside_its_ledger(order: Order, sql: Sql, now: datetime) -> None:
    sql("products", "UPDATE products_stockitem SET on_hand = on_hand + 1 WHERE sku = 'A'")
    sql("products", "UPDATE products_stockitem SET held = held - 1 WHERE sku = 'B'")

    assert set(differences(now)["stock"]) == {
        "SKU A: on hand: counter 11, ledger 10, warehouses 10",
        "SKU B: held: counter 0, ledger 1, reservations 1",
    }


def test_a_hold_beyond_the_stock_is_found_in_the_ledger(
    order: Order, variants: dict[str, UUID], sql: Sql, now: datetime
) -> None:
    sql(
        "products",
        "UPDATE products_stockmovement SET held_delta = 11"
        " WHERE kind = 'HOLD' AND stock_item_id = %s",
        variants["A"],
    )

    assert differences(now)["stock"] == [
        "SKU A: held: counter 2, ledger 11, reservations 2;"
        " oversold: 1 holds took more than there was"
    ]


def test_less_stock_than_is_held_after_an_honest_count_is_no_oversale(
    order: Order, now: datetime
) -> None:
    goods.inventory.set_stock(levels={"A": 1}, reason="count", now=now)

    assert differences(now) == {}


def test_a_confirmed_order_without_all_its_goods(
    order: Order, variants: dict[str, UUID], sql: Sql, now: datetime
) -> None:
    sql(
        "products",
        "UPDATE products_reservationline SET quantity = 1"
        " WHERE reservation_id = %s AND stock_item_id = %s",
        order.id,
        variants["A"],
    )

    assert differences(now)["holds"] == [
        f"order {order.number} {order.id}: {variants['A']}: to be sent 2, held 1"
    ]


def test_a_confirmed_order_whose_goods_were_released(order: Order, sql: Sql, now: datetime) -> None:
    sql(
        "products",
        "UPDATE products_reservation SET status = 'RELEASED' WHERE id = %s",
        order.id,
    )

    assert differences(now)["holds"] == [
        f"order {order.number} {order.id}: confirmed, and nothing is held"
    ]


def test_goods_held_for_nobody(variants: dict[str, UUID], now: datetime) -> None:
    nobody = new_id()
    line = HoldLine(variant_id=variants["A"], sku="A", quantity=2)
    hold(order_id=nobody, lines=[line], now=now)

    assert differences(now) == {
        "holds": [f"{nobody}: 2 pieces of 1 variants held without an order"]
    }


def test_an_ended_order_that_keeps_goods_and_money(order: Order, sql: Sql, now: datetime) -> None:
    sql("orders", "UPDATE orders_order SET status = 'CANCELLED' WHERE id = %s", order.id)

    assert differences(now) == {
        "holds": [
            f"order {order.number} {order.id}:"
            " 3 pieces of 2 variants held for an order that has ended"
        ],
        "payments": [
            f"order {order.number} {order.id}:"
            " 3000 GBP (minor units) AUTHORISED for an order that has ended"
        ],
    }


def test_an_ended_order_that_is_never_finished(order: Order, sql: Sql, now: datetime) -> None:
    cancel_order(order_id=order.id, reason="customer_request", now=now)
    sql("orders", "UPDATE orders_order SET unsettled_since = %s, settle_at = %s WHERE id = %s",
        now, now, order.id)  # fmt: skip

    assert differences(now) == {
        "settling": [
            f"order {order.number} {order.id}: ended and unfinished since 2026-03-02 09:30:00,"
            " waits for its end to be written down"
        ]
    }


def test_a_confirmed_order_without_its_guarantee(order: Order, sql: Sql, now: datetime) -> None:
    sql("payments", "UPDATE payments_payment SET status = 'DECLINED' WHERE id = %s", order.id)

    assert differences(now) == {
        "payments": [
            f"order {order.number} {order.id}: confirmed by card (authorised), and payment DECLINED"
        ]
    }


def test_a_card_order_that_no_gateway_authorised(order: Order, sql: Sql, now: datetime) -> None:
    sql("payments", "UPDATE payments_payment SET gateway = 'none' WHERE id = %s", order.id)

    assert differences(now) == {
        "payments": [
            f"order {order.number} {order.id}: card is authorised by a gateway, and none was asked"
        ]
    }


def test_an_order_on_account_that_a_gateway_was_asked_for(
    variants: dict[str, UUID], sql: Sql, now: datetime
) -> None:
    order = orders.placed({"A": 1}, now=now, payment=PaymentChoice(method="invoice", token=""))
    assert differences(now) == {}
    sql("payments", "UPDATE payments_payment SET gateway = 'simulated' WHERE id = %s", order.id)

    assert differences(now) == {
        "payments": [
            f"order {order.number} {order.id}:"
            " invoice is granted on account, and simulated was asked"
        ]
    }


def test_another_currency_than_the_order_s(order: Order, sql: Sql, now: datetime) -> None:
    sql("payments", "UPDATE payments_payment SET currency = 'EUR' WHERE id = %s", order.id)

    assert differences(now) == {
        "payments": [
            f"order {order.number} {order.id}:"
            " total 3000 GBP (minor units), payment 3000 EUR (minor units)"
        ]
    }


def test_a_method_that_payments_does_not_know_is_named(
    order: Order, sql: Sql, now: datetime
) -> None:
    sql("orders", "UPDATE orders_order SET payment_method = 'cheque' WHERE id = %s", order.id)

    assert differences(now) == {
        "payments": [
            f"order {order.number} {order.id}:"
            " nobody knows what the payment method 'cheque' guarantees"
        ]
    }


def test_a_status_that_the_audit_was_not_told_ends_it(
    order: Order, sql: Sql, now: datetime
) -> None:
    sql("orders", "UPDATE orders_order SET status = 'REFUNDED' WHERE id = %s", order.id)

    with pytest.raises(UnknownStatus, match=f"order {order.number} is REFUNDED"):
        differences(now)


def test_the_audit_knows_every_status_and_guarantee() -> None:
    assert set(STAGES) == {status.value for status in Status}
    assert set(MONEY) == set(PaymentStatus)
    assert set(GUARANTEES) == set(Guarantee)


def test_another_amount_than_the_total(order: Order, sql: Sql, now: datetime) -> None:
    sql("orders", "UPDATE orders_order SET total_minor = 2999 WHERE id = %s", order.id)

    assert differences(now) == {
        "payments": [
            f"order {order.number} {order.id}:"
            " total 2999 GBP (minor units), payment 3000 GBP (minor units)"
        ],
        "totals": [
            f"order {order.number} {order.id}: says subtotal, discount, tax and paid of its goods"
            " 3000, 0, 0, 2999 (minor units), its lines 3000, 0, 0, 3000"
        ],
    }


def test_money_held_for_nobody(variants: dict[str, UUID], now: datetime) -> None:
    payment = payments.authorised_payment(now)

    assert differences(now) == {
        "payments": [f"{payment.id}: 1999 GBP (minor units) AUTHORISED without an order"]
    }


def test_a_journal_that_says_something_else(order: Order, now: datetime) -> None:
    payments.services.capture(payment_id=order.id, now=now)
    assert differences(now) == {}
    payments.without_guards(
        "UPDATE payments_payment SET captured_minor = 1 WHERE id = %s", order.id
    )

    assert differences(now) == {
        "journal": [
            f"payment {order.id}:"
            " captured in minor units of GBP: counter 1, journal 3000, operations 3000"
        ]
    }


def test_what_a_cart_holds_counts_as_held_and_is_no_orders_hold(
    variants: dict[str, UUID], now: datetime
) -> None:
    cart_id = new_id()
    line = HoldLine(variant_id=variants["A"], sku="A", quantity=3)
    hold_for_cart(cart_id=cart_id, lines=[line], now=now, ttl=timedelta(minutes=15))
    assert differences(now) == {}
    freed_by = now + timedelta(minutes=25)
    for at, found in ((freed_by, []), (freed_by + timedelta(seconds=1), [f"cart {cart_id}"])):
        checks = {check.name: check for check in compare_books(now=at, due=at)}
        assert [f.subject for f in checks["cart holds"].differences] == found
        assert checks["stock"].differences == checks["holds"].differences == []


def test_a_lower_backorder_limit_makes_no_oversold_hold_of_an_old_one(
    variants: dict[str, UUID], sql: Sql, now: datetime
) -> None:
    def limit(of: int, to: int) -> None:
        configure_stock(
            sku="A",
            settings={"backorder_limit": to},
            change_from={"backorder_limit": of},
            reason="season",
            actor_id=None,
            now=now,
        )

    limit(0, 5)
    goods.held({"A": 14}, now=now)
    limit(5, 1)
    [stock] = [row for row in stock_audit() if row.sku == "A"]
    assert (stock.held, stock.oversold_holds) == (14, 0)
    sql(
        "products",
        "UPDATE products_stockmovement SET backorder_delta = 0 WHERE backorder_delta < 0",
    )
    [stock] = [row for row in stock_audit() if row.sku == "A"]
    assert stock.oversold_holds == 1
