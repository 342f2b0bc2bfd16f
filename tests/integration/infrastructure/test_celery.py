"""Every task goes to the one queue of its context."""

from __future__ import annotations

import pytest
import redis
from celery import current_app
from django.conf import settings


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("orders.settle_unfinished_orders", "orders"),
        ("payments.resolve_unfinished", "payments"),
        ("users.purge_sessions", "users"),
        ("platform.forget_old_rows", "platform"),
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
