"""A file that is touched while a process makes progress: the liveness check of processes that
serve no HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


class Heartbeat:
    """Several loops of one process share it: the file is touched while all of them move.

    `member(name)` gives each loop the function to call whenever it has come round.
    """

    def __init__(self, path: str, *, silence_seconds: float = 30.0) -> None:
        self._path = Path(path) if path else None
        self._silence_seconds = silence_seconds
        self._last: dict[str, float] = {}

    def member(self, name: str) -> Callable[[], None]:
        self._last[name] = time.monotonic()

        def beat() -> None:
            self._last[name] = time.monotonic()

        return beat

    def touch(self) -> bool:
        """Touch the file if every member has moved lately. Call it about once per second."""
        now = time.monotonic()
        alive = all(now - last < self._silence_seconds for last in self._last.values())
        if alive and self._path is not None:
            self._path.touch()
        return alive
