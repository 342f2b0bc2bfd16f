from __future__ import annotations

from typing import Any

import pytest
import redis
from django.test import Client

from infrastructure.http import limits
from infrastructure.http.errors import RateLimited
from infrastructure.http.limits import LocalLimiter, RedisLimiter, policy_named
from infrastructure.http.policies import Policy, faults_in

NOWHERE = "redis://127.0.0.1:9/0"
FIVE = Policy("login", 5, 60)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_policies_are_written_as_requests_in_a_window(settings: Any) -> None:
    settings.RATE_LIMITS = {"default": "600/min", "export": "5/day", "off": None, "odd": "lots"}
    assert policy_named("default") == Policy("default", 600, 60)
    assert policy_named("export") == Policy("export", 5, 86_400)
    assert policy_named("off") is None
    with pytest.raises(ValueError, match=r"odd is 'lots', not like '600/min'"):
        policy_named("odd")


def test_what_an_installation_writes_wrongly_is_named() -> None:
    known = ["login", "search", "refresh", "checkout"]
    written = {"login": "9/min", "search": None, "refresh": "0/min", "checkout": "lots", "x": "1/s"}
    assert list(faults_in(written, known)) == [
        "RATE_LIMITS: refresh is '0/min', not like '600/min'",
        "RATE_LIMITS: checkout is 'lots', not like '600/min'",
        "RATE_LIMITS: x is none of checkout, login, refresh, search",
    ]


def test_a_budget_is_spent_at_once_and_comes_back_evenly() -> None:
    clock = Clock()
    limiter = LocalLimiter(clock=clock)
    decisions = [limiter.charge("a", [FIVE]) for _ in range(6)]
    assert [decision.allowed for decision in decisions] == [True] * 5 + [False]
    assert [decision.remaining for decision in decisions] == [4, 3, 2, 1, 0, 0]
    assert decisions[5].headers == {
        "RateLimit-Policy": '"login";q=5;w=60',
        "RateLimit": '"login";r=0;t=60',
        "Retry-After": "12",
    }
    assert limiter.charge("b", [FIVE]).allowed
    clock.now += 12
    assert limiter.charge("a", [FIVE]).allowed
    assert not limiter.charge("a", [FIVE]).allowed
    clock.now += 600
    assert limiter.charge("a", [FIVE]).remaining == 4


def test_of_several_budgets_all_are_charged_or_none() -> None:
    limiter = LocalLimiter(clock=Clock())
    one, many = Policy("one", 1, 60), Policy("many", 10, 60)
    assert limiter.charge("a", [many, one]).policy == one
    refused = limiter.charge("a", [many, one])
    assert (refused.allowed, refused.policy) == (False, one)
    assert limiter.charge("a", [many]).remaining == 8


def test_the_limiter_of_a_process_forgets_who_has_a_full_budget() -> None:
    clock = Clock()
    limiter = LocalLimiter(clock=clock)
    for number in range(LocalLimiter.MOST_KEYS):
        limiter.charge(str(number), [FIVE])
    clock.now += 61
    limiter.charge("last", [FIVE])
    assert len(limiter._full_at) == 1


def test_without_redis_only_the_policies_that_must_be_are_limited(settings: Any) -> None:
    settings.RATE_LIMITS_FALL_BACK = ["login"]
    limiter = RedisLimiter(NOWHERE, clock=Clock())
    for _ in range(20):
        assert limiter.charge("a", [Policy("search", 1, 60)]) is None
    decisions = [limiter.charge("a", [FIVE]) for _ in range(6)]
    assert [decision and decision.allowed for decision in decisions] == [True] * 5 + [False]


def test_a_redis_that_failed_is_left_alone_for_five_seconds(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    clock, asked = Clock(), []

    def fail(*_: object) -> None:
        asked.append(clock.now)
        raise redis.ConnectionError

    limiter = RedisLimiter(NOWHERE, clock=clock)
    monkeypatch.setattr(limiter, "_charge", fail)
    for _ in range(3):
        limiter.charge("a", [FIVE])
    clock.now += 5
    limiter.charge("a", [FIVE])
    assert asked == [1000.0, 1005.0]


def test_a_used_up_budget_is_429_with_the_time_to_wait(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"anonymous": "2/min"}
    local = LocalLimiter(clock=Clock())
    monkeypatch.setattr(limits, "_limiter", lambda: local)
    api = Client()
    first, second, third = (api.get("/api/v1/things") for _ in range(3))
    assert (first.status_code, second.status_code, third.status_code) == (200, 200, 429)
    assert first.headers["RateLimit-Policy"] == '"anonymous";q=2;w=60'
    assert first.headers["RateLimit"] == '"anonymous";r=1;t=30'
    assert "Retry-After" not in first.headers
    assert third.headers["Retry-After"] == "30"
    assert third.headers["RateLimit"] == '"anonymous";r=0;t=60'
    assert third.json()["code"] == "rate_limited"


def test_a_service_charges_an_account_by_name(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"login_account": "1/min"}
    local = LocalLimiter(clock=Clock())
    monkeypatch.setattr(limits, "_limiter", lambda: local)
    limits.charge("account:1", "login_account")
    with pytest.raises(RateLimited):
        limits.charge("account:1", "login_account")
    limits.charge("account:2", "login_account")


def test_where_limits_are_off_nobody_is_asked(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(limits, "_limiter", lambda: pytest.fail("asked"))
    assert limits.charge("a", "default", "checkout") is None
