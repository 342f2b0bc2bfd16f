"""The probes of an orchestrator.

Live means the process answers. Ready means it can do its work, which is to say it reaches its
databases; not Redis, Kafka or a gateway, without which the shop degrades but serves, and whose
outage would otherwise take all replicas out at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec
from django.db import connections
from django.http import HttpRequest, HttpResponse

from infrastructure.database.contexts import aliases

TIMEOUT_S = 1.0
KEPT_S = 1.0


class Readiness:
    """Asks every database for a sign of life, at most once a second and for at most a second.

    The question is put by a thread of its own: a database that hangs cannot hold up the probe.
    """

    def __init__(
        self,
        check: Callable[[], dict[str, str]],
        *,
        clock: Callable[[], float] = time.monotonic,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._check, self._clock, self._timeout_s = check, clock, timeout_s
        self._lock = threading.Lock()
        self._thread: ThreadPoolExecutor | None = None
        self._asked: Future[dict[str, str]] | None = None
        self._asked_at = float("-inf")

    def failures(self) -> dict[str, str]:
        """Database -> what is wrong with it; empty when ready."""
        with self._lock:
            now = self._clock()
            if self._asked is None or (self._asked.done() and now - self._asked_at >= KEPT_S):
                if self._thread is None:
                    self._thread = ThreadPoolExecutor(1, thread_name_prefix="readiness")
                self._asked, self._asked_at = self._thread.submit(self._check), now
            asked = self._asked
        try:
            return asked.result(timeout=self._timeout_s)
        except TimeoutError:
            return {"databases": "timeout"}


def database_failures() -> dict[str, str]:
    failures = {}
    for alias in aliases():
        connection = connections[alias]
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except Exception as error:
            failures[alias] = type(error).__name__
            connection.close()
    return failures


readiness = Readiness(database_failures)


def live(_request: HttpRequest) -> HttpResponse:
    return _answer({"status": "live"}, 200)


def ready(_request: HttpRequest) -> HttpResponse:
    failures = readiness.failures()
    if failures:
        return _answer({"status": "not ready", "failures": failures}, 503)
    return _answer({"status": "ready"}, 200)


def _answer(body: dict[str, object], status: int) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(body), status=status, content_type="application/json")
