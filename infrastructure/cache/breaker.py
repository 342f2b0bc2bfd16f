"""Leaves a server alone that does not answer, so that its outage costs nobody a time-out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Breaker:
    """After a failure nobody asks for `rest_s` seconds; then one caller tries, and so on."""

    def __init__(self, *, rest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rest_s, self._clock = rest_s, clock
        self._lock = threading.Lock()
        self._failed = False
        self._next_try = 0.0

    def allows(self) -> bool:
        if not self._failed:
            return True
        with self._lock:
            now = self._clock()
            if now < self._next_try:
                return False
            self._next_try = now + self._rest_s
            return True

    @property
    def is_open(self) -> bool:
        return self._failed

    def failed(self) -> bool:
        """Returns whether this is the first failure after success."""
        with self._lock:
            self._next_try = self._clock() + self._rest_s
            first, self._failed = not self._failed, True
            return first

    def succeeded(self) -> None:
        self._failed = False
