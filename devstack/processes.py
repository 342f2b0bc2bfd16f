"""Child processes: starting them with readable logs, finding their families, ending them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from devstack.console import Console

_LOG_BYTES = 20_000_000


@dataclass(frozen=True)
class Sighting:
    """A process as it was seen once. Its time of creation tells it from a later one."""

    pid: int
    parent: int
    session: int
    created: float

    @property
    def is_alive(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            same = bool(process.create_time() == self.created)
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def look_around() -> list[Sighting]:
    """Every process of this machine."""
    seen = []
    for process in psutil.process_iter(["pid", "ppid", "create_time"]):
        with contextlib.suppress(OSError):
            seen.append(
                Sighting(
                    pid=process.pid,
                    parent=process.info["ppid"],
                    session=os.getsid(process.pid),
                    created=process.info["create_time"],
                )
            )
    return seen


def family(leader: int, seen: Iterable[Sighting]) -> list[Sighting]:
    """The leader, its descendants and the members of its session, whoever adopted them since."""
    members: dict[int, Sighting] = {}
    remaining = list(seen)
    while True:
        joining = [
            one
            for one in remaining
            if one.pid == leader or one.session == leader or one.parent in members
        ]
        if not joining:
            return sorted(members.values(), key=lambda one: one.pid)
        members.update((one.pid, one) for one in joining)
        remaining = [one for one in remaining if one.pid not in members]


def end(doomed: Collection[Sighting], *, grace: float) -> None:
    """Ask the processes to end, wait up to `grace` seconds, then kill what is left."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        doomed = [one for one in doomed if one.is_alive]
        for one in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, number)
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline and any(one.is_alive for one in doomed):
            time.sleep(0.05)


class Child:
    """A program that runs for us in a session of its own.

    Its output goes to a log file, and to the console if one is given.
    """

    def __init__(
        self,
        *,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        directory: Path,
        log: Path,
        console: Console | None = None,
        user: int | None = None,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._environment = dict(environment)
        self._directory = directory
        self._log = log
        self._console = console
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self.started_at = 0.0

    def start(self) -> None:
        self._log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.started_at = time.monotonic()
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user is not None else None,
        )
        self._reader = threading.Thread(target=self._copy_output, args=[self._process], daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs or before it was started; minus n when signal n ended it."""
        return self._process.poll() if self._process else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, number: int) -> None:
        if self.is_running:
            os.kill(self.pid, number)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within that time. Its output is complete then."""
        if self._process is None:
            return True
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        if self._reader is not None:
            self._reader.join(1)
        return True

    def how_it_ended(self) -> str:
        code = self.exit_code
        if code is not None and code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with code {code}"

    def last_words(self, lines: int = 12) -> str:
        try:
            text = self._log.read_text(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def _copy_output(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as output, _Log(self._log) as log:
            for raw in output:
                line = raw.decode(errors="replace").rstrip()
                log.keep(line)
                if self._console is not None and line:
                    self._console.line(self.name, line)


class _Log:
    """A file that never grows without end: one older part is kept beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("a")

    def keep(self, line: str) -> None:
        # A full disk costs log lines; it must not block the program that writes them.
        with contextlib.suppress(OSError):
            if self._file.tell() > _LOG_BYTES:
                self._file.close()
                self._path.replace(self._path.with_suffix(".log.1"))
                self._file = self._path.open("a")
            self._file.write(f"{line}\n")
            self._file.flush()

    def __enter__(self) -> _Log:
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
