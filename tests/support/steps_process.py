"""Carries out one command on an order and is killed on the way:
`python -m tests.support.steps_process <order id> <command> <point>`, see
`tests.support.kill_points`. Without a point it lives, and prints whose tables it changed in turn.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import django

from tests.support.kill_points import KillPoint, changed_context

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def main(order_id: UUID, command: str, point: KillPoint | None) -> None:
    from django.db import connections

    from domains.orders.models import Order
    from infrastructure.database.contexts import aliases
    from tests.support.order_commands import COMMANDS, REFUSED

    order = Order.objects.whole(order_id)
    changed: list[str] = []

    def watch(execute: Any, sql: str, *rest: Any) -> Any:
        if context := changed_context(sql):
            changed.append(context)
        if point is None:
            return execute(sql, *rest)
        return point.beside(sql, lambda: execute(sql, *rest), die=die)

    for alias in aliases():
        connections[alias].execute_wrappers.append(watch)
    (COMMANDS | REFUSED)[command](order, NOW)
    sys.stdout.write(" ".join(changed))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    django.setup()
    main(UUID(sys.argv[1]), sys.argv[2], KillPoint.read(sys.argv[3]))
