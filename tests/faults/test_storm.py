"""Whatever dies, and whenever: a minute of kills at random under orders."""

from __future__ import annotations

import random
import time

import pytest

from tests.support.stack.books import require_agreement
from tests.support.stack.buyers import Buyer, Load
from tests.support.stack.shop import Shop

pytestmark = [
    pytest.mark.faults,
    pytest.mark.kafka,
    pytest.mark.long,
    pytest.mark.timeout(900),
]

SECONDS = 60
ROLES = ("web", "relay", "consumer", "worker", "beat", "gateway")
SERVERS = ("postgres", "redis", "kafka")


@pytest.mark.usefixtures("normal_gateway")
@pytest.mark.parametrize("seed", [1, 2])
def test_a_minute_of_kills_of_roles_and_servers_leaves_agreeing_books(
    shop: Shop, buyer: Buyer, goods: list[str], seed: int
) -> None:
    chance = random.Random(seed)
    shop.set_gateway(latency_ms=20)
    with Load(buyer, skus=goods, threads=4):
        ends_at = time.monotonic() + SECONDS
        while time.monotonic() < ends_at:
            time.sleep(chance.uniform(0.2, 3))
            if chance.random() < 0.2:
                with shop.away(chance.choice(SERVERS), seconds=chance.uniform(0, 3)):
                    pass
            else:
                shop.restart_role(chance.choice(ROLES))
        shop.wait_until_ready()
    require_agreement(shop, buyer)
    assert {told.status for told in buyer.journal} <= {201, 202, 402}
