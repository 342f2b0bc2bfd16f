"""Celery: work. What must happen is a row in the database, and a task is only the hint to look."""

from __future__ import annotations

from typing import Any

from celery import Celery, bootsteps
from django.conf import settings

from infrastructure.observability.heartbeat import Heartbeat

app = Celery("kontor")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


class WorkerHeartbeat(bootsteps.StartStopStep):
    """Touches HEARTBEAT_FILE from the worker's own event loop, so that a stuck one falls silent."""

    requires = ("celery.worker.components:Timer",)

    def start(self, worker: Any) -> None:
        heartbeat = Heartbeat(settings.HEARTBEAT_FILE)
        self._timer = worker.timer.call_repeatedly(1.0, heartbeat.touch)

    def stop(self, worker: Any) -> None:
        self._timer.cancel()


app.steps["worker"].add(WorkerHeartbeat)
