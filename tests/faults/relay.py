"""`manage.py relay_outbox` that is killed with -9 between sending and marking.

    python -m tests.faults.relay

Kafka has acknowledged the first events; their rows are still there.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import psycopg
from django.core.management import execute_from_command_line

_execute = psycopg.Connection.execute


def execute(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
    if str(query).startswith("DELETE FROM platform_outboxmessage"):
        os.kill(os.getpid(), signal.SIGKILL)
    return _execute(self, query, *arguments, **options)


if __name__ == "__main__":
    psycopg.Connection.execute = execute  # type: ignore[method-assign]
    execute_from_command_line([sys.argv[0], "relay_outbox"])
