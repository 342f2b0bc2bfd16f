"""Periodic tasks are enqueued by one beat however many run, and its successor takes over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.db import connections

from infrastructure.database.contexts import aliases
from tests.support.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def beats(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    database = connections[aliases()[0]].settings_dict
    url = (
        f"postgresql://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:"
        f"{database['PORT']}/{database['NAME']}"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "manage.py", "run_beat"],
            cwd=settings.BASE_DIR,
            env=os.environ
            | {
                "DATABASE_URL": url,
                "ROLE": f"beat-{number}",
                "HEARTBEAT_FILE": str(tmp_path / f"beat-{number}"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(2)
    ]
    yield running
    for process in running:
        process.kill()
        process.communicate()


def test_one_beats_and_the_other_takes_over(
    beats: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    broker = redis.Redis.from_url(settings.CELERY_BROKER_URL)
    broker.delete("orders", "payments")

    def comparisons() -> int:
        return sum(b"payments.reconcile" in told for told in broker.lrange("payments", 0, -1))

    # Each beat enqueues every task when it begins, the hourly ones too: two would leave two.
    until(lambda: comparisons() > 0)

    # Both are alive, the one that waits for the lock too.
    files = [tmp_path / "beat-0", tmp_path / "beat-1"]
    until(lambda: all(file.exists() for file in files))
    seen = [file.stat().st_mtime_ns for file in files]
    until(lambda: all(f.stat().st_mtime_ns > at for f, at in zip(files, seen, strict=True)))

    assert comparisons() == 1

    holder = _lock_holder()
    beats[holder].send_signal(signal.SIGKILL)
    beats[holder].wait()
    until(lambda: comparisons() == 2)

    survivor = beats[1 - holder]
    survivor.send_signal(signal.SIGTERM)
    assert survivor.wait(timeout=60) == 0


def _lock_holder() -> int:
    with connections[aliases()[0]].cursor() as cursor:
        cursor.execute(
            "SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid) "
            "WHERE locktype = 'advisory' AND granted AND application_name LIKE 'beat-%%'"
        )
        ((name,),) = cursor.fetchall()
    return int(name.removeprefix("beat-"))
