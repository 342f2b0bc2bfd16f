"""What a cache loads from, and a clock that a test moves."""

from __future__ import annotations

import time
from collections.abc import Callable

from infrastructure.cache.entries import Loaded
from infrastructure.cache.tiers import Cache, Read
from tests.support.caches import loaded


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


class Source:
    """What is cached: `value`, and how often it was loaded."""

    def __init__(self, *tags: str) -> None:
        self.tags = tags or ("lists",)
        self.value = 1
        self.loads = 0
        self.position = 100
        self.while_loading: Callable[[], None] = lambda: None
        self.changes_at: float | None = None

    def load(self) -> Loaded:
        self.loads += 1
        value = self.value
        self.while_loading()
        return loaded(value, *self.tags, changes_at=self.changes_at)

    def seen_by(self, cache: Cache, *, needed: int = 0) -> int:
        read = Read(key="/things", load=self.load, position=lambda: self.position, needed=needed)
        return int(cache.read(read).body)
