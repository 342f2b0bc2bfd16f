"""Many who want the same at once."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.stack.books import require_agreement, stock_of
from tests.support.stack.buyers import Buyer
from tests.support.stack.shop import Shop
from tests.support.stack.staff import new_coupon, new_goods, set_price

pytestmark = [
    pytest.mark.faults,
    pytest.mark.kafka,
    pytest.mark.timeout(300),
]


def test_500_buyers_of_50_units_at_once_buy_exactly_50(shop: Shop) -> None:
    [sku] = new_goods(shop, on_hand=50)
    buyers = [Buyer.register(shop) for _ in range(5)]
    together = threading.Barrier(500)

    def buy(number: int) -> str:
        together.wait(60)
        return buyers[number % 5].buy(sku).outcome

    with ThreadPoolExecutor(500) as crowd:
        outcomes = Counter(crowd.map(buy, range(500)))
    assert outcomes == {"CONFIRMED": 50, "out_of_stock": 450}
    require_agreement(shop, *buyers)
    assert stock_of(shop, sku) == (50, 50)


@pytest.mark.usefixtures("normal_gateway")
def test_one_key_sent_20_times_at_once_makes_one_order(
    shop: Shop, buyer: Buyer, goods: list[str]
) -> None:
    shop.set_gateway(latency_ms=300)  # so that the others come while the first is at work
    together = threading.Barrier(20)

    def send(number: int) -> tuple[int, str, bool]:
        together.wait(60)
        answer = buyer.send(goods[0], key="one-key-for-20")
        body = answer.json()
        replayed = "Idempotency-Replayed" in answer.headers
        return answer.status_code, body.get("id") or body["code"], replayed

    with ThreadPoolExecutor(20) as crowd:
        answers = Counter(crowd.map(send, range(20)))

    told = buyer.buy(goods[0], key="one-key-for-20")
    assert told.headers["Idempotency-Replayed"] == "true"
    placed, replayed = (201, told.order_id, False), (201, told.order_id, True)
    assert answers[placed] == 1
    # The two others are told while the first is at work, and when it is for longer than it should.
    under_way = {(409, "in_progress", False), (202, told.order_id, True)}
    assert set(answers) <= {placed, replayed, *under_way}
    require_agreement(shop, buyer)
    assert stock_of(shop, goods[0])[1] == 1


def test_20_buyers_with_a_coupon_for_5_use_it_5_times(shop: Shop, goods: list[str]) -> None:
    code = new_coupon(shop, usage_limit=5)
    buyers = [Buyer.register(shop) for _ in range(5)]
    together = threading.Barrier(20)

    def buy(number: int) -> tuple[str, bool]:
        together.wait(60)
        told = buyers[number % 5].buy(goods[0], body={"coupons": [code]})
        return told.outcome, "coupon_used_up" in told.codes

    with ThreadPoolExecutor(20) as crowd:
        outcomes = Counter(crowd.map(buy, range(20)))
    assert outcomes == {("CONFIRMED", False): 5, ("quote_refused", True): 15}
    require_agreement(shop, *buyers)
    assert stock_of(shop, goods[0])[1] == 5
    paid = shop.query(
        "orders",
        "SELECT total_minor FROM orders_order WHERE coupons = %s AND status = 'CONFIRMED'",
        [f'["{code}"]'],
    )
    assert paid == [(350,)] * 5


def test_a_price_that_changed_meanwhile_orders_nothing(
    shop: Shop, buyer: Buyer, goods: list[str]
) -> None:
    shown = {"expected_total": {"amount": "4.50", "currency": "GBP"}}
    assert buyer.buy(goods[0], body=shown).outcome == "CONFIRMED"
    set_price(shop, goods[0], "4.75")

    told = buyer.buy(goods[0], body=shown)

    assert (told.status, told.outcome) == (409, "price_changed")
    (fault,) = told.body["errors"]
    assert (fault["pointer"], fault["current"]) == ("/expected_total", "4.75")
    again = {"expected_total": {"amount": "4.75", "currency": "GBP"}}
    assert buyer.buy(goods[0], body=again).outcome == "CONFIRMED"
    require_agreement(shop, buyer)
    assert stock_of(shop, goods[0])[1] == 2
