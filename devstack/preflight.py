"""What this machine must offer, checked before anything is started. Standard library only."""

from __future__ import annotations

import platform
import shutil
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

from devstack.errors import StackError

OLDEST_PYTHON = (3, 11)
_OLDEST_GLIBC = (2, 28)
FIRST_START_BYTES = 1_500_000_000
LATER_START_BYTES = 300_000_000
_ALTERNATIVE = "`docker compose up` runs the same shop from images."


def require_python(version: tuple[int, int] | None = None) -> None:
    found = version or sys.version_info[:2]
    if found < OLDEST_PYTHON:
        raise StackError(
            f"This is Python {found[0]}.{found[1]}; Kontor needs 3.11 or later.",
            "Install a newer one and name it, as in `make run PYTHON=python3.13`.",
        )


def require_platform(
    system: str | None = None, machine: str | None = None, libc: tuple[str, str] | None = None
) -> None:
    """There must be wheels with servers for this platform."""
    system = system or platform.system()
    machine = machine or platform.machine()
    supported = {"Linux": ("x86_64", "aarch64"), "Darwin": ("arm64",)}
    if machine not in supported.get(system, ()):
        raise StackError(
            f"There are no embedded servers for {system} on {machine}, only for Linux on x86_64"
            " and aarch64 and for macOS on arm64.",
            _ALTERNATIVE,
        )
    if system != "Linux":
        return
    name, version = libc or platform.libc_ver()
    if name != "glibc":
        raise StackError(
            "The embedded servers need glibc; this Linux has another C library (Alpine has musl).",
            f"Use a distribution with glibc 2.28 or later (Debian, Ubuntu, Fedora). {_ALTERNATIVE}",
        )
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST_GLIBC:
        raise StackError(
            f"glibc here is {version}; the embedded servers need 2.28 or later (Debian 10 and on).",
            f"Use a newer distribution. {_ALTERNATIVE}",
        )


def require_space(folder: Path, wanted: int, free: int | None = None) -> None:
    if free is None:
        free = shutil.disk_usage(folder).free
    if free < wanted:
        raise StackError(
            f"The disk that holds {folder} has {free / 1e9:.1f} GB left;"
            f" {wanted / 1e9:.1f} GB are needed.",
            "Make room and start again. `make reset` throws the local stack's data away.",
        )


def require_answer(variable: str, address: str) -> None:
    """A server that was named in the environment must be there. Several may be, by comma."""
    hosts = address.rpartition("@")[2].rpartition("//")[2].partition("/")[0].split(",")
    fallback = {"DATABASE_URL": 5432, "REDIS_URL": 6379, "KAFKA_BOOTSTRAP_SERVERS": 9092}
    for host in hosts:
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname, parts.port or fallback[variable]
        except ValueError:
            continue
        if not name:
            return  # A socket of the file system: the client will tell.
        try:
            socket.create_connection((name, port), timeout=3).close()
        except OSError:
            continue
        return
    raise StackError(
        f"{variable} names {', '.join(hosts)}, and nothing answers there.",
        f"Start that server, or leave {variable} out to get an embedded one.",
    )
