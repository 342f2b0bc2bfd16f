"""Shows how a replay goes on: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib.util import find_spec

from demo.replay.tally import Figures

PLAIN_SECONDS = 5.0
LIVE_SECONDS = 0.25


def show_until(done: Callable[[], bool], *, figures: Callable[[], Figures], total: int) -> None:
    """Show the figures until it is done."""
    if sys.stdout.isatty() and find_spec("rich"):
        _show_live(done, figures, total)
    else:
        _show_plain(done, figures, total)


def _show_live(done: Callable[[], bool], figures: Callable[[], Figures], total: int) -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
    from rich.text import Text

    bar = Progress(BarColumn(bar_width=40), MofNCompleteColumn(), TimeRemainingColumn())
    task = bar.add_task("orders", total=total)

    def picture() -> Group:
        now = figures()
        bar.update(task, completed=now.answered)
        return Group(bar, Text(str(now)))

    with Live(picture(), auto_refresh=False) as live:
        while not done():
            live.update(picture(), refresh=True)
            time.sleep(LIVE_SECONDS)
        live.update(picture(), refresh=True)


def _show_plain(done: Callable[[], bool], figures: Callable[[], Figures], total: int) -> None:
    shown = time.monotonic()
    while not done():
        time.sleep(LIVE_SECONDS)
        if time.monotonic() - shown >= PLAIN_SECONDS:
            shown = time.monotonic()
            now = figures()
            print(f"{now.answered} of {total}: {now}", flush=True)
