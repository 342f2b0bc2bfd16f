"""Caches as processes have them, for tests that look inside."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from infrastructure.cache import installed, messages
from infrastructure.cache.breaker import Breaker
from infrastructure.cache.entries import Loaded
from infrastructure.cache.local import LocalCache
from infrastructure.cache.shared import REMEMBERED_TAGS, SharedCache
from infrastructure.cache.tiers import Cache
from tests.support.waiting import until


def new_cache(
    url: str,
    prefix: str,
    *,
    seconds: float = 30,
    clock: Callable[[], float] = time.time,
    timeout_s: float = 10.0,
    most_tags: int = REMEMBERED_TAGS,
    breaker: Breaker | None = None,
) -> Cache:
    """With a time-out that hundreds of threads on few cores do not run into."""
    return Cache(
        LocalCache(most_entries=1_000, most_bytes=10_000_000, clock=clock),
        SharedCache(url, prefix=prefix, timeout_s=timeout_s, most_tags=most_tags, breaker=breaker),
        seconds=seconds,
        wait_s=20.0,
        clock=clock,
    )


def listening(cache: Cache) -> Cache:
    cache.listener.start()
    until(lambda: cache.local.is_live)
    return cache


@contextmanager
def installed_cache(settings: Any, prefix: str) -> Iterator[Cache]:
    """The cache of this process, switched on, listening and empty."""
    settings.CACHE_ENABLED = True
    settings.CACHE_PREFIX = prefix
    installed.forget()
    try:
        yield listening(installed.installed())
    finally:
        installed.forget()


def loaded(value: object, *tags: str, changes_at: float | None = None) -> Loaded:
    return Loaded(body=msgspec.json.encode(value), tags=frozenset(tags), changes_at=changes_at)


def invalidate(cache: Cache, tags: Iterable[str]) -> None:
    """As another process would."""
    cache.shared.invalidate(tags, messages.written)
