"""pgbench: the measure, since nothing talks to PostgreSQL with less around it."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from django.conf import settings
from django.db import connections

from benchmarks.placement.measurement import Measurement
from benchmarks.placement.statements import Scripts
from benchmarks.placement.usage import Usage, postmaster
from infrastructure.database.contexts import alias_of

PROBE_SECONDS = 2.0


def fresh_id() -> str:
    """The database's function that makes an id: by time where it has that, as the application's."""
    with connections[alias_of("orders")].cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        version = int(cursor.fetchone()[0])
    return "uuidv7()" if version >= 180_000 else "gen_random_uuid()"


def making(scripts: Scripts, *, concurrency: int) -> float:
    """The seconds per order that making its parameters takes from pgbench's rate."""
    bare = _run(scripts.bare, concurrency=concurrency, seconds=PROBE_SECONDS)
    wrapped = _run(scripts.wrapped, concurrency=concurrency, seconds=PROBE_SECONDS)
    return max(0.0, 1 / wrapped.per_second - 1 / bare.per_second)


def run(scripts: Scripts, *, concurrency: int, seconds: float, making: float) -> Measurement:
    """The orders that pgbench places, as if it had not had to make their parameters."""
    whole = _run(scripts.order, concurrency=concurrency, seconds=seconds)
    return replace(whole, per_second=1 / (1 / whole.per_second - making))


def _run(script: str, *, concurrency: int, seconds: float) -> Measurement:
    program = shutil.which("pgbench")
    if program is None:
        raise SystemExit("There is no pgbench on the PATH. `make bench` puts one there.")
    options = settings.DATABASES[alias_of("orders")]["OPTIONS"]["options"]
    server = Usage(postmaster())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "order.sql").write_text(script)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = subprocess.run(
            [
                *[program, "--no-vacuum", "--protocol=prepared", f"--file={path / 'order.sql'}"],
                *[f"--client={concurrency}", "--jobs=2", f"--time={seconds:.0f}"],
                *["--log", f"--log-prefix={path / 'log'}"],
                os.environ["DATABASE_URL"],
            ],
            env={**os.environ, "PGOPTIONS": options},
            capture_output=True,
            text=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if result.returncode:
            raise RuntimeError(f"pgbench failed:\n{result.stderr[-4000:]}")
        latencies = [
            int(line.split()[2]) / 1e6
            for log in path.glob("log*")
            for line in log.read_text().splitlines()
        ]
    per_second = re.search(r"^tps = ([\d.]+)", result.stdout, re.MULTILINE)
    assert per_second is not None, result.stdout
    used = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return Measurement(
        orders=len(latencies),
        per_second=float(per_second[1]),
        latencies=latencies,
        client_cpu=used,
        database_cpu=server.seconds,
    )
