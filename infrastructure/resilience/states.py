"""What a circuit knows, and how it changes: in this process.

Closed: calls go through; `failures` in a row open it. Open: nothing goes through for the rest.
Then one caller at a time may try: a success closes it, a failure opens it for twice as long. A
caller that never says what came of it loses its turn after `probe_s`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Seconds. Failures that are further apart than `within_s` are none in a row."""

    failures: int = 5
    within_s: float = 60.0
    rest_s: float = 5.0
    longest_rest_s: float = 60.0
    probe_s: float = 15.0

    def rest_after(self, openings: int) -> float:
        """How long to rest after the circuit has opened so many times without a success."""
        return float(min(self.rest_s * 2 ** min(openings - 1, 16), self.longest_rest_s))


@dataclass(frozen=True, slots=True)
class Seen:
    """wait_s: until it is worth asking again, 0 when calls go through. is_probe: this caller's
    turn to try. failures: in a row, while it is closed."""

    wait_s: float = 0.0
    is_probe: bool = False
    failures: int = 0


class State(Protocol):
    def look(self, *, turn: str | None) -> Seen:
        """How it is; with a turn's name, and if nobody else has one, the turn to try is taken."""
        ...

    def failed(self, *, turn: str | None) -> Seen: ...

    def succeeded(self, *, turn: str | None) -> Seen: ...

    def give_up(self, *, turn: str) -> None:
        """Nothing came of the turn: the next caller may have it."""
        ...


class LocalState:
    """The circuit as one process knows it."""

    def __init__(self, policy: Policy, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._policy, self._clock = policy, clock
        self._lock = threading.Lock()
        self._failures, self._failed_at = 0, 0.0
        self._openings, self._open_until = 0, 0.0
        self._turn: str | None = None
        self._turn_until = 0.0

    def look(self, *, turn: str | None) -> Seen:
        with self._lock:
            now = self._clock()
            if not self._openings:
                return Seen(failures=self._failures_at(now))
            if (wait_s := self._open_until - now) > 0:
                return Seen(wait_s=wait_s)
            if self._turn is not None and (wait_s := self._turn_until - now) > 0:
                return Seen(wait_s=wait_s)
            if turn is None:
                return Seen()
            self._turn, self._turn_until = turn, now + self._policy.probe_s
            return Seen(is_probe=True)

    def failed(self, *, turn: str | None) -> Seen:
        with self._lock:
            now = self._clock()
            if self._openings:
                # Those that were under way when it opened add nothing.
                if turn is not None and turn == self._turn:
                    self._open(now)
                return Seen(wait_s=max(self._open_until - now, 0.001))
            self._failures = self._failures_at(now) + 1
            self._failed_at = now
            if self._failures < self._policy.failures:
                return Seen(failures=self._failures)
            self._open(now)
            return Seen(wait_s=self._open_until - now)

    def succeeded(self, *, turn: str | None) -> Seen:
        with self._lock:
            if self._openings and (turn is None or turn != self._turn):
                return Seen(wait_s=max(self._open_until - self._clock(), 0.001))
            self._clear()
            return Seen()

    def give_up(self, *, turn: str) -> None:
        with self._lock:
            if self._turn == turn:
                self._turn = None

    def forget(self) -> None:
        with self._lock:
            self._clear()

    def _clear(self) -> None:
        self._failures = self._openings = 0
        self._turn = None

    def _failures_at(self, now: float) -> int:
        return self._failures if now - self._failed_at < self._policy.within_s else 0

    def _open(self, now: float) -> None:
        self._openings += 1
        self._open_until = now + self._policy.rest_after(self._openings)
        self._turn = None
