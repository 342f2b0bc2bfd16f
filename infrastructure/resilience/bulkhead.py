"""So many calls at a time and no more: what is slow must not get hold of every thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from infrastructure.resilience import metrics


class BulkheadFull(Exception):
    """Nothing was sent: enough calls are under way in this process."""


class Bulkhead:
    def __init__(self, name: str, *, places: int, wait_s: float) -> None:
        """wait_s: how long a call may wait for its place."""
        self._name, self._wait_s = name, wait_s
        self._places = threading.BoundedSemaphore(places)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """A place for the block. Raises BulkheadFull."""
        if not self._places.acquire(timeout=self._wait_s):
            metrics.FULL.labels(self._name).inc()
            raise BulkheadFull(self._name)
        metrics.IN_USE.labels(self._name).inc()
        try:
            yield
        finally:
            metrics.IN_USE.labels(self._name).dec()
            self._places.release()
