from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

from infrastructure.operations.progress_bar import ProgressBar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def at(done: int, total: int | None, failed: int = 0) -> Any:
    return SimpleNamespace(done=done, total=total, failed=failed)


def test_on_a_terminal_one_line_is_drawn_anew() -> None:
    stream = Terminal()
    with ProgressBar(stream) as bar:
        bar(at(1_500, 3_000, failed=12))
        bar(at(3_000, 3_000))
    half, whole = "#" * 15 + "." * 15, "#" * 30
    assert stream.getvalue() == (
        f"\r[{half}]  50%  1,500 of 3,000 rows, 12 failed"
        f"\r[{whole}] 100%  3,000 of 3,000 rows           \n"
    )


def test_in_a_log_there_is_a_line_for_every_tenth() -> None:
    stream = io.StringIO()
    with ProgressBar(stream) as bar:
        for done in range(101):
            bar(at(done, 100))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[3] == f"[{'#' * 9}{'.' * 21}]  30%  30 of 100 rows"


def test_without_a_total_it_counts() -> None:
    stream = Terminal()
    with ProgressBar(stream) as bar:
        bar(at(1_200, None, failed=1))
    assert stream.getvalue() == "\r1,200 rows, 1 failed\n"


def test_whatever_was_not_begun_leaves_no_line() -> None:
    stream = Terminal()
    with ProgressBar(stream):
        pass
    assert stream.getvalue() == ""
