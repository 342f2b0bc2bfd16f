"""The web role: granian with the application. `python -m devstack.web` starts it in the image."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

from devstack.errors import StackError
from devstack.options import Options


def command(options: Options, *, grace_seconds: int) -> list[str]:
    """grace_seconds: how long a worker has for its last answers when it is told to stop."""
    return [
        *[sys.executable, "-m", "granian", "--interface", "wsgi", "config.wsgi:application"],
        *["--host", options.host, "--port", str(options.port)],
        *["--workers", str(options.web_workers)],
        *["--blocking-threads", str(options.web_threads)],
        # A thread that granian ends for being idle takes its database connections with it.
        *["--blocking-threads-idle-timeout", "600"],
        *["--no-ws", "--respawn-failed-workers", "--respawn-interval", "1"],
        *["--workers-kill-timeout", str(grace_seconds)],
    ]


def make_metrics_folder(path: Path) -> None:
    """Make it empty: the numbers of processes that are gone would be added to those of ours."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)


def main() -> NoReturn:
    """Become the web server. HOST, PORT, WEB_WORKERS and WEB_THREADS as for `make run`."""
    try:
        options = Options.read(os.environ)
    except StackError as error:
        sys.exit(f"{error.what}\n{error.todo}")
    # Memory, which every container has here and which is gone with it.
    folder = os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", "/dev/shm/metrics")  # noqa: S108
    make_metrics_folder(Path(folder))
    # The settings count by it how many calls to the gateway one process may have.
    os.environ["WEB_THREADS"] = str(options.web_threads)
    web = command(options, grace_seconds=20)
    os.execv(web[0], web)  # noqa: S606


if __name__ == "__main__":
    main()
