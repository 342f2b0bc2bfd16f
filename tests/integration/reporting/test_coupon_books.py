"""The audit compares counted uses with the redemptions that are kept, and these with orders."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domains.orders.models import Order
from domains.orders.services.placement import cancel_order
from domains.pricing.public import redeem
from domains.reporting.queries.books import compare_books
from domains.reporting.rules.findings import Check, Finding
from infrastructure.database.contexts import connection_of
from infrastructure.ids import new_id
from tests.integration.reporting.conftest import Sql
from tests.support.factories import orders, pricing
from tests.support.factories import products as goods

pytestmark = pytest.mark.django_db


def coupons(now: datetime) -> Check:
    checks = compare_books(now=now, due=now + timedelta(hours=1))
    return next(check for check in checks if check.name == "coupons")


def differences(now: datetime) -> list[str]:
    return [f"{found.subject}: {found.detail}" for found in coupons(now).differences]


@pytest.fixture(autouse=True)
def _stock(now: datetime) -> None:
    goods.stocked({"A": 10}, now=now)


@pytest.fixture
def order(now: datetime) -> Order:
    pricing.coupon("TEN", now=now, usage_limit=5)
    return orders.placed({"A": 1}, coupons=["TEN"], now=now)


def set_status(sql: Sql, order_id: UUID, status: str) -> None:
    sql("pricing", "UPDATE pricing_redemption SET status = %s WHERE id = %s", status, order_id)


def test_uses_that_nobody_counted_are_found(now: datetime) -> None:
    pricing.coupon("TEN", now=now, usage_limit_per_customer=3)
    ann = new_id()
    for _ in range(2):
        orders.placed({"A": 1}, coupons=["TEN"], customer_id=ann, now=now)
    right = coupons(now)
    # The coupon, its promotion, and Ann's own counter; and what the two orders keep.
    assert (right.rows, right.differences) == (5, [])

    with connection_of("pricing").cursor() as cursor:
        cursor.execute("UPDATE pricing_tally SET used = 1 WHERE used = 2")
        cursor.execute("DELETE FROM pricing_customertally")
    assert coupons(now).differences == [
        Finding(subject="coupon TEN", detail="counted 1 uses, of which redemptions keep 2"),
        Finding(
            subject="coupon TEN, one customer",
            detail="counted 0 uses, of which redemptions keep 2",
        ),
    ]


def test_orders_that_ended_keep_nothing(order: Order, now: datetime) -> None:
    orders.placed({"A": 1}, coupons=["TEN"], payment=orders.DECLINED, now=now)
    cancelled = orders.placed({"A": 1}, coupons=["TEN"], now=now)
    cancel_order(order_id=cancelled.id, reason="customer_request", now=now)

    assert differences(now) == []


def test_what_is_used_up_for_no_order_is_a_difference(now: datetime) -> None:
    ten = pricing.coupon("TEN", now=now, usage_limit=1)
    nobody = new_id()
    redeem(order_id=nobody, uses=[ten], customer_key="ann", now=now)

    assert differences(now) == [f"redemption {nobody}: kept since 2026-03-02 09:30:00, no order"]


def test_what_an_order_uses_before_it_is_written_down_is_in_flight(now: datetime) -> None:
    ten = pricing.coupon("TEN", now=now, usage_limit=1)
    redeem(order_id=new_id(), uses=[ten], customer_key="ann", now=now)

    checks = compare_books(now=now, due=now - timedelta(seconds=1))
    (check,) = [check for check in checks if check.name == "coupons"]

    assert (check.in_flight, check.differences) == (1, [])


@pytest.mark.parametrize("status", ["REJECTED", "CANCELLED"])
def test_what_an_order_keeps_that_has_ended_is_a_difference(
    order: Order, sql: Sql, now: datetime, status: str
) -> None:
    sql("orders", "UPDATE orders_order SET status = %s WHERE id = %s", status, order.id)

    assert differences(now) == [
        f"redemption {order.id}: kept since 2026-03-02 09:30:00, order {order.number} has ended"
    ]


def test_an_order_that_is_being_ended_may_keep_it_for_a_moment(
    order: Order, sql: Sql, now: datetime
) -> None:
    sql(
        "orders",
        "UPDATE orders_order"
        " SET status = 'CANCELLED', unsettled_since = placed_at, settle_at = placed_at"
        " WHERE id = %s",
        order.id,
    )

    checks = compare_books(now=now, due=now - timedelta(seconds=1))
    (check,) = [check for check in checks if check.name == "coupons"]

    assert (check.in_flight, check.differences) == (1, [])


def test_an_order_that_used_a_coupon_which_nobody_redeemed_is_a_difference(
    order: Order, sql: Sql, now: datetime
) -> None:
    set_status(sql, order.id, "RETURNED")

    assert (
        f"order {order.number} {order.id}: uses what has a limit, and keeps no redemption"
        in differences(now)
    )


def test_a_redemption_that_its_order_does_not_know_of_is_a_difference(
    now: datetime,
) -> None:
    ten = pricing.coupon("TEN", now=now, usage_limit=1)
    plain = orders.placed({"A": 1}, now=now)
    redeem(order_id=plain.id, uses=[ten], customer_key="ann", now=now)

    assert differences(now) == [
        f"redemption {plain.id}: kept since 2026-03-02 09:30:00,"
        f" order {plain.number} uses nothing that has a limit"
    ]


def test_a_redemption_of_another_coupon_is_a_difference(
    order: Order, sql: Sql, now: datetime
) -> None:
    sql("pricing", "UPDATE pricing_redemptionuse SET coupon = 'TWENTY' WHERE redemption_id = %s"
        " AND owner_id <> promotion_id", order.id)  # fmt: skip

    assert (
        f"redemption {order.id}: kept since 2026-03-02 09:30:00,"
        f" TWENTY, order {order.number} uses TEN"
    ) in differences(now)
