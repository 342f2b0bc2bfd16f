"""The cache of this process, as the settings describe it."""

from __future__ import annotations

import os
import threading

from django.conf import settings

from infrastructure.cache.local import LocalCache
from infrastructure.cache.shared import SharedCache
from infrastructure.cache.tiers import Cache

_cache: Cache | None = None
_lock = threading.Lock()


def installed() -> Cache:
    return _cache or _install()


def _install() -> Cache:
    global _cache
    with _lock:
        if _cache is None:
            _cache = Cache(
                LocalCache(
                    most_entries=settings.CACHE_L1_ENTRIES, most_bytes=settings.CACHE_L1_BYTES
                ),
                SharedCache(
                    settings.REDIS_CACHE_URL,
                    prefix=settings.CACHE_PREFIX,
                    timeout_s=settings.CACHE_REDIS_TIMEOUT_SECONDS,
                ),
                seconds=settings.CACHE_SECONDS,
            )
        return _cache


def forget() -> None:
    """Build it anew at the next use, as after a change of settings."""
    global _cache
    with _lock:
        cache, _cache = _cache, None
    if cache is not None:
        cache.listener.stop()


def _forget_in_child() -> None:
    global _cache, _lock
    _cache, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_in_child)
