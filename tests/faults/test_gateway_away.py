"""A gateway that comes and goes: failing, slow, killed, and well again, under orders."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest

from tests.support.stack.books import require_agreement
from tests.support.stack.buyers import Buyer, Load
from tests.support.stack.shop import Shop, until

pytestmark = [
    pytest.mark.faults,
    pytest.mark.kafka,
    pytest.mark.timeout(600),
]


@pytest.mark.usefixtures("normal_gateway")
@pytest.mark.parametrize(
    "ways",
    [["killed"], pytest.param(["failing", "slow", "killed"] * 3, marks=pytest.mark.long)],
)
def test_a_flapping_gateway_charges_nobody_for_nothing_and_keeps_no_reader_waiting(
    shop: Shop, buyer: Buyer, other_buyer: Buyer, goods: list[str], ways: list[str]
) -> None:
    def orders_are_refused() -> bool:
        answer = other_buyer.send(goods[0], key=uuid4().hex)
        if answer.status_code != 503:
            return False
        assert answer.json()["code"] == "payments_unavailable"
        assert int(answer.headers["Retry-After"]) >= 1
        return True

    def go_away_and_come_back(how: str) -> None:
        if how == "killed":
            shop.kill_role("gateway")
        else:
            shop.set_gateway(**{"failing": {"error_rate": 1}, "slow": {"latency_ms": 9_000}}[how])
        until(orders_are_refused, "orders are refused")
        for _ in range(20):
            assert shop.http.get("/api/v1/products?limit=5").status_code == 200
        if how == "killed":
            shop.start_role("gateway")
        else:
            shop.set_gateway()
        back = time.monotonic()
        until(lambda: load.confirmed_since(back) > 5, "orders go on")

    with Load(buyer, skus=goods) as load:
        for how in ways:
            go_away_and_come_back(how)
    require_agreement(shop, buyer)
    # Refused orders were sent again by their clients, and became orders.
    assert {told.status for told in buyer.journal} <= {201, 202, 402}
