"""One load of a key at a time in this process: who comes second waits for the first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable

from infrastructure.cache.entries import Entry


class _Flight:
    __slots__ = ("done", "entry", "error", "since")

    def __init__(self, since: int) -> None:
        self.since = since
        self.done = threading.Event()
        self.entry: Entry | None = None
        self.error: Exception | None = None


class Flights:
    """wait_s: after so long a load is believed to be stuck, and one of those who wait for it loads
    in its place; the others wait for that one."""

    def __init__(self, *, wait_s: float) -> None:
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._flights: dict[Hashable, _Flight] = {}

    def share(self, key: Hashable, since: int, load: Callable[[], Entry]) -> Entry:
        """What `load` returns or raises, or what a load of this key that is under way does.

        since: the sequence of invalidations. A load that began before the last of them is not
        waited for: it may bring what was true before.
        """
        stuck: _Flight | None = None
        while True:
            with self._lock:
                flight = self._flights.get(key)
                leads = flight is None or flight is stuck or flight.since < since
                if leads:
                    flight = self._flights[key] = _Flight(since)
            assert flight is not None
            if leads:
                return self._lead(key, flight, load)
            if flight.done.wait(self._wait_s):
                if flight.error is not None:
                    raise flight.error
                if flight.entry is not None:
                    return flight.entry
            stuck = flight

    def _lead(self, key: Hashable, flight: _Flight, load: Callable[[], Entry]) -> Entry:
        try:
            flight.entry = load()
            return flight.entry
        except Exception as error:
            # Those who waited would be told the same, one after the other or all at once.
            flight.error = error
            raise
        finally:
            with self._lock:
                if self._flights.get(key) is flight:
                    del self._flights[key]
            flight.done.set()
