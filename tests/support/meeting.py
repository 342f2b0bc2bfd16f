"""Transactions that really meet: each holds its first lock before any of them asks for its next."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from typing import Any

from django.db import connections

from infrastructure.database.contexts import alias_of
from infrastructure.database.threads import in_threads

LOCKS = r"\bFOR (NO KEY UPDATE|UPDATE|SHARE)\b"
# So long the first waits; the other one may be held up by the very lock that the first one has.
PATIENCE_SECONDS = 0.7


def meet(*works: Callable[[], object], after: str = LOCKS) -> None:
    """Do these at once, each in a thread. A thread that has run its first statement that `after`
    fits waits until the others have, or until it is clear that they cannot.

    Raises what one of them raised: two that wait in a circle, as PostgreSQL says it.
    """
    barrier = Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        has_met = False

        def wait(execute: Any, sql: str, *rest: Any) -> Any:
            nonlocal has_met
            result = execute(sql, *rest)
            if not has_met and re.search(after, sql, re.DOTALL):
                has_met = True
                with suppress(BrokenBarrierError):
                    barrier.wait(PATIENCE_SECONDS)
            return result

        with connections[alias_of("products")].execute_wrapper(wait):
            work()

    in_threads(run, works, threads=len(works))
