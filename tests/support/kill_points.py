"""Points at which a process has itself killed, named by what it changes and not by how often it
reads: `after=orders:2` is when its second statement that changes tables of orders has been carried
out, and `before=payments:2` is with that one unsent."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Self, TypeVar

T = TypeVar("T")

_POINT = re.compile(r"(before|after)=([a-z]+):(\d+)")
# A table's name begins with its context's. FOR UPDATE is followed by no such name.
_CHANGES = re.compile(r'\b(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?([a-z]+)_')


class Died(BaseException):
    """Raised where the process is gone, by tests that go on in it: nothing of ours catches it."""


class KillPoint:
    """Watches the statements of one piece of work."""

    def __init__(self, moment: str, context: str, number: int) -> None:
        self._moment, self._context, self._number = moment, context, number
        self._changes = 0

    @classmethod
    def read(cls, text: str) -> Self | None:
        """None where the text is no point."""
        match = _POINT.fullmatch(text)
        return match and cls(match[1], match[2], int(match[3]))

    def beside(self, sql: str, send: Callable[[], T], *, die: Callable[[], None]) -> T:
        """Send a statement, and die before or after it if this is the point."""
        is_here = self._is_at(sql)
        if is_here and self._moment == "before":
            die()
        result = send()
        if is_here and self._moment == "after":
            die()
        return result

    def _is_at(self, sql: str) -> bool:
        if changed_context(sql) != self._context:
            return False
        self._changes += 1
        return self._changes == self._number


def changed_context(sql: str) -> str | None:
    """Whose tables a statement changes; None if it only reads. No statement changes two's."""
    change = _CHANGES.search(sql)
    return change and change[1]
