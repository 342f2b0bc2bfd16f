"""Waiting for a condition, the one way in which tests wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def until(condition: Callable[[], Found], what: str = "", *, seconds: float = 120) -> Found:
    """Poll until the condition is true, and return what it said. what: names it in the failure."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"Not within {seconds:.0f} s: {what or condition}"
        time.sleep(0.02)
    return found
