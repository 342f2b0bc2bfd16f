"""Celery entry points of this context."""

from __future__ import annotations

from celery import shared_task

from domains.users import services
from infrastructure import clock

BATCH = 10_000


@shared_task(name="users.purge_sessions")
def purge_sessions(**_: object) -> int:
    """Forget sessions long over. Scheduled hourly; a run that fails is made good by the next."""
    forgotten = 0
    while True:
        batch = services.purge_sessions(now=clock.now(), at_most=BATCH)
        forgotten += batch
        if batch < BATCH:
            return forgotten
