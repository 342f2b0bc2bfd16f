"""Merges guests' carts, each in a process that is killed one command later than the one before:
`python -m tests.support.merging_process <customer id>:<cart id>…`.

The command or statement after the last one is not sent: the process kills itself, as kill -9 would.
Prints for each pair how many it had lived for when it was killed, or `done`.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import django

django.setup()

from domains.carts.models.connection import Scripts  # noqa: E402
from domains.carts.services import merging  # noqa: E402
from infrastructure.database.contexts import connection_of  # noqa: E402

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def merge(source_id: UUID, customer_id: UUID, life: int) -> None:
    send, left = Scripts._send, [life]

    def sent_while_alive(self: Scripts, command: str, *words: Any) -> Any:
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = send(self, command, *words)  # raises where the server must learn the script first
        left[0] -= 1
        return answer

    def execute_while_alive(execute: Any, sql: str, *words: Any) -> Any:
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = execute(sql, *words)
        left[0] -= 1
        return answer

    Scripts._send = sent_while_alive  # type: ignore[method-assign]
    connection_of("products").execute_wrappers.append(execute_while_alive)
    merging.merge(source_id=source_id, customer_id=customer_id, now=NOW)


for number, pair in enumerate(sys.argv[1:]):
    customer, _, source = pair.partition(":")
    child = os.fork()
    if child == 0:
        merge(UUID(source), UUID(customer), number)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    sys.stdout.write(f"{number if killed else 'done'}\n")
