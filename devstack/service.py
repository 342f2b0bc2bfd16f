"""What PostgreSQL, Valkey and Kafka have in common for the local stack."""

from __future__ import annotations

import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from devstack.console import Console
from devstack.errors import StackError
from devstack.layout import Layout
from devstack.processes import Child, end, family, look_around


class Stopped(Exception):
    """Someone asked to stop while the stack was starting."""


class Service(ABC):
    """A server of ours: `start`, `wait_until_ready`, `stop`; `kill` for tests of faults.

    It may be started again after any end, by whatever cause, on the same port with the same data.
    """

    name: str
    title: str
    variable: str
    """The environment variable that names a server which replaces this one."""
    stop_signal = signal.SIGTERM
    stop_seconds = 20.0
    ready_seconds = 120.0

    def __init__(self, layout: Layout, port: int) -> None:
        self.layout = layout
        self.port = port
        self.data = layout.data(self.name)
        self.child: Child | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """What the variable holds for the shop."""

    @abstractmethod
    def prepare(self, console: Console) -> None:
        """Make what the server needs on the disk, unless it is there already."""

    @abstractmethod
    def command(self) -> Sequence[str]: ...

    @abstractmethod
    def is_ready(self) -> bool: ...

    def environment(self) -> Mapping[str, str]:
        return {}

    def user(self) -> int | None:
        """The user id to run as, where it is not that of the caller."""
        return None

    def after_ready(self) -> None:  # noqa: B027 - most servers need nothing
        """What remains to be done inside the running server."""

    def start(self) -> None:
        self.child = Child(
            name=self.name,
            command=self.command(),
            environment=self.environment(),
            directory=self.data,
            log=self.layout.log(self.name),
            user=self.user(),
        )
        self.child.start()

    def wait_until_ready(self, stopping: threading.Event | None = None) -> None:
        assert self.child is not None
        deadline = time.monotonic() + self.ready_seconds
        while not self.is_ready():
            if stopping is not None and stopping.is_set():
                raise Stopped
            if not self.child.is_running:
                raise self._failure(f"{self.title} {self.child.how_it_ended()} while starting.")
            if time.monotonic() > deadline:
                raise self._failure(
                    f"{self.title} did not answer on port {self.port} within"
                    f" {self.ready_seconds:.0f} s."
                )
            time.sleep(0.05)
        self.after_ready()

    def stop(self) -> None:
        """Orderly; kills what has not ended after `stop_seconds`. Nothing is lost either way."""
        if self.child is None:
            return
        self.child.signal(self.stop_signal)
        if not self.child.wait(self.stop_seconds):
            self.kill()

    def kill(self) -> None:
        """End it at once with all its processes, as kill -9 does."""
        if self.child is None:
            return
        members = family(self.child.pid, look_around())
        self.child.signal(signal.SIGKILL)
        self.child.wait(5)
        end([one for one in members if one.pid != self.child.pid], grace=2)

    def _failure(self, what: str) -> StackError:
        assert self.child is not None
        words = self.child.last_words()
        return StackError(
            what,
            f"Its log is {_shown(self.layout.log(self.name))}; the last lines:\n{words}\n"
            f"If the data is beyond repair, `make reset` starts from nothing. "
            f"{self.variable} in the environment names a server of yours instead.",
        )


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
