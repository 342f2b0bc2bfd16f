"""Where the local stack keeps its things. All of it is below one folder of the checkout."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devstack.errors import StackError

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Layout:
    """`local` holds one stack's data; `shared` what several stacks of a checkout have in common."""

    local: Path
    shared: Path

    @classmethod
    def for_running(cls, root: Path = ROOT) -> Layout:
        return cls(local=root / ".local", shared=root / ".local")

    @classmethod
    def for_tests(cls, root: Path = ROOT) -> Layout:
        return cls(local=root / ".local" / "test", shared=root / ".local")

    @property
    def access(self) -> Path:
        return self.local / "access.json"

    @property
    def credentials(self) -> Path:
        return self.local / "credentials.json"

    @property
    def environment(self) -> Path:
        return self.local / "environment.json"

    @property
    def ports(self) -> Path:
        return self.local / "ports.json"

    @property
    def processes(self) -> Path:
        return self.local / "processes.json"

    @property
    def jars(self) -> Path:
        return self.shared / "jars"

    @property
    def metrics(self) -> Path:
        return self.local / "metrics"

    def data(self, service: str) -> Path:
        return self.local / service

    def log(self, name: str) -> Path:
        return self.local / "logs" / f"{name}.log"

    def erase(self) -> None:
        """Throw the data away, but not what was downloaded, nor a lock or the tests' data."""
        kept = (self.jars, self._lock_file, self.local / "test")
        for path in self.local.glob("*"):
            if path in kept:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    @property
    def _lock_file(self) -> Path:
        return self.local / "lock"

    @contextmanager
    def claimed(self, command: str) -> Iterator[None]:
        """Only one process at a time works on this folder. The claim ends with the process."""
        self.local.mkdir(parents=True, exist_ok=True)
        with self._lock_file.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise StackError(
                    f"Another `{file.read().strip() or 'devstack'}` is at work in {self.local}.",
                    "Stop it with Ctrl-C first, or use a second checkout: several run side by side"
                    " with different PORTs.",
                ) from None
            file.truncate(0)
            file.write(f"{command} (process {os.getpid()})")
            file.flush()
            yield


def write_private_json(path: Path, content: Any) -> None:
    """Replace the file in one go; nobody but its owner can read it at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    draft.replace(path)


def read_json(path: Path) -> Any:
    """The file's content, or an empty dict if there is none or it was cut off."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
