"""What the person at the keyboard sees: prefixed lines and progress. Standard library only."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

WIDTH = 9
_COLOURS = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)
_PLAIN_PROGRESS_SECONDS = 5.0


class Progress:
    """One long step. On a terminal it is a line that changes, elsewhere a line now and then."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._shown_at = 0.0

    def update(self, done: int, total: int, detail: str = "") -> None:
        now = time.monotonic()
        if self._console.is_terminal:
            filled = 24 * done // max(total, 1)
            bar = "━" * filled + "╌" * (24 - filled)
            self._console.overwrite(f"{self._title}  {bar}  {done}/{total}  {detail}")
        elif now - self._shown_at >= _PLAIN_PROGRESS_SECONDS:
            self._shown_at = now
            self._console.say(f"{self._title}: {done} of {total}")


class Console:
    """Writes whole lines from any thread. A reader that goes away does not stop the stack."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._lock = threading.Lock()
        self._colour_of: dict[str, int] = {}
        self._unfinished = False
        self.is_terminal = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._coloured = self.is_terminal and "NO_COLOR" not in os.environ

    def say(self, text: str) -> None:
        self.line("kontor", text)

    def line(self, name: str, text: str) -> None:
        with self._lock:
            prefix = f"{name:<{WIDTH}}│"
            if self._coloured:
                colour = self._colour_of.setdefault(name, _COLOURS[len(self._colour_of) % 10])
                prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
            self._write("".join(f"{prefix} {part}\n" for part in text.split("\n")))

    def overwrite(self, text: str) -> None:
        """Show a line that the next one replaces."""
        with self._lock:
            self._write(f"{'kontor':<{WIDTH}}│ {text}"[:100])
            self._unfinished = True

    @contextmanager
    def step(self, title: str) -> Iterator[Progress]:
        """Announce a step that may take a while, and say how long it took."""
        started = time.monotonic()
        if not self.is_terminal:
            self.say(f"{title} …")
        else:
            self.overwrite(f"{title} …")
        yield Progress(self, title)
        self.say(f"{title}: {time.monotonic() - started:.1f} s")

    def _write(self, text: str) -> None:
        if self._unfinished:
            text = f"\r\x1b[2K{text}"
            self._unfinished = False
        try:
            self._stream.write(text)
            self._stream.flush()
        except (BrokenPipeError, ValueError):
            # The logs go on in the files; nobody reads them here any more.
            self._stream = open(os.devnull, "w")  # noqa: SIM115
