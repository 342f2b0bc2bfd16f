"""Counts what became of the orders, and how long customers waited."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass

from demo.replay.customer import Outcome


@dataclass(frozen=True, slots=True)
class Figures:
    """p50, p99: seconds from the first try to the answer. `refused`: orders by code."""

    answered: int
    confirmed: int
    pending: int
    refused: dict[str, int]
    failed: dict[str, int]
    retries: int
    seconds: float
    p50: float
    p99: float

    @property
    def per_second(self) -> float:
        return self.answered / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        refused = ", ".join(f"{count} {code}" for code, count in self.refused.items()) or "0"
        text = (
            f"{self.confirmed} confirmed, refused: {refused}, {self.per_second:.1f} orders/s,"
            f" p50 {self.p50 * 1000:.0f} ms, p99 {self.p99 * 1000:.0f} ms"
        )
        if self.pending:
            text += f", {self.pending} pending"
        if self.retries:
            text += f", {self.retries} tries again"
        if self.failed:
            failed = ", ".join(f"{count} {code}" for code, count in self.failed.items())
            text += f", FAILED: {failed}"
        return text


class Tally:
    """Filled by the customers' threads, read by the screen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._results: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._seconds: list[float] = []
        self._retries = 0

    def add(self, outcome: Outcome) -> None:
        with self._lock:
            (self._failed if outcome.failed else self._results)[outcome.result] += 1
            self._seconds.append(outcome.seconds)
            self._retries += outcome.retries

    def figures(self) -> Figures:
        with self._lock:
            results, failed = dict(self._results), dict(self._failed)
            seconds, retries = sorted(self._seconds), self._retries
        return Figures(
            answered=len(seconds),
            confirmed=results.pop("CONFIRMED", 0),
            pending=results.pop("PENDING", 0),
            refused=dict(sorted(results.items())),
            failed=dict(sorted(failed.items())),
            retries=retries,
            seconds=time.monotonic() - self._started,
            p50=_quantile(seconds, 0.5),
            p99=_quantile(seconds, 0.99),
        )


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0
