"""Stripe's own mock server, built once from its source by Go's tools and kept under `.local`.

It checks every request against Stripe's OpenAPI description and answers with its fixtures; it
remembers nothing, so what depends on an earlier request cannot be tried with it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devstack.ports import free_port

MODULE = "github.com/stripe/stripe-mock@v0.203.0"
TOOLS = Path(__file__).resolve().parent.parent.parent / ".local" / "tools"
PATIENCE_S = 30


def reason_to_skip() -> str:
    """Why it cannot be had here; empty where it can."""
    if _binary().exists() or shutil.which("go"):
        return ""
    return "stripe-mock is built by Go, which is not on this machine"


@contextmanager
def running() -> Iterator[str]:
    """The address of a stripe-mock of one's own."""
    binary = _built()
    port = free_port()
    process = subprocess.Popen(
        [binary, "-http-addr", f"127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _until_it_listens(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


def _built() -> Path:
    binary = _binary()
    TOOLS.mkdir(parents=True, exist_ok=True)
    # Test processes come here at the same time, and building takes a minute.
    with (TOOLS / "stripe-mock.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            subprocess.run(
                ["go", "install", MODULE],
                env={**os.environ, "GOBIN": str(binary.parent), "GOFLAGS": "-mod=mod"},
                check=True,
                timeout=600,
                capture_output=True,
            )
    return binary


def _binary() -> Path:
    return TOOLS / MODULE.rpartition("@")[2] / "stripe-mock"


def _until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None, f"stripe-mock ended with code {process.returncode}"
            assert time.monotonic() < deadline, "stripe-mock did not start"
            time.sleep(0.02)
