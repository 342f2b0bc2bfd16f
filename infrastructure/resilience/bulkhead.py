"""So many calls at a time and no more: what is slow must not get hold of every thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from infrastructure.resilience import metrics


class BulkheadFull(Exception):
    """Nothing was sent: enough calls are under way in this process."""


class Bulkhead:
    def __init__(self, name: str, *, places: int, waiting: int, wait_s: float) -> None:
        """waiting: how many calls at a time may wait for a place. wait_s: for how long."""
        self._name, self._wait_s = name, wait_s
        self._places = threading.BoundedSemaphore(places)
        self._seats = threading.BoundedSemaphore(waiting)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """A place for the block. Raises BulkheadFull."""
        if not (self._places.acquire(blocking=False) or self._waited()):
            metrics.FULL.labels(self._name).inc()
            raise BulkheadFull(self._name)
        metrics.IN_USE.labels(self._name).inc()
        try:
            yield
        finally:
            metrics.IN_USE.labels(self._name).dec()
            self._places.release()

    def _waited(self) -> bool:
        if not self._seats.acquire(blocking=False):
            return False
        try:
            return self._places.acquire(timeout=self._wait_s)
        finally:
            self._seats.release()
