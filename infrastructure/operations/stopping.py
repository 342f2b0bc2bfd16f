"""Whether the worker was told to stop, known in the processes that run its tasks.

The signal reaches the worker's main process only. It sets one byte of memory that the others,
which are forked from it, share.
"""

from __future__ import annotations

import mmap
from typing import Any

from celery.signals import worker_shutting_down

_shared = mmap.mmap(-1, 1)


def is_stopping() -> bool:
    return _shared[0] != 0


@worker_shutting_down.connect
def stop(**_: Any) -> None:
    _shared[0] = 1
