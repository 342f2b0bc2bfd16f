"""Merges guests' carts, or gives back those of orders that came to nothing, each in a process that
is killed one command later than the one before:
`python -m tests.support.merging_process merge <customer id>:<cart id>…`, or
`give_back <order id>:<cart id>…`.

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
from domains.carts.services import checkout, merging  # noqa: E402
from infrastructure.database.contexts import connection_of  # noqa: E402

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def die_after(life: int) -> None:
    """Let this process send so many commands and statements."""
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


def act(what: str, whose: UUID, cart_id: UUID) -> None:
    if what == "merge":
        merging.merge(source_id=cart_id, customer_id=whose, now=NOW)
    else:
        checkout.reopen(cart_id=cart_id, order_id=whose, now=NOW)


for number, pair in enumerate(sys.argv[2:]):
    whose, _, cart = pair.partition(":")
    child = os.fork()
    if child == 0:
        die_after(number)
        act(sys.argv[1], UUID(whose), UUID(cart))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    sys.stdout.write(f"{number if killed else 'done'}\n")
