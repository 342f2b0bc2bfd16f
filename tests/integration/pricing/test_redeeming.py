"""Using coupons: all or nothing, once, and never beyond a limit."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from domains.pricing.models import CustomerTally, Redemption, RedemptionUse, Tally
from domains.pricing.public import (
    Redeemed,
    RedemptionState,
    Refused,
    RefusedUse,
    Returned,
    Use,
    give_back,
    redeem,
    redemption_states,
)
from domains.pricing.services import coupons, promotions
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from infrastructure.outbox.models import OutboxMessage
from tests.support.coupons import assert_uses_are_right
from tests.support.factories import pricing

pytestmark = pytest.mark.django_db
ANN = "ann"


def used(*uses: Use, now: datetime, customer_key: str | None = ANN, **more: Any) -> Any:
    wanted = {"order_id": new_id()} | more
    return redeem(uses=uses, customer_key=customer_key, now=now, **wanted)


def facts() -> list[tuple[str, int]]:
    rows = OutboxMessage.objects.using(alias_of("pricing")).order_by("id")
    return [(row.name, row.sequence) for row in rows if not row.name.endswith("promotion_changed")]


def test_redeeming_is_one_statement_and_none_without_uses(
    now: datetime, django_assert_num_queries: Any
) -> None:
    ten = pricing.coupon(now=now)
    with django_assert_num_queries(0, using=alias_of("pricing")):
        assert used(now=now) == Redeemed()
    # The savepoint is there because the test runs in a transaction.
    with django_assert_num_queries(3, using=alias_of("pricing")):
        assert used(ten, now=now) == Redeemed()
    assert facts() == [("pricing.coupon_redeemed", 1)]
    assert_uses_are_right()


def test_an_order_uses_a_coupon_once_however_often_it_asks(now: datetime) -> None:
    last = pricing.coupon(now=now, usage_limit=1)
    order_id = new_id()
    for _ in range(3):
        assert used(last, now=now, order_id=order_id) == Redeemed()
    assert Tally.objects.get(used__gt=0).used == RedemptionUse.objects.count() == 1
    assert redemption_states([order_id, new_id()]) == {order_id: RedemptionState.REDEEMED}
    assert used(last, now=now) == Refused((RefusedUse(last, "coupon_used_up"),))
    assert Redemption.objects.count() == 1
    assert_uses_are_right()


def test_one_that_is_used_up_takes_the_others_with_it(now: datetime) -> None:
    ten, last = pricing.coupon(now=now), pricing.coupon("LAST", now=now, usage_limit=1)
    assert used(last, now=now) == Redeemed()
    outcome = used(ten, last, now=now)
    assert outcome == Refused((RefusedUse(last, "coupon_used_up"),))
    assert outcome.codes == ("coupon_used_up",)
    assert RedemptionUse.objects.count() == 1
    assert facts() == [("pricing.coupon_redeemed", 1)]
    assert_uses_are_right()


def test_each_customer_has_their_own_limit(now: datetime) -> None:
    twice = pricing.coupon(now=now, usage_limit_per_customer=2)
    assert [used(twice, now=now) for _ in range(2)] == [Redeemed(), Redeemed()]
    assert used(twice, now=now) == Refused((RefusedUse(twice, "coupon_used_up"),))
    assert used(twice, now=now, customer_key="bob") == Redeemed()
    unknown = used(twice, now=now, customer_key=None)
    assert unknown == Refused((RefusedUse(twice, "coupon_not_applicable"),))
    counted = CustomerTally.objects.order_by("customer_key").values_list("customer_key", "used")
    assert list(counted) == [("ann", 2), ("bob", 1)]
    assert_uses_are_right()


def test_a_limited_promotion_counts_whatever_coupon_brought_it(now: datetime) -> None:
    first = pricing.coupon("A", now=now, promotion={"usage_limit": 2})
    coupons.create_coupon(code="B", promotion_id=first.promotion_id, now=now)
    second = Use(promotion_id=first.promotion_id, coupon="B")
    assert [used(use, now=now) for use in (first, second)] == [Redeemed(), Redeemed()]
    assert used(first, now=now) == Refused((RefusedUse(first, "coupon_used_up"),))
    assert Tally.objects.get(pk=first.promotion_id).used == 2
    assert_uses_are_right()


def test_what_was_taken_back_meanwhile_is_refused(now: datetime) -> None:
    gone, paused = pricing.coupon("GONE", now=now), pricing.coupon("PAUSED", now=now)
    everybody = Use(promotion_id=pricing.promotion(now=now, usage_limit=5), coupon=None)
    unknown = Use(promotion_id=paused.promotion_id, coupon="NEVER")
    coupons.archive_coupon(code="GONE", version=None, now=now)
    for use in (paused, everybody):
        promotions.edit_promotion(
            promotion_id=use.promotion_id, version=None, now=now, active=False
        )
    for use in (gone, paused, everybody, unknown):
        assert used(use, now=now) == Refused((RefusedUse(use, "coupon_not_applicable"),))
    assert not Redemption.objects.exists()


def test_what_is_given_back_may_be_used_by_others(now: datetime) -> None:
    last = pricing.coupon(now=now, usage_limit=1, usage_limit_per_customer=1)
    order_id = new_id()
    used(last, now=now, order_id=order_id)
    assert give_back(order_id=order_id, now=now) is True
    assert give_back(order_id=order_id, now=now) is False
    assert redemption_states([order_id]) == {order_id: RedemptionState.RETURNED}
    assert used(last, now=now, order_id=order_id) == Returned()
    assert used(last, now=now) == Redeemed()
    assert facts() == [
        ("pricing.coupon_redeemed", 1),
        ("pricing.coupon_returned", 2),
        ("pricing.coupon_redeemed", 1),
    ]
    assert_uses_are_right()


def test_an_order_that_ended_uses_nothing_that_comes_late(now: datetime) -> None:
    ten = pricing.coupon(now=now)
    order_id = new_id()
    assert give_back(order_id=order_id, now=now) is False
    assert used(ten, now=now, order_id=order_id) == Returned()
    assert facts() == []
    assert_uses_are_right()


def test_a_limit_counts_from_when_it_was_set(now: datetime) -> None:
    ten = pricing.coupon(now=now)
    first = new_id()
    used(ten, now=now, order_id=first)
    promotions.edit_promotion(promotion_id=ten.promotion_id, version=None, now=now, usage_limit=1)
    assert used(ten, now=now) == Redeemed()
    assert used(ten, now=now) == Refused((RefusedUse(ten, "coupon_used_up"),))
    # What was counted before the limit is not taken off it.
    assert give_back(order_id=first, now=now) is True
    assert used(ten, now=now) == Refused((RefusedUse(ten, "coupon_used_up"),))
    assert_uses_are_right()
