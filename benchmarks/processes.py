"""Processes that a benchmark starts and ends: servers, relay, consumers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.environment import HOST

ROOT = Path(__file__).resolve().parent.parent
# As `make run` starts the web role, unless the environment says otherwise.
WORKERS = os.environ.get("WEB_WORKERS") or "2"
THREADS = os.environ.get("WEB_THREADS") or "8"


@contextmanager
def serving(
    application: str, *, logs: Path, **environment: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A WSGI application as the web role is run everywhere, on a port of its own."""
    port = free_port()
    environment = {"WEB_THREADS": THREADS, **environment}
    command = [
        *["-m", "granian", "--interface", "wsgi", application, "--host", HOST, "--port", str(port)],
        *["--workers", WORKERS, "--blocking-threads", THREADS],
        *["--blocking-threads-idle-timeout", "600", "--workers-kill-timeout", "5"],
    ]
    with tempfile.TemporaryDirectory(prefix="metrics-") as metrics:
        # One folder for the metrics of all its processes, as everywhere.
        environment = {"PROMETHEUS_MULTIPROC_DIR": metrics, **environment}
        with running("web", command, logs=logs, **environment) as process:
            wait_for(port, process)
            yield process, port


@contextmanager
def running(
    name: str, command: list[str], *, logs: Path, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    with (logs / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            env={**os.environ, "ROLE": name, **environment},
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
        if process.poll() is not None:
            raise RuntimeError(f"{name} ended with code {process.returncode}; see {logs}.")
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((HOST, port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"Nothing answers on port {port}.")
