"""Redis goes away, comes back, or loses a connection: slower meanwhile, and never wrong."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from django.db import connections, transaction
from django.test import Client

from devstack.valkey import Valkey
from infrastructure.cache import invalidation, listener
from infrastructure.cache.breaker import Breaker
from infrastructure.cache.tiers import Cache
from infrastructure.database.contexts import alias_of, atomic
from infrastructure.http import health
from tests.integration.infrastructure.cache.conftest import MakeCache
from tests.support.cached_source import Source
from tests.support.caches import installed_cache, listening
from tests.support.waiting import until

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@pytest.fixture
def cache(make_cache: MakeCache, valkey: Valkey) -> Cache:
    return listening(make_cache(valkey.url))


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def shop(settings: Any, valkey: Valkey, prefix: str) -> Iterator[Cache]:
    """The cache of this process, on a Redis that may be killed."""
    settings.REDIS_CACHE_URL = valkey.url
    with installed_cache(settings, prefix) as cache:
        yield cache


def test_a_killed_connection_empties_the_memory_and_is_replaced(
    cache: Cache, source: Source, valkey: Valkey
) -> None:
    source.seen_by(cache)
    assert len(cache.local) == 1
    before = cache.local.sequence
    source.value = 2
    with redis.Redis.from_url(valkey.url) as client:
        assert client.client_kill_filter(_type="pubsub") >= 1
    until(lambda: cache.local.sequence > before and cache.local.is_live)
    assert len(cache.local) == 0
    # That it changed was not heard; what was loaded before is not shown for all that.
    assert source.seen_by(cache) == 2


def test_without_redis_every_read_is_loaded_and_none_fails(
    cache: Cache, source: Source, valkey: Valkey
) -> None:
    source.seen_by(cache)
    valkey.kill()
    try:
        until(lambda: not cache.local.is_live)
        for value in (2, 3, 4):
            source.value = value
            assert source.seen_by(cache) == value
        assert cache.shared.is_away
    finally:
        valkey.start()
        valkey.wait_until_ready()
    until(lambda: cache.local.is_live)
    until(lambda: cache.shared.take("/other", "token").mark is not None)
    assert source.seen_by(cache) == 4
    loads = source.loads
    assert [source.seen_by(cache) for _ in range(3)] == [4, 4, 4]
    assert source.loads == loads


def test_redis_that_hangs_is_waited_for_once_and_then_left_alone(
    make_cache: MakeCache, source: Source, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    breaker = Breaker(rest_s=1, clock=lambda: now)
    cache = make_cache(valkey.url, timeout_s=0.5, breaker=breaker)

    def is_there() -> bool:
        nonlocal now
        now += 1
        return cache.shared.take("/other", "token").mark is not None

    monkeypatch.setattr(listener, "TRUST_SECONDS", 0.5)
    source.seen_by(cache)
    until(is_there)
    asked: list[str] = []
    ask = cache.shared._ask
    monkeypatch.setattr(
        cache.shared, "_ask", lambda *given: (asked.append("asked"), ask(*given))[1]
    )
    assert valkey.child is not None
    valkey.child.signal(signal.SIGSTOP)
    try:
        until(lambda: not cache.local.is_live)
        for value in range(2, 102):
            source.value = value
            assert source.seen_by(cache) == value
        assert asked == ["asked"]
    finally:
        valkey.child.signal(signal.SIGCONT)
    until(is_there)
    assert not cache.shared.is_away


def test_a_hint_that_redis_could_not_be_given_is_given_when_it_is_back(
    shop: Cache, source: Source, valkey: Valkey, make_cache: MakeCache
) -> None:
    source.seen_by(shop)
    valkey.kill()
    try:
        source.value = 2
        invalidation._hint(["lists"])
        assert len(shop.local) == 0
        assert invalidation._waiting == {"lists"}
    finally:
        valkey.start()
        valkey.wait_until_ready()
    until(lambda: not invalidation._waiting)
    until(lambda: shop.local.is_live)
    other = listening(make_cache(valkey.url))
    until(lambda: source.seen_by(other) == 2)
    assert source.seen_by(shop) == 2


def test_what_is_long_past_does_not_matter(settings: Any) -> None:
    settings.CACHE_ENABLED = True
    assert invalidation.matters(NOW, now=NOW + timedelta(seconds=60))
    assert not invalidation.matters(NOW, now=NOW + timedelta(seconds=61))


def test_a_handler_hears_that_redis_is_away(shop: Cache, valkey: Valkey) -> None:
    valkey.kill()
    try:
        with pytest.raises(redis.ConnectionError):
            invalidation.invalidate(["lists"])
    finally:
        valkey.start()
        valkey.wait_until_ready()
    until(lambda: shop.local.is_live)


def test_the_shop_stays_alive_and_ready_without_redis(
    settings: Any, valkey: Valkey, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    def failures() -> dict[str, str]:
        try:
            return health.database_failures()
        finally:
            connections.close_all()  # of its thread, which outlives the test

    monkeypatch.setattr(health, "readiness", health.Readiness(failures, timeout_s=60))
    settings.CACHE_ENABLED = True
    valkey.kill()
    try:
        for path in ("/health/live", "/health/ready"):
            assert Client().get(path).status_code == 200
    finally:
        valkey.start()
        valkey.wait_until_ready()


@pytest.mark.django_db(transaction=True)
def test_a_hint_waits_for_the_commit(shop: Cache, source: Source) -> None:
    source.seen_by(shop)
    with atomic("products"):
        invalidation.after_commit(alias_of("products"), ["lists"])
        source.value = 2
        assert source.seen_by(shop) == 1
    assert source.seen_by(shop) == 2


@pytest.mark.django_db(transaction=True)
def test_a_hint_of_what_was_rolled_back_is_not_given(shop: Cache, source: Source) -> None:
    source.seen_by(shop)
    with atomic("products"):
        invalidation.after_commit(alias_of("products"), ["lists"])
        transaction.set_rollback(True, using=alias_of("products"))
    assert len(shop.local) == 1


def test_a_hint_outside_a_transaction_is_given_at_once(
    shop: Cache, source: Source, transactional_db: None
) -> None:
    source.seen_by(shop)
    invalidation.after_commit(alias_of("products"), ["lists"])
    source.value = 2
    assert source.seen_by(shop) == 2


def test_where_the_cache_is_off_nobody_is_told(
    settings: Any, shop: Cache, transactional_db: None
) -> None:
    settings.CACHE_ENABLED = False
    before = shop.local.sequence
    invalidation.after_commit(alias_of("products"), ["lists"])
    invalidation.invalidate(["lists"])
    assert not invalidation.matters(NOW, now=NOW)
    assert shop.local.sequence == before
