"""Celery beat, of which one is active however many are started."""

from __future__ import annotations

import signal
import threading
from datetime import UTC, datetime
from typing import Any

import structlog
from celery import current_app
from celery.beat import Scheduler, Service
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from infrastructure.database.contexts import aliases
from infrastructure.observability.heartbeat import Heartbeat

log = structlog.get_logger(__name__)

# An arbitrary constant that nothing else in the database uses.
_LOCK = 0x6B6F6E62656174
_LOOK_EVERY_SECONDS = 1.0


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class DueAtOnce(Scheduler):
    """In memory: when it begins every task is due, which does no harm to any of them. Celery's own
    would let the whole interval pass first, and restarted more often never run an hourly one."""

    def setup_schedule(self) -> None:
        super().setup_schedule()
        for entry in self.schedule.values():
            entry.last_run_at = _LONG_AGO


class Command(BaseCommand):
    help = "Enqueue periodic tasks, while no other beat does."

    def handle(self, *args: Any, **options: Any) -> None:
        heartbeat = Heartbeat(settings.HEARTBEAT_FILE)
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        while not stopping.is_set():
            connection = connections[aliases()[0]]
            try:
                _beat_while_locked(connection, stopping, heartbeat)
            except OperationalError as error:
                log.warning("beat_lock_unavailable", reason=str(error).strip())
                heartbeat.touch()
                stopping.wait(_LOOK_EVERY_SECONDS)
            finally:
                connection.close()


def _beat_while_locked(
    connection: BaseDatabaseWrapper, stopping: threading.Event, heartbeat: Heartbeat
) -> None:
    """Wait for the lock, then beat until told to stop or until the connection, and with it
    the lock, is gone."""
    moved = heartbeat.member("scheduler")
    while not stopping.is_set() and not _is_locked(connection):
        moved()
        heartbeat.touch()
        stopping.wait(_LOOK_EVERY_SECONDS)
    if stopping.is_set():
        return

    class Ticking(DueAtOnce):
        def tick(self, *args: Any, **kwargs: Any) -> Any:
            moved()
            return super().tick(*args, **kwargs)

    log.info("beat_started")
    service = Service(current_app, max_interval=1, scheduler_cls=Ticking)
    beating = threading.Thread(target=service.start, kwargs={"embedded_process": True}, daemon=True)
    beating.start()
    try:
        while not stopping.wait(_LOOK_EVERY_SECONDS) and beating.is_alive():
            _ask(connection, "SELECT 1")
            heartbeat.touch()
    finally:
        service.stop(wait=False)
        beating.join(timeout=10)


def _is_locked(connection: BaseDatabaseWrapper) -> bool:
    return bool(_ask(connection, f"SELECT pg_try_advisory_lock({_LOCK})"))


def _ask(connection: BaseDatabaseWrapper, sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]
