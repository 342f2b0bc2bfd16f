"""Stripe's own mock server, built once from its source by Go's tools and kept under `.local`.

It checks every request against Stripe's OpenAPI description and answers with its fixtures; it
remembers nothing, so what depends on an earlier request cannot be tried with it.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODULE = "github.com/stripe/stripe-mock@v0.203.0"
TOOLS = Path(__file__).resolve().parent.parent.parent / ".local" / "tools"
_HTTP_ADDRESS = re.compile(r"^Listening for HTTP at address: (\S+)")


def reason_to_skip() -> str:
    """Why it cannot be had here; empty where it can."""
    if _binary().exists() or shutil.which("go"):
        return ""
    return "stripe-mock is built by Go, which is not on this machine"


@contextmanager
def running() -> Iterator[str]:
    """The address of a stripe-mock of one's own."""
    # Ports are the kernel's choice, HTTPS' too, which else is one and the same for all of them.
    process = subprocess.Popen(
        [_built(), "-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield _address_told_by(process)
    finally:
        process.kill()
        process.communicate(timeout=60)


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


def _address_told_by(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    told = ""
    for line in process.stdout:
        told += line
        if found := _HTTP_ADDRESS.search(line):
            return f"http://{found[1]}"
    raise AssertionError(f"stripe-mock ended with code {process.wait(60)}: {told}")
