"""How far an operation has come, for whoever waits at a terminal or reads a log."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from infrastructure.operations.work import Work

_WIDTH = 30


class Stream(Protocol):
    def write(self, text: str, /) -> object: ...
    def flush(self) -> None: ...
    def isatty(self) -> bool: ...


class ProgressBar:
    """Give it to `services.run_now` as `on_progress`.

    On a terminal one line that is drawn anew; elsewhere a line for every tenth of the way, so that
    logs stay short.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._drawn = ""
        self._tenth = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._drawn and self._stream.isatty():
            self._stream.write("\n")
        self._stream.flush()

    def __call__(self, work: Work) -> None:
        text = _text(work.done, work.total, work.failed)
        if self._stream.isatty():
            # What was longer before is blotted out.
            self._stream.write("\r" + text.ljust(len(self._drawn)))
            self._stream.flush()
            self._drawn = text
            return
        tenth = work.done * 10 // work.total if work.total else -1
        if tenth > self._tenth:
            self._tenth = tenth
            self._stream.write(text + "\n")
            self._stream.flush()


def _text(done: int, total: int | None, failed: int) -> str:
    faults = f", {failed:,} failed" if failed else ""
    if not total:
        return f"{done:,} rows{faults}"
    share = min(done / total, 1)
    bar = "#" * int(share * _WIDTH)
    return f"[{bar:.<{_WIDTH}}] {share:4.0%}  {done:,} of {total:,} rows{faults}"
