"""Many threads and processes on few coupons: never one too many, never half, never twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings

from domains.pricing.models import CustomerTally, Redemption, RedemptionUse, Tally
from domains.pricing.public import Redeemed, Refused, Returned, Use, give_back, redeem
from infrastructure.database.threads import in_threads
from infrastructure.ids import new_id
from tests.support.coupons import assert_uses_are_right
from tests.support.factories import pricing
from tests.support.messaging import process_environment
from tests.support.pricing_process import hot

pytestmark = pytest.mark.django_db(transaction=True)


def race(uses: Any, *, times: int, now: datetime, customers: int | None = None) -> Counter[type]:
    """So many orders at once; customers: how many people place them, None for one each."""
    outcomes: list[object] = []

    def order(number: int) -> None:
        who = number if customers is None else number % customers
        # Each names them in another order.
        mine = list(uses) if number % 2 else list(reversed(uses))
        outcomes.append(redeem(order_id=new_id(), uses=mine, customer_key=f"c{who}", now=now))

    in_threads(order, range(times), threads=12)
    return Counter(type(outcome) for outcome in outcomes)


def test_100_buyers_share_10_uses(now: datetime) -> None:
    hot = pricing.coupon("HOT", now=now, usage_limit=10)
    assert race([hot], times=100, now=now) == {Redeemed: 10, Refused: 90}
    assert Redemption.objects.count() == RedemptionUse.objects.count() == 10
    assert_uses_are_right()


def test_several_coupons_are_used_together_or_not_at_all(now: datetime) -> None:
    uses = [
        pricing.coupon("HOT1", now=now, usage_limit=10),
        pricing.coupon("HOT2", now=now, usage_limit=7, usage_limit_per_customer=3),
        Use(promotion_id=pricing.promotion(now=now, usage_limit=50), coupon=None),
    ]
    assert race(uses, times=60, now=now) == {Redeemed: 7, Refused: 53}
    assert RedemptionUse.objects.count() == 21
    assert_uses_are_right()


def test_a_customer_does_not_pass_their_limit_by_hurrying(now: datetime) -> None:
    hot = pricing.coupon("HOT", now=now, usage_limit_per_customer=2)
    assert race([hot], times=60, customers=5, now=now) == {Redeemed: 10, Refused: 50}
    assert list(CustomerTally.objects.values_list("used", flat=True)) == [2] * 5
    assert_uses_are_right()


def test_an_order_asks_many_times_at_once_and_uses_it_once(now: datetime) -> None:
    last = pricing.coupon("HOT", now=now, usage_limit=1, usage_limit_per_customer=1)
    orders = [new_id() for _ in range(3)]
    outcomes: dict[UUID, set[type]] = {order_id: set() for order_id in orders}

    def ask(number: int) -> None:
        order_id = orders[number % 3]
        outcome = redeem(order_id=order_id, uses=[last], customer_key="ann", now=now)
        outcomes[order_id].add(type(outcome))

    in_threads(ask, range(36), threads=12)
    assert sorted(outcomes.values(), key=str) == sorted([{Redeemed}, {Refused}, {Refused}], key=str)
    assert_uses_are_right()


def test_using_and_giving_back_at_once_ends_in_one_of_both(now: datetime) -> None:
    ten = pricing.coupon("HOT", now=now, usage_limit_per_customer=30)
    orders = [new_id() for _ in range(30)]
    outcomes: list[object] = []

    def act(number: int) -> None:
        order_id = orders[number // 2]
        if number % 2:
            outcomes.append(redeem(order_id=order_id, uses=[ten], customer_key="ann", now=now))
        else:
            outcomes.append(give_back(order_id=order_id, now=now))

    in_threads(act, range(60), threads=12)
    assert Redemption.objects.filter(status="RETURNED").count() == 30
    assert {type(outcome) for outcome in outcomes} <= {bool, Redeemed, Returned}
    assert set(Tally.objects.values_list("used", flat=True)) == {0}
    assert_uses_are_right()


def process(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.pricing_process", *arguments],
        cwd=settings.BASE_DIR,
        env=process_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.long
def test_buyers_in_several_processes_share_what_there_is(now: datetime) -> None:
    pricing.coupon("HOT", now=now, usage_limit=10)
    processes = [process("redeem", "50", "4", now.isoformat()) for _ in range(2)]
    printed = [one.communicate(timeout=120)[0].split() for one in processes]
    assert [one.returncode for one in processes] == [0, 0]
    assert sum(int(redeemed) for redeemed, _ in printed) == 10
    assert sum(int(asked) for _, asked in printed) == 100
    assert_uses_are_right()


def test_a_process_that_is_killed_leaves_whole_redemptions_or_none(now: datetime) -> None:
    for code in ("HOT1", "HOT2"):
        pricing.coupon(code, now=now, usage_limit_per_customer=100_000)
    asked: set[UUID] = set()
    with process("work", now.isoformat()) as one, process("work", now.isoformat()) as other:
        for killed in (one, other):
            assert killed.stdout is not None
            for _ in range(60):
                asked.add(UUID(killed.stdout.readline().strip()))
            os.kill(killed.pid, signal.SIGKILL)
            asked.update(UUID(line) for line in killed.stdout.read().split())
    assert_uses_are_right()
    for redemption in Redemption.objects.all():
        assert RedemptionUse.objects.filter(redemption=redemption).count() == 2
    # Whoever comes back asks again, and gets one answer.
    for order_id in asked:
        outcome = redeem(order_id=order_id, uses=hot(), customer_key="c0", now=now)
        assert outcome in (Redeemed(), Returned())
    assert Redemption.objects.count() == len(asked)
    assert_uses_are_right()
