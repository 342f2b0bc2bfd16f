"""Work on many items in a few threads, each with its own connections."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from contextvars import copy_context
from typing import TypeVar

from django.db import connections

Item = TypeVar("Item")


def in_threads(work: Callable[[Item], object], items: Iterable[Item], *, threads: int) -> None:
    """Call `work` with every item. A failure stops no other item; the first is raised at the end.

    The threads see the caller's context variables, and close their connections when they end.
    """
    waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
    count = 0
    for item in items:
        waiting.put(item)
        count += 1
    failures: list[Exception] = []

    def worker() -> None:
        try:
            while True:
                try:
                    item = waiting.get_nowait()
                except queue.Empty:
                    return
                try:
                    work(item)
                except Exception as error:  # the other items must have their turn
                    failures.append(error)
        finally:
            connections.close_all()

    running = [
        threading.Thread(target=copy_context().run, args=(worker,), daemon=True)
        for _ in range(min(threads, count))
    ]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if failures:
        raise failures[0]
