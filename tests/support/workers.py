"""Workers that a test may kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connections

from infrastructure.database.contexts import aliases
from tests.support.messaging import process_environment
from tests.support.waiting import until

DOOMED = "doomed"


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


@contextmanager
def told_to_go_on(*module: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m module`: one that waits for a line after each that it says, see `go_on`."""
    process = subprocess.Popen(
        [sys.executable, "-m", *module],
        cwd=settings.BASE_DIR,
        env=process_environment(ROLE=DOOMED),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def go_on(process: subprocess.Popen[str], *, after: str) -> None:
    """Once it has said this."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == f"{after}\n"
    process.stdin.write("\n")
    process.stdin.flush()


def until_forgotten() -> None:
    """Until no database works any more for a process that had the ROLE `DOOMED` and was killed:
    what it was about to do is done, or undone, and what it had locked is free."""
    for alias in aliases():
        until(lambda alias=alias: not _sessions_of_the_doomed(alias))  # type: ignore[misc]


def _sessions_of_the_doomed(alias: str) -> int:
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = %s",
            [DOOMED],
        )
        return int(cursor.fetchone()[0])


def kill(process: subprocess.Popen[bytes]) -> None:
    """The worker and its pool at once, as a machine does that loses its power."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
