"""Carries out one command on an order and is killed on the way:
`python -m tests.support.steps_process <order id> <command> <how many statements to live>`.

The statement after the last one is not sent: the process kills itself, as kill -9 would.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import django

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def main(order_id: UUID, command: str, life: int) -> None:
    from django.db import connections

    from domains.orders.models import Order
    from infrastructure.database.contexts import aliases
    from tests.support.order_commands import COMMANDS

    order = Order.objects.whole(order_id)
    order.steps  # noqa: B018 - read before the count begins
    left = life

    def count(execute: Any, sql: str, *rest: Any) -> Any:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return execute(sql, *rest)

    for alias in aliases():
        connections[alias].execute_wrappers.append(count)
    COMMANDS[command](order, NOW)
    sys.stdout.write("done\n")


if __name__ == "__main__":
    django.setup()
    main(UUID(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
