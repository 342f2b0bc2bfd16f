"""The file of results: every run is appended with its date and machine."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
_PACKAGES = ("Django", "psycopg", "granian", "msgspec", "confluent-kafka")


def append(sections: list[str], *, database: str) -> None:
    with RESULTS.open("a") as file:
        file.write("\n".join(["", heading(database=database), "", *sections, ""]))


def heading(*, database: str) -> str:
    """When, and on what. No names of machines or people."""
    now = datetime.now(UTC)
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"## {now:%Y-%m-%d %H:%M} UTC\n\n"
        f"{os.cpu_count()} cores of {_processor()}, {_memory_gib()} GiB; "
        f"{platform.system()} {platform.release().split('-')[0]}; "
        f"Python {platform.python_version()}, PostgreSQL {database}, {packages}."
    )


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _processor() -> str:
    try:
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.machine()


def _memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
