"""Every task goes to the one queue of its context, and the worker shows that it is alive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from celery import current_app
from django.conf import settings

from tests.support.waiting import until


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("orders.settle_unfinished_orders", "orders"),
        ("payments.resolve_unfinished", "payments"),
        ("users.purge_sessions", "users"),
        ("platform.forget_old_rows", "platform"),
        ("platform.sweep_operations", "platform"),
    ],
)
def test_a_task_waits_in_the_queue_of_its_context_and_nowhere_else(task: str, queue: str) -> None:
    broker = redis.Redis.from_url(settings.CELERY_BROKER_URL)
    names = [str(known.name) for known in settings.CELERY_TASK_QUEUES]
    broker.delete(*names)
    current_app.send_task(task)
    assert {name: broker.llen(name) for name in names if broker.llen(name)} == {queue: 1}
    broker.delete(*names)


def test_every_scheduled_task_exists() -> None:
    current_app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled <= set(current_app.tasks)


def test_a_worker_touches_its_heartbeat_while_its_loop_moves(tmp_path: Path) -> None:
    file = tmp_path / "heartbeat"
    command = [sys.executable, "-m", "celery", "-q", "-A", "config.celery", "worker"]
    worker = subprocess.Popen(
        [*command, "--concurrency", "1", "--queues", "platform"],
        cwd=settings.BASE_DIR,
        env=os.environ | {"HEARTBEAT_FILE": str(file)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(file.exists)
        touched = file.stat().st_mtime_ns
        until(lambda: file.stat().st_mtime_ns > touched)
        worker.terminate()
        assert worker.wait(timeout=120) == 0
    finally:
        worker.kill()
        worker.wait()


@pytest.mark.django_db(transaction=True)
def test_a_worker_says_what_failed_and_stops_when_told() -> None:
    names = [str(known.name) for known in settings.CELERY_TASK_QUEUES]
    redis.Redis.from_url(settings.CELERY_BROKER_URL).delete(*names)
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-q", "-A", "config.celery", "worker", "-c", "1"],
        cwd=settings.BASE_DIR,
        env=os.environ | {"REMAP_SIGTERM": "SIGQUIT", "LOG_READABLE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        current_app.send_task("orders.no_such_task")
        assert worker.stdout is not None
        for line in worker.stdout:
            if "unregistered task" in line:
                break
        else:
            raise AssertionError("The worker ended without a word.")
        worker.terminate()
        assert worker.wait(timeout=120) == 0
    finally:
        worker.kill()
        worker.communicate()
