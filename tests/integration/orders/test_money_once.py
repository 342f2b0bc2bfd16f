"""Money goes back once, and nothing is sent that was not paid: several commands on one order."""

from __future__ import annotations

from datetime import datetime

import pytest

from domains.orders.errors import PaymentCaptured, RefundExceedsPayment
from domains.orders.models import Order
from domains.orders.services import cancelling, fulfilling
from domains.orders.services.editing import LineEdit
from domains.orders.services.invoicing import issue_due
from infrastructure.database.contexts import connection_of
from tests.support.after_placement import (
    STAFF,
    assert_books_agree,
    assert_order_agrees,
    differences_in_books,
    money_of,
    reread,
    units,
)
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.order_steps import edit, fulfil, more, refund

pytestmark = pytest.mark.django_db


def captured(now: datetime, **quantities: int) -> Order:
    goods.stocked(dict.fromkeys(quantities, 20), now=now)
    order = orders.placed(quantities, now=now)
    fulfilling.capture(order_id=order.id, by=STAFF, key=orders.key(), now=now)
    issue_due(order_id=order.id, now=now)
    return reread(order)


def kept(order: Order) -> int:
    money = money_of(order)
    return money.captured_minor - money.refunded_minor


def cancel(order: Order, now: datetime, **quantities: int) -> None:
    cancelling.cancel(
        order_id=order.id,
        lines=units(order, quantities),
        refund=True,
        reason="",
        by=STAFF,
        key=orders.key(),
        now=now,
    )


def assert_kept_is_charged(order: Order, expected: int, now: datetime) -> None:
    """After the rest was sent, by what is kept and by what is documented."""
    assert kept(order) == expected
    fulfil(order, now)
    issue_due(order_id=order.id, now=now)
    assert (reread(order).status, kept(order)) == ("COMPLETED", expected)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_an_amount_that_went_back_counts_for_a_line_that_is_edited_away(now: datetime) -> None:
    order = captured(now, A=2, B=1)
    refund(order, now, amount_minor=1000)
    edit(order, now, lines=[more(order, "B", 0)])
    assert reread(order).total_minor == 2000
    assert_kept_is_charged(order, 2000, now)


def test_a_unit_that_was_refunded_does_not_go_back_again_with_an_edit(now: datetime) -> None:
    order = captured(now, A=3, B=1)
    refund(order, now, units=units(order, {"A": 1}))
    edit(order, now, lines=[more(order, "A", 2)])
    assert [line.refunded_minor for line in reread(order).lines] == [0, 0]
    assert_kept_is_charged(order, 3000, now)
    # What stays was paid, and can be given back still, every unit once.
    refund(order, now, units=units(order, {"A": 2, "B": 1}))
    assert kept(order) == 0


def test_a_line_that_was_refunded_and_called_off_stays_gone(now: datetime) -> None:
    order = captured(now, A=2, B=1)
    refund(order, now, units=units(order, {"B": 1}))
    cancel(order, now, B=1)
    assert kept(order) == 2000
    edit(order, now, shipping_address=orders.ADDRESS | {"line1": "2 Mill Lane"})
    assert_kept_is_charged(order, 2000, now)


def test_a_refund_stays_one_where_only_the_address_changes(now: datetime) -> None:
    order = captured(now, A=2, B=1)
    refund(order, now, units=units(order, {"A": 1}))
    edit(order, now, shipping_address=orders.ADDRESS | {"line1": "2 Mill Lane"})
    assert [line.refunded_minor for line in reread(order).lines] == [1000, 0]
    assert_kept_is_charged(order, 2000, now)


def test_what_was_sent_and_refunded_leaves_the_rest_to_be_called_off(now: datetime) -> None:
    order = captured(now, A=2)
    fulfil(order, now, lines=units(order, {"A": 1}))
    refund(order, now, units=units(order, {"A": 1}))  # the one that was sent
    cancel(order, now, A=1)
    assert kept(order) == 0
    assert reread(order).status == "COMPLETED"
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_goods_that_were_edited_away_and_paid_back_do_not_come_again_unpaid(now: datetime) -> None:
    order = captured(now, A=7)
    edit(order, now, lines=[more(order, "A", 1)])
    assert kept(order) == 1000
    with pytest.raises(PaymentCaptured):
        edit(order, now, lines=[more(order, "A", 7)], token="tok_visa")
    with pytest.raises(PaymentCaptured):
        edit(order, now, lines=[LineEdit(sku="A", quantity=1)], token="tok_visa")
    assert_kept_is_charged(order, 1000, now)


def test_an_order_completes_only_with_its_money(now: datetime) -> None:
    order = captured(now, A=2)
    edit(order, now, lines=[more(order, "A", 1)])
    # As an order was that grew again before that was refused.
    with connection_of("orders").cursor() as cursor:
        cursor.execute("UPDATE orders_order SET total_minor = 2000 WHERE id = %s", [order.id])
    fulfil(order, now, capture=False, may_be_unpaid=True)
    assert reread(order).status == "CONFIRMED"
    [found] = [row for row in differences_in_books(now) if "of which" in row]
    assert "of which 1000 GBP (minor units) was or can be taken" in found


@pytest.mark.parametrize("total", [1000, 3000])
def test_the_audit_sees_what_a_completed_order_keeps(now: datetime, total: int) -> None:
    order = captured(now, A=2)
    fulfil(order, now)
    assert_books_agree(now)
    with connection_of("orders").cursor() as cursor:
        cursor.execute("UPDATE orders_order SET total_minor = %s WHERE id = %s", [total, order.id])
    assert [row for row in differences_in_books(now) if row.startswith("payments: order")] != []


def test_the_audit_sees_what_went_back_twice(now: datetime) -> None:
    order = captured(now, A=2)
    refund(order, now, amount_minor=500)
    fulfil(order, now)
    assert_books_agree(now)
    with connection_of("orders").cursor() as cursor:
        cursor.execute(
            "UPDATE orders_orderstep SET params = params || '{\"for_less_minor\": 500}'"
            " WHERE order_id = %s AND kind = 'REFUND'",
            [order.id],
        )
    [found] = [row for row in differences_in_books(now) if "payments: " in row]
    assert "of which 1500 GBP (minor units) was or can be taken" in found


def test_what_was_not_paid_yet_is_not_given_back(now: datetime) -> None:
    goods.stocked({"A": 5, "B": 5}, now=now)
    order = orders.placed({"A": 1, "B": 1}, now=now)
    fulfil(order, now, lines=units(order, {"A": 1}))
    with pytest.raises(RefundExceedsPayment):
        refund(order, now, units=units(order, {"B": 1}))
    assert kept(order) == 1000
    refund(order, now, units=units(order, {"A": 1}))
    fulfil(order, now)
    assert (kept(order), reread(order).status) == (1000, "COMPLETED")
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_all_that_was_taken_goes_back_for_what_was_sent_first(now: datetime) -> None:
    goods.stocked({"A": 5, "B": 5}, now=now)
    order = orders.placed({"A": 1, "B": 1}, now=now)
    fulfil(order, now, lines=units(order, {"B": 1}))
    refund(order, now)
    assert {line.sku: line.refunded_minor for line in reread(order).lines} == {"A": 0, "B": 1000}
