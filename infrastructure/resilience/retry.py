"""Once more, for calls that may be made twice: with exponential pauses and full jitter."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from infrastructure.resilience import metrics

T = TypeVar("T")


class Retry:
    """Repeats a call that failed in a way that passes. Only for what is idempotent: the other side
    may have carried out the call that failed.

    attempts: in all; within_s: no attempt begins later than this; pauses are drawn from 0 to
    first_pause_s, which doubles, up to longest_pause_s.
    """

    def __init__(
        self,
        name: str,
        *,
        when: Callable[[BaseException], bool],
        attempts: int = 3,
        within_s: float = 1.0,
        first_pause_s: float = 0.05,
        longest_pause_s: float = 0.5,
    ) -> None:
        self._retrying = Retrying(
            retry=retry_if_exception(when),
            stop=stop_after_attempt(attempts) | stop_before_delay(within_s),
            wait=wait_random_exponential(multiplier=first_pause_s, max=longest_pause_s),
            before_sleep=lambda _: metrics.RETRIES.labels(name).inc(),
            reraise=True,
        )

    def call(self, function: Callable[[], T]) -> T:
        """Raises what the last attempt raised."""
        return self._retrying.copy()(function)
