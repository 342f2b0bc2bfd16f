"""The web role with points at which a request can have its own process killed.

    granian tests.faults.web:application

A request with `X-Die-At: after=3` is killed when its third data-modifying statement has committed;
`before=4` kills it with its fourth unsent, and `after=3;delay_ms=100` lets it go on for a moment,
so that it dies while it waits for the gateway. Nothing of the product is replaced: a placement is
seen by the statements that it sends. The last that the process says is "killed", the point, and the
key.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Iterable
from typing import Any

from django.db.backends.signals import connection_created

from config.wsgi import application as shop

_POINT = re.compile(r"(before|after)=(\d)(?:;delay_ms=(\d+))?")
_CHANGES = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM)\b")

_doomed = threading.local()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    wish = environ.get("HTTP_X_DIE_AT", "")
    _doomed.point = _POINT.fullmatch(wish)
    _doomed.last_words = f"killed {wish} {environ.get('HTTP_IDEMPOTENCY_KEY')}\n".encode()
    _doomed.statements = 0
    return shop(environ, start_response)


def _count(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    if getattr(_doomed, "point", None) is None or not _CHANGES.search(sql):
        return execute(sql, params, many, context)
    _doomed.statements += 1
    _die_at("before")
    result = execute(sql, params, many, context)
    # Every step of a placement is one statement without a transaction block: it is committed now.
    _die_at("after")
    return result


def _die_at(moment: str) -> None:
    where, number, delay_ms = _doomed.point.groups()
    if (where, int(number)) != (moment, _doomed.statements):
        return
    if delay_ms:
        threading.Timer(int(delay_ms) / 1000, _kill, [_doomed.last_words]).start()
    else:
        _kill(_doomed.last_words)


def _kill(last_words: bytes) -> None:
    os.write(1, last_words)
    os.kill(os.getpid(), signal.SIGKILL)


def _install(connection: Any, **_: Any) -> None:
    if _count not in connection.execute_wrappers:
        connection.execute_wrappers.append(_count)


connection_created.connect(_install, dispatch_uid="fault-points")
