"""Tells the relay that there is something to fetch: a hint that may be lost, never a fact.

The relay polls anyway; the hint saves up to a tenth of a second where it had gone idle. It travels
outside the writing transaction, since NOTIFY inside it would take a lock that halves the rate of
commits, and on a thread of its own, so that a request pays for setting a flag and no more.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import redis
import structlog
from django.conf import settings
from django.db import connections, transaction

log = structlog.get_logger("outbox.hint")

# The relay keeps looking for longer than this after each hint, so more of them would tell nothing.
QUIET_SECONDS = 0.05

_rung = threading.Event()
_ringer: threading.Thread | None = None
_starting = threading.Lock()


def channel() -> str:
    return f"{settings.KAFKA_TOPIC_PREFIX}outbox"


def after_commit(alias: str) -> None:
    """Wake the relay once the running transaction, if any, has committed."""
    if connections[alias].in_atomic_block:
        transaction.on_commit(ring, using=alias, robust=True)
    else:
        ring()


def ring() -> None:
    """Wake the relay soon."""
    if not _rung.is_set():
        if _ringer is None:
            _start()
        _rung.set()


def _start() -> None:
    global _ringer
    with _starting:
        if _ringer is None:
            _ringer = threading.Thread(target=_publish_rings, name="outbox-hint", daemon=True)
            _ringer.start()


def _publish_rings() -> None:
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5
    )
    while True:
        _rung.wait()
        _rung.clear()
        try:
            client.publish(channel(), b"")
        except redis.RedisError as error:
            log.debug("hint_not_sent", reason=str(error))
            time.sleep(1)
        time.sleep(QUIET_SECONDS)


def _forget_thread() -> None:
    """Threads do not survive a fork."""
    global _ringer, _starting
    _ringer, _starting = None, threading.Lock()
    _rung.clear()


os.register_at_fork(after_in_child=_forget_thread)


def listen(wake: Callable[[], None], stopping: threading.Event) -> None:
    """Call `wake` at every hint until `stopping`; where Redis is away, quietly try again."""
    while not stopping.is_set():
        client = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=1
        )
        try:
            with client.pubsub(ignore_subscribe_messages=True) as subscription:
                subscription.subscribe(channel())
                while not stopping.is_set():
                    if subscription.get_message(timeout=0.5) is not None:
                        wake()
        except (redis.RedisError, OSError) as error:
            log.debug("hints_not_heard", reason=str(error))
            stopping.wait(1)
        finally:
            with suppress(redis.RedisError, OSError):
                client.close()
