"""The web role with points at which a request can have its own process killed.

    granian tests.faults.web:application

A request with `X-Die-At: after=orders:2` is killed when its second statement that changes the
context's tables has committed; `before=payments:2` kills it with that one unsent, and
`after=payments:1;delay_ms=100` lets it go on for a moment, so that it dies while it waits for the
gateway. Nothing of the product is replaced: a placement is seen by the statements that it sends.
Before it dies the process writes "killed", the point, and the key to the file LAST_WORDS; whoever
finds the connection broken by that can read them already.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.db.backends.signals import connection_created

from config.wsgi import application as shop

_POINT = re.compile(r"(before|after)=([a-z]+):(\d)(?:;delay_ms=(\d+))?")
# A table's name begins with its context's. FOR UPDATE is followed by no such name.
_CHANGES = re.compile(r'\b(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?([a-z]+)_')

_doomed = threading.local()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    wish = environ.get("HTTP_X_DIE_AT", "")
    _doomed.point = _POINT.fullmatch(wish)
    _doomed.last_words = f"killed {wish} {environ.get('HTTP_IDEMPOTENCY_KEY')}\n"
    _doomed.changes = Counter()
    return shop(environ, start_response)


def _count(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    if getattr(_doomed, "point", None) is None or (change := _CHANGES.search(sql)) is None:
        return execute(sql, params, many, context)
    of_context = change[1]
    _doomed.changes[of_context] += 1
    _die_at("before", of_context)
    result = execute(sql, params, many, context)
    # Every step of a placement is one statement without a transaction block: it is committed now.
    _die_at("after", of_context)
    return result


def _die_at(moment: str, of_context: str) -> None:
    *point, delay_ms = _doomed.point.groups()
    if point != [moment, of_context, str(_doomed.changes[of_context])]:
        return
    if delay_ms:
        threading.Timer(int(delay_ms) / 1000, _kill, [_doomed.last_words]).start()
    else:
        _kill(_doomed.last_words)


def _kill(last_words: str) -> None:
    with Path(os.environ["LAST_WORDS"]).open("a") as said:
        said.write(last_words)
    os.kill(os.getpid(), signal.SIGKILL)


def _install(connection: Any, **_: Any) -> None:
    if _count not in connection.execute_wrappers:
        connection.execute_wrappers.append(_count)


connection_created.connect(_install, dispatch_uid="fault-points")
