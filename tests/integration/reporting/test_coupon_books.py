"""The audit compares counted uses with the redemptions that are kept."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from domains.pricing.public import redeem
from domains.reporting.queries.books import compare_books
from domains.reporting.rules.findings import Check, Finding
from infrastructure.database.contexts import connection_of
from infrastructure.ids import new_id
from tests.support.factories import pricing

pytestmark = pytest.mark.django_db


def coupons(now: datetime) -> Check:
    checks = compare_books(now=now, due=now + timedelta(hours=1))
    return next(check for check in checks if check.name == "coupons")


def test_uses_that_nobody_counted_are_found(now: datetime) -> None:
    ten = pricing.coupon("TEN", now=now, usage_limit_per_customer=3)
    for _ in range(2):
        redeem(order_id=new_id(), uses=[ten], customer_key="ann", now=now)
    right = coupons(now)
    # The coupon, its promotion, and Ann's own counter.
    assert (right.rows, right.differences) == (3, [])

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
