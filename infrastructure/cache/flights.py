"""One load of a key at a time in this process: who comes second waits for the first."""

from __future__ import annotations

import threading
from collections.abc import Callable

from infrastructure.cache.entries import Entry


class _Flight:
    __slots__ = ("done", "entry", "since")

    def __init__(self, since: int) -> None:
        self.since = since
        self.done = threading.Event()
        self.entry: Entry | None = None


class Flights:
    def __init__(self, *, wait_s: float) -> None:
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight] = {}

    def share(self, key: str, since: int, load: Callable[[], Entry]) -> Entry:
        """What `load` returns, or what a load of this key that is under way does.

        since: the sequence of invalidations. A load that began before the last of them is not
        waited for: it may bring what was true before. Nor is one that takes too long or fails.
        """
        with self._lock:
            flight = self._flights.get(key)
            leads = flight is None or flight.since != since
            if leads:
                flight = self._flights[key] = _Flight(since)
        assert flight is not None
        if not leads:
            if flight.done.wait(self._wait_s) and flight.entry is not None:
                return flight.entry
            return load()
        try:
            flight.entry = load()
            return flight.entry
        finally:
            with self._lock:
                if self._flights.get(key) is flight:
                    del self._flights[key]
            flight.done.set()
