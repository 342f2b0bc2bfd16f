"""kill -9 of Kafka, Valkey, Postgres and the gateway, which come back later, under orders."""

from __future__ import annotations

import time

import pytest

from tests.faults.test_killed_web import key_of, place_and_kill
from tests.support.stack.books import require_agreement
from tests.support.stack.buyers import Buyer, Load, Told
from tests.support.stack.shop import Shop
from tests.support.waiting import until

pytestmark = [
    pytest.mark.faults,
    pytest.mark.kafka,
    pytest.mark.timeout(600),
]


def thoroughly(seconds: float) -> object:
    return pytest.param(seconds, marks=pytest.mark.long)


@pytest.mark.parametrize("seconds", [10, thoroughly(30)])
def test_while_kafka_is_away_orders_go_on_and_its_facts_arrive_later(
    shop: Shop, buyer: Buyer, goods: list[str], seconds: float
) -> None:
    with Load(buyer, skus=goods) as load:
        with shop.away("kafka", seconds=seconds):
            gone_at = time.monotonic()
        assert load.confirmed_since(gone_at) > 0
    require_agreement(shop, buyer)
    assert not any(told.broken for told in buyer.journal)


@pytest.mark.parametrize("seconds", [5, thoroughly(10)])
def test_while_valkey_is_away_orders_go_on_and_recovery_comes_back_with_it(
    shop: Shop, buyer: Buyer, other_buyer: Buyer, goods: list[str], seconds: float
) -> None:
    with Load(buyer, skus=goods) as load, shop.away("redis", seconds=seconds):
        gone_at = time.monotonic()
        until(lambda: load.confirmed_since(gone_at) > 0, "orders go on")
        assert not any(told.broken for told in list(buyer.journal))
        # Nobody but the recovery task takes this one up.
        left_behind = f"valkey away {seconds} s"
        place_and_kill(shop, other_buyer, goods[0], left_behind, "after=products:1")

    def decided() -> Told | None:
        shop.start_worker_again_if_redis_ended_it()
        told = other_buyer.buy(goods[0], key=key_of(other_buyer, left_behind))
        return None if told.outcome == "PENDING" else told

    told = until(decided, "recovery decides what was left behind")
    assert (told.outcome, told.headers["Idempotency-Replayed"]) == ("CONFIRMED", "true")
    require_agreement(shop, buyer, other_buyer)


@pytest.mark.parametrize("seconds", [5, thoroughly(10)])
def test_after_postgres_was_away_everybody_is_back_and_nothing_is_lost(
    shop: Shop, buyer: Buyer, goods: list[str], seconds: float
) -> None:
    with Load(buyer, skus=goods) as load:
        with shop.away("postgres", seconds=seconds):
            pass
        back_at = time.monotonic()
        until(lambda: load.confirmed_since(back_at) > 10, "orders go on")
    require_agreement(shop, buyer)
    assert any(told.broken for told in buyer.journal)
    assert {told.status for told in buyer.journal} <= {201, 202, 402}


@pytest.mark.usefixtures("normal_gateway")
def test_a_gateway_that_falls_silent_says_things_twice_and_dies_charges_nobody_for_nothing(
    shop: Shop, buyer: Buyer, goods: list[str]
) -> None:
    shop.set_gateway(
        latency_ms=20,
        timeout_after_success_rate=0.2,
        duplicate_rate=0.5,
        webhook_url=f"{shop.url}/api/v1/payments/webhooks/simulated",
    )
    with Load(buyer, skus=goods) as load:
        until(lambda: load.confirmed_since(0) > 20, "orders go on")
        shop.kill_role("gateway")
        killed_at = time.monotonic()
        # What it had not answered is undecided, so the client is told to come back.
        until(lambda: answered_since(buyer, killed_at, 202) > 0, "an order waits for the gateway")
        shop.start_role("gateway")
        back_at = time.monotonic()
        until(lambda: load.confirmed_since(back_at) > 10, "orders go on")
    require_agreement(shop, buyer)
    # Some were refused while nobody called it, and sent again.
    assert {told.status for told in buyer.journal} <= {201, 202, 402}


def answered_since(buyer: Buyer, moment: float, status: int) -> int:
    return sum(told.at > moment and told.status == status for told in list(buyer.journal))
