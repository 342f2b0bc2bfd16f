"""`manage.py relay_outbox` that is killed with -9 when Kafka has acknowledged its first events.

    DIE_AT="before mark" python -m tests.faults.relay

before mark: their rows are still there. after mark: their rows are gone.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import psycopg
from django.core.management import execute_from_command_line

POINTS = ("before mark", "after mark")

_execute = psycopg.Connection.execute


def execute(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
    marks = str(query).startswith("DELETE FROM platform_outboxmessage")
    if marks:
        _die_at("before mark")
    result = _execute(self, query, *arguments, **options)
    if marks:
        _die_at("after mark")
    return result


def _die_at(point: str) -> None:
    if os.environ["DIE_AT"] == point:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    assert os.environ["DIE_AT"] in POINTS
    psycopg.Connection.execute = execute  # type: ignore[method-assign]
    execute_from_command_line([sys.argv[0], "relay_outbox"])
