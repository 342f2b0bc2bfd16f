"""Keeps the first tier honest: a thread that hears of every invalidation, in every process.

While it is not certain to hear them, the process answers nothing from its memory. Every new
subscription begins with an empty memory, since nobody knows what was said before it.
"""

from __future__ import annotations

import threading
import time

import msgspec
import redis
import structlog
from redis.connection import ConnectionInterface

from infrastructure.cache import messages, metrics
from infrastructure.cache.local import LocalCache
from infrastructure.cache.shared import SharedCache

log = structlog.get_logger(__name__)

# Redis is asked for a sign of life after so long a silence, and trusted so long after its last;
# after so many silences the connection is given up.
ASK_SECONDS = 0.25
TRUST_SECONDS = 1.0
MOST_SILENCES = 10
AGAIN_SECONDS = 0.2


class Listener:
    """The thread starts with the first read of a process, so that it outlives no fork."""

    def __init__(self, local: LocalCache, shared: SharedCache) -> None:
        self._local, self._shared = local, shared
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        # Whether there was a time in which something may have been said to nobody.
        self._has_missed = False

    def start(self) -> None:
        """Listen from now on; nothing if it does already."""
        if self._thread is None:
            with self._lock:
                if self._thread is None and not self._stopping.is_set():
                    self._thread = threading.Thread(
                        target=self._run, name="cache-listener", daemon=True
                    )
                    self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        thread = self._thread
        if thread is not None:
            thread.join(timeout=5)

    def _run(self) -> None:
        heard = True
        while not self._stopping.is_set():
            connection = None
            try:
                connection = self._shared.connection()
                self._listen(connection)
            except (redis.RedisError, OSError) as error:
                self._has_missed = True
                if heard:
                    log.warning("cache_listener_deaf", reason=type(error).__name__)
                heard = False
            except Exception:
                log.exception("cache_listener_failed")
            else:
                heard = True
            finally:
                self._local.trust(0)
                metrics.LISTENER_LIVE.set(0)
                if connection is not None:
                    connection.disconnect()
            self._stopping.wait(AGAIN_SECONDS)

    def _listen(self, connection: ConnectionInterface) -> None:
        connection.send_command("SUBSCRIBE", self._shared.channel, check_health=False)
        silences = 0
        while not self._stopping.is_set():
            if not connection.can_read(timeout=ASK_SECONDS):
                silences += 1
                if silences > MOST_SILENCES:
                    raise redis.TimeoutError("No sign of life.")
                if silences == 1:
                    connection.send_command("PING", check_health=False)
                continue
            silences = 0
            answer = connection.read_response(disconnect_on_error=True)
            kind = answer[0] if isinstance(answer, list) else answer
            if kind == b"subscribe":
                self._subscribed()
                metrics.LISTENER_STARTS.inc()
                metrics.LISTENER_LIVE.set(1)
            elif kind == b"message":
                self._hear(answer[2])
            # Whatever arrived, everything that was said before it has been heard.
            self._local.trust(TRUST_SECONDS)
            metrics.ENTRIES.set(len(self._local))
            metrics.BYTES.set(self._local.bytes)

    def _subscribed(self) -> None:
        self._local.clear()
        if self._has_missed:
            # Somebody may not have been able to say what changed, and Redis may have forgotten it.
            self._shared.distrust(before=time.time())
        self._has_missed = True

    def _hear(self, data: bytes) -> None:
        try:
            message = messages.read(data)
        except msgspec.MsgspecError:
            # Of another release; whatever it says, nothing of ours is certain any more.
            self._local.clear()
            return
        metrics.DROPPED.inc(self._local.drop(message.tags))
        metrics.LAG.observe(max(time.time() - message.at, 0.0))
