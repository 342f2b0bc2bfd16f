"""Saying that something changed: by the handler of the event that tells it, and beforehand, as a
hint after the commit, which carries no fact and may be lost."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

import redis
import structlog
from django.conf import settings
from django.db import connections, transaction

from infrastructure.cache import messages, metrics
from infrastructure.cache.installed import installed
from infrastructure.database.contexts import note_shown

log = structlog.get_logger(__name__)

# What Redis could not be told is told again after so long, and again.
AGAIN_SECONDS = 0.2
# With more tags than this waiting, what is in the cache expires sooner than they could be told.
MOST_WAITING = 100_000

_waiting: set[str] = set()
_lock = threading.Lock()
_teller: threading.Thread | None = None


def matters(since: datetime, *, now: datetime) -> bool:
    """Whether something that was loaded before an event at `since` may still be shown.

    Longer ago than twice the life of an entry nothing is; so a replay costs nothing, and an outage
    of Redis does not hold up a consumer for longer than that.
    """
    return settings.CACHE_ENABLED and now - since <= timedelta(seconds=2 * settings.CACHE_SECONDS)


def invalidate(tags: Iterable[str]) -> None:
    """Let nobody be shown what was loaded before, anywhere. For the handlers of events.

    Raises redis.RedisError, to be called again.
    """
    if settings.CACHE_ENABLED:
        _tell(list(dict.fromkeys(tags)))


def after_commit(alias: str, tags: Iterable[str], *, shown: bool = True) -> None:
    """The hint of a command: the same, once the running transaction, if any, has committed.

    shown: whether cached pages show it, so that whoever changed it has to be told of its position.
    It never fails: what Redis cannot be told now, a thread tells it as soon as it answers.
    """
    if not settings.CACHE_ENABLED:
        return
    if shown:
        note_shown(alias)
    some = list(dict.fromkeys(tags))
    if connections[alias].in_atomic_block:
        transaction.on_commit(partial(_hint, some), using=alias, robust=True)
    else:
        _hint(some)


def _tell(tags: list[str]) -> None:
    cache = installed()
    # This process need not wait until it hears itself.
    metrics.DROPPED.inc(cache.local.drop(tags))
    cache.shared.invalidate(tags, messages.written)
    metrics.TOLD.inc(len(tags))


def _hint(tags: list[str]) -> None:
    cache = installed()
    if not cache.shared.is_away:
        try:
            _tell(tags)
            return
        except redis.RedisError:
            pass
    cache.local.drop(tags)
    metrics.UNTOLD.inc(len(tags))
    with _lock:
        if len(_waiting) + len(tags) > MOST_WAITING:
            log.error("cache_hints_lost", tags=len(_waiting))
            _waiting.clear()
        _waiting.update(tags)
    _start()


def _start() -> None:
    global _teller
    with _lock:
        if _teller is None or not _teller.is_alive():
            _teller = threading.Thread(target=_tell_waiting, name="cache-hints", daemon=True)
            _teller.start()


def _tell_waiting() -> None:
    global _teller
    pause = threading.Event()
    while True:
        with _lock:
            tags = list(_waiting)
            # Taken out first: what is hinted at again from now on has to be told again.
            _waiting.clear()
            if not tags:
                _teller = None
                return
        try:
            _tell(tags)
        except redis.RedisError:
            with _lock:
                _waiting.update(tags)
            pause.wait(AGAIN_SECONDS)


def _forget_thread() -> None:
    """Threads do not survive a fork; what the parent has to tell, the parent tells."""
    global _teller, _lock
    _teller, _lock = None, threading.Lock()
    _waiting.clear()


os.register_at_fork(after_in_child=_forget_thread)
