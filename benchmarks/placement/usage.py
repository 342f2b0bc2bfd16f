"""CPU time of processes, from the operating system's own count."""

from __future__ import annotations

import contextlib

import psutil
from django.db import connections

from infrastructure.database.contexts import alias_of


class Usage:
    """CPU seconds that a process and its children have used since this was made."""

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self._before = _cpu_seconds(pid)

    @property
    def seconds(self) -> float | None:
        """None where the process is not on this machine."""
        now = _cpu_seconds(self._pid)
        return None if now is None or self._before is None else now - self._before


def postmaster() -> int | None:
    """The process of the database server, if it runs on this machine."""
    with connections[alias_of("orders")].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
    try:
        process = psutil.Process(backend)
        parent = process.parent()
        return parent.pid if parent is not None and "postgres" in process.name() else None
    except psutil.Error:
        return None


def _cpu_seconds(pid: int | None) -> float | None:
    if pid is None:
        return None
    total = 0.0
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return None
    for member in family:
        with contextlib.suppress(psutil.Error):
            times = member.cpu_times()
            # Of children that have ended already their parent keeps the count.
            total += times.user + times.system + times.children_user + times.children_system
    return total
