"""Load by wrk, which needs little of the machine that it shares with the server."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environment import HOST

THREADS = 2
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True, kw_only=True)
class Load:
    """Times in milliseconds, as the client saw them."""

    requests: int
    per_second: float
    p50: float
    p99: float


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        raise SystemExit(
            "wrk is needed to measure the catalogue (Debian, Ubuntu: apt install wrk)."
        )


def of(
    port: int,
    paths: Sequence[str],
    *,
    folder: Path,
    seconds: float,
    concurrency: int = 16,
    headers: Mapping[str, str] | None = None,
) -> Load:
    """Ask for these paths in turn, over and over. Raises RuntimeError for any refusal."""
    script = folder / "requests.lua"
    script.write_text(_script(paths, headers or {}))
    told = subprocess.run(
        [
            *["wrk", "--latency", "-t", str(THREADS), "-c", str(concurrency)],
            *["-d", f"{seconds:.0f}s", "--timeout", "10s"],
            *["-s", str(script), f"http://{HOST}:{port}"],
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if bad := re.search(r"Non-2xx.*|Socket errors.*", told):
        raise RuntimeError(bad[0])
    return Load(
        requests=int(_found(r"(\d+) requests in ", told)),
        per_second=float(_found(r"Requests/sec:\s+([\d.]+)", told)),
        p50=_milliseconds(_found(r"\s50%\s+(\S+)", told)),
        p99=_milliseconds(_found(r"\s99%\s+(\S+)", told)),
    )


def _script(paths: Sequence[str], headers: Mapping[str, str]) -> str:
    # Each thread begins somewhere else, so that two never ask the same in step.
    return "\n".join(
        [
            f"local paths = {{{', '.join(map(_quoted, paths))}}}",
            *(f"wrk.headers[{_quoted(k)}] = {_quoted(v)}" for k, v in headers.items()),
            "local started = 0",
            "function setup(thread)",
            f"  thread:set('place', started * math.floor(#paths / {THREADS}))",
            "  started = started + 1",
            "end",
            "function request()",
            "  place = place % #paths + 1",
            "  return wrk.format('GET', paths[place])",
            "end",
        ]
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"wrk said nothing like {pattern}:\n{text}")
    return match[1]


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS[unit]
