"""Workers that a test may kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from tests.support.messaging import process_environment


@contextmanager
def worker(*module: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m module`: a worker with its pool, in a process group of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", *module],
        cwd=settings.BASE_DIR,
        env=process_environment(**environment),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """The worker and its pool at once, as a machine does that loses its power."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
