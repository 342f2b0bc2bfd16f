"""Whether the worker was told to stop, known in the processes that run its tasks.

A signal reaches the worker's main process only. It sets one byte of memory that the others, which
are forked from it, share. Celery's own `worker_shutting_down` would come too late: it is sent after
the time that running tasks are given.
"""

from __future__ import annotations

import mmap
import signal
from types import FrameType
from typing import Any

from celery.signals import worker_ready

_SIGNALS = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)

_shared = mmap.mmap(-1, 1)


def is_stopping() -> bool:
    return _shared[0] != 0


@worker_ready.connect
def listen(**_: Any) -> None:
    """Note the signal before Celery deals with it."""
    for number in _SIGNALS:
        _note(number)


def _note(number: signal.Signals) -> None:
    celerys = signal.getsignal(number)

    def note(given: int, frame: FrameType | None) -> None:
        _shared[0] = 1
        if callable(celerys):
            celerys(given, frame)

    # Celery replaces its handler while it stops, so this one is in its way only once.
    signal.signal(number, note)
