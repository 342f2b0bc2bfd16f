"""kill -9 of the relay between sending and marking, and of the consumer in a batch."""

from __future__ import annotations

import sys

import pytest

from tests.faults import consumer, relay
from tests.support.stack.books import require_agreement
from tests.support.stack.buyers import Buyer, Load
from tests.support.stack.shop import Shop
from tests.support.waiting import until

pytestmark = [
    pytest.mark.faults,
    pytest.mark.kafka,
    pytest.mark.timeout(600),
]


@pytest.mark.parametrize("rounds", [pytest.param(10, marks=pytest.mark.long)])
def test_a_relay_killed_before_or_after_marking_what_it_sent_loses_nothing(
    shop: Shop, buyer: Buyer, goods: list[str], rounds: int
) -> None:
    before = messages_that_came_twice(require_agreement(shop))
    with Load(buyer, skus=goods, threads=2):
        shop.kill_role("relay")
        for _ in range(rounds):
            for point in relay.POINTS:
                let_it_die(shop, "relay", "tests.faults.relay", DIE_AT=point)
        shop.start_role("relay")
    checks = require_agreement(shop, buyer)
    # Whoever was killed before marking had sent events, and the next one did not know.
    assert messages_that_came_twice(checks) >= before + rounds


@pytest.mark.parametrize("rounds", [pytest.param(7, marks=pytest.mark.long)])
def test_a_consumer_killed_in_a_batch_handles_every_event_once(
    shop: Shop, buyer: Buyer, goods: list[str], rounds: int
) -> None:
    with Load(buyer, skus=goods, threads=2):
        shop.kill_role("consumer")
        for _ in range(rounds):
            for point in consumer.POINTS:
                let_it_die(shop, "consumer", "tests.faults.consumer", DIE_AT=point)
        shop.start_role("consumer")
    require_agreement(shop, buyer)


def let_it_die(shop: Shop, role: str, module: str, **environment: str) -> None:
    """Run a role that kills itself at its fault point, until it has."""
    child = shop.start_role(role, [sys.executable, "-m", module], **environment)
    until(lambda: not child.is_running, f"{role} {environment} has killed itself")
    assert child.how_it_ended() == "was ended by SIGKILL", child.last_words(40)
    shop.kill_role(role)


def messages_that_came_twice(checks: dict[str, dict[str, str]]) -> int:
    note = checks["events"]["note"]
    return int(note.split()[0]) if note.endswith("came twice") else 0
