"""`manage.py consume_events` that is killed with -9 in its first batch.

    DIE_AT="before commit" python -m tests.faults.consumer

before commit: the handlers have run, and nothing of it is committed.
after commit: effects and marks are committed, the offset is not.
before mark: an idempotent handler has had its effect, and has no mark of it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from django.core.management import execute_from_command_line
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

POINTS = ("before commit", "after commit", "before mark")

_batch = threading.local()
_commit = BaseDatabaseWrapper.commit


def _watch(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    if "INSERT INTO platform_inboxmark" in sql:
        if context["connection"].in_atomic_block:
            _batch.open = True
        else:
            _die_at("before mark")
    return execute(sql, params, many, context)


def commit(self: BaseDatabaseWrapper) -> None:
    in_batch, _batch.open = getattr(_batch, "open", False), False
    if in_batch:
        _die_at("before commit")
    _commit(self)
    if in_batch:
        _die_at("after commit")


def _die_at(point: str) -> None:
    if os.environ["DIE_AT"] == point:
        os.kill(os.getpid(), signal.SIGKILL)


def _install(connection: Any, **_: Any) -> None:
    if _watch not in connection.execute_wrappers:
        connection.execute_wrappers.append(_watch)


if __name__ == "__main__":
    assert os.environ["DIE_AT"] in POINTS
    connection_created.connect(_install, dispatch_uid="fault-points")
    BaseDatabaseWrapper.commit = commit  # type: ignore[method-assign]
    execute_from_command_line([sys.argv[0], "consume_events"])
