"""Celery entry points of the platform: retention."""

from __future__ import annotations

from celery import shared_task

from infrastructure import clock
from infrastructure.database.contexts import aliases
from infrastructure.http import idempotency
from infrastructure.inbox import marks

# Rows per statement, so that no lock is held for long and no transaction grows large.
BATCH = 10_000


@shared_task(name="platform.forget_old_rows")
def forget_old_rows() -> None:
    """Delete idempotency keys after 72 hours and inbox marks after 30 days, in every database."""
    now = clock.now()
    for alias in aliases():
        while idempotency.purge(alias, now, at_most=BATCH) == BATCH:
            pass
        marks.purge(alias, now=now)
