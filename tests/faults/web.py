"""The web role with points at which a request can have its own process killed.

    granian tests.faults.web:application

A request with `X-Die-At: after=orders:2` is killed at that point (`tests.support.kill_points`), and
`after=payments:1;delay_ms=100` lets it go on for a moment, so that it dies while it waits for the
gateway. A placement is seen by the statements that it sends, so one that is to die is settled by
itself: else the thread of another request might send them for both.
Before it dies the process writes "killed", the point, and the key to the file LAST_WORDS; whoever
finds the connection broken by that can read them already.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.db.backends.signals import connection_created

from config.wsgi import application as shop
from domains.orders.services import batches
from infrastructure.together import Together
from tests.support.kill_points import KillPoint

_doomed = threading.local()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    wish = environ.get("HTTP_X_DIE_AT", "")
    point, _, delay_ms = wish.partition(";delay_ms=")
    _doomed.point = KillPoint.read(point)
    _doomed.delay_ms = int(delay_ms or 0)
    _doomed.last_words = f"killed {wish} {environ.get('HTTP_IDEMPOTENCY_KEY')}\n"
    return shop(environ, start_response)


class Apart(Together[Any]):
    """Who is to die does its own work; all others do theirs together."""

    def do(self, item: Any) -> BaseException | None:
        if getattr(_doomed, "point", None) is None:
            return super().do(item)
        try:
            self._work([item])
        except Exception as error:
            return error
        return None


batches.together = Apart(batches._advance_fresh)


def _watch(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
    point: KillPoint | None = getattr(_doomed, "point", None)
    if point is None:
        return execute(sql, *rest)
    # Every step of a placement is one statement without a transaction block: after it is committed.
    return point.beside(sql, lambda: execute(sql, *rest), die=_die)


def _die() -> None:
    if _doomed.delay_ms:
        threading.Timer(_doomed.delay_ms / 1000, _kill, [_doomed.last_words]).start()
    else:
        _kill(_doomed.last_words)


def _kill(last_words: str) -> None:
    with Path(os.environ["LAST_WORDS"]).open("a") as said:
        said.write(last_words)
    os.kill(os.getpid(), signal.SIGKILL)


def _install(connection: Any, **_: Any) -> None:
    if _watch not in connection.execute_wrappers:
        connection.execute_wrappers.append(_watch)


connection_created.connect(_install, dispatch_uid="fault-points")
