from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.conf import settings as django_settings

from infrastructure.http.limits import RedisLimiter
from infrastructure.http.policies import Policy

# So slow to come back that nothing comes back while a test runs.
HUNDRED = Policy("export", 100, 86_400)


@pytest.fixture
def identity() -> str:
    return f"test:{uuid4()}"


@pytest.fixture
def limiter() -> RedisLimiter:
    # Fifty threads on two cores need more than the 50 ms that a web process grants.
    return RedisLimiter(django_settings.REDIS_CACHE_URL, timeout_s=10)


CHILD = """
import sys
from concurrent.futures import ThreadPoolExecutor
import django; django.setup()
from django.conf import settings
from infrastructure.http.limits import RedisLimiter
from infrastructure.http.policies import Policy
limiter = RedisLimiter(settings.REDIS_CACHE_URL, timeout_s=10)
policy = Policy("export", 100, 86_400)
def charge(_):
    decision = limiter.charge(sys.argv[1], [policy])
    assert decision is not None
    return decision.allowed
with ThreadPoolExecutor(50) as threads:
    print("allowed", sum(threads.map(charge, range(100))))
"""


def test_fifty_threads_in_each_of_four_processes_get_exactly_the_budget(identity: str) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD, identity], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    outputs = [child.communicate(timeout=200)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0, 0, 0]
    assert sum(int(output.split("allowed ")[1]) for output in outputs) == 100


def test_threads_of_one_process_get_exactly_the_budget(
    limiter: RedisLimiter, identity: str
) -> None:
    def charge(_: int) -> bool:
        decision = limiter.charge(identity, [HUNDRED])
        assert decision is not None
        return decision.allowed

    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(charge, range(300))) == 100


def test_what_is_left_and_when_it_is_full_again(limiter: RedisLimiter, identity: str) -> None:
    policy = Policy("login", 3, 3600)
    decisions = [limiter.charge(identity, [policy]) for _ in range(4)]
    assert all(decisions)
    # Of Redis's own clock: a busy machine takes a few seconds for all of them.
    found = [(d.allowed, d.remaining, round(d.reset_s, -2)) for d in decisions if d]
    assert found == [(True, 2, 1200), (True, 1, 2400), (True, 0, 3600), (False, 0, 3600)]
    assert decisions[3] is not None
    assert round(decisions[3].retry_after_s, -2) == 1200


def test_of_several_budgets_all_are_charged_or_none(limiter: RedisLimiter, identity: str) -> None:
    one = Policy("one", 1, 86_400)
    first = limiter.charge(identity, [HUNDRED, one])
    refused = limiter.charge(identity, [HUNDRED, one])
    other = limiter.charge(identity, [HUNDRED])
    assert first is not None
    assert refused is not None
    assert other is not None
    assert (first.policy, first.allowed) == (one, True)
    assert (refused.policy, refused.allowed) == (one, False)
    assert other.remaining == 98


def test_keys_tell_nothing_about_the_caller_and_go_when_the_budget_is_full(
    limiter: RedisLimiter, settings: Any
) -> None:
    identity = "ip:203.0.113.9"
    limiter.charge(identity, [Policy("unique-to-this-test", 10, 600)])
    client = redis.Redis.from_url(settings.REDIS_CACHE_URL)
    (key,) = client.keys("rl:*:unique-to-this-test")
    assert b"203.0.113.9" not in key
    assert 0 < client.pttl(key) <= 60_000
    client.close()


def test_a_restarted_redis_gets_the_script_again(
    limiter: RedisLimiter, identity: str, settings: Any
) -> None:
    limiter.charge(identity, [HUNDRED])
    client = redis.Redis.from_url(settings.REDIS_CACHE_URL)
    client.script_flush()
    client.close()
    decision = limiter.charge(identity, [HUNDRED])
    assert decision is not None
    assert decision.remaining == 98


def test_a_connection_that_broke_is_made_anew_after_the_pause(identity: str, settings: Any) -> None:
    now_s = 1000.0
    limiter = RedisLimiter(settings.REDIS_CACHE_URL, clock=lambda: now_s, timeout_s=10)
    assert limiter.charge(identity, [HUNDRED]) is not None
    limiter._thread.connection._sock.close()
    assert limiter.charge(identity, [HUNDRED]) is None
    now_s += 5.0
    decision = limiter.charge(identity, [HUNDRED])
    assert decision is not None
    assert decision.remaining == 98
