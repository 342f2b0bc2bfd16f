"""What several threads want at the same time, done once for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(slots=True, eq=False)
class _Turn(Generic[Item]):
    """called: it was done, or is to lead."""

    item: Item
    called: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    failure: BaseException | None = None


class Together(Generic[Item]):
    """Collects the items of threads that come while `work` is being done for others.

    Nobody waits for company: who finds nobody at work leads at once, with its own item. Those who
    come meanwhile wait, and the first of them leads for all of them next. Per process.
    """

    def __init__(self, work: Callable[[Sequence[Item]], object]) -> None:
        self._work = work
        self._guard = threading.Lock()
        self._waiting: list[_Turn[Item]] = []
        self._is_busy = False

    @property
    def waiting(self) -> int:
        """How many items wait for the work that is being done to end. Only tests ask."""
        return len(self._waiting)

    def do(self, item: Item) -> BaseException | None:
        """Returns once `work` was called with items of which this is one: what it raised, or None.

        Who leads is also raised what is no Exception, such as an exit.
        """
        turn = _Turn(item)
        with self._guard:
            self._waiting.append(turn)
            turn.leads = not self._is_busy
            self._is_busy = True
        if not turn.leads:
            turn.called.wait()
        if turn.leads:
            self._lead()
        return turn.failure

    def _lead(self) -> None:
        with self._guard:
            turns, self._waiting = self._waiting, []
        failure: BaseException | None = None
        try:
            self._work([turn.item for turn in turns])
        except BaseException as error:
            failure = error
            if not isinstance(error, Exception):
                raise
        finally:
            with self._guard:
                next_turn = self._waiting[0] if self._waiting else None
                self._is_busy = next_turn is not None
            for turn in turns:
                turn.failure = failure
                turn.called.set()
            if next_turn is not None:
                next_turn.leads = True
                next_turn.called.set()
