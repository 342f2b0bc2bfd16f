"""One time for all the calls that a request to Stripe takes, which may be four."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import stripe


class TimedClient(stripe.RequestsClient):
    """Time-outs in seconds: of each call, and together of all those in `one_time`."""

    def __init__(self, *, connect_s: float, read_s: float) -> None:
        self._connect_s, self._read_s = connect_s, read_s
        self._until = threading.local()
        super().__init__()

    @contextmanager
    def one_time(self) -> Iterator[None]:
        """The calls of this thread in this block have the time of one; blocks within it too."""
        if getattr(self._until, "at", None) is not None:
            yield
            return
        self._until.at = time.monotonic() + self._connect_s + self._read_s
        try:
            yield
        finally:
            self._until.at = None

    @property
    def _timeout(self) -> tuple[float, float]:
        left_s = self._left_s()
        if left_s <= 0:
            raise TimeoutError("No time is left for another call.")
        return min(self._connect_s, left_s), min(self._read_s, left_s)

    @_timeout.setter
    def _timeout(self, _: object) -> None:
        """The library's own is not for us."""

    def _left_s(self) -> float:
        until = getattr(self._until, "at", None)
        return self._connect_s + self._read_s if until is None else until - time.monotonic()
