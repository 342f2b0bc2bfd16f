"""Celery entry points of the platform: operations and retention."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.conf import settings

from infrastructure import clock
from infrastructure.database.contexts import alias_of, aliases
from infrastructure.http import idempotency
from infrastructure.inbox import marks
from infrastructure.operations import running
from infrastructure.operations import services as operations
from infrastructure.storage import exports, imports

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


@shared_task(name="platform.run_operation")
def run_operation(*, operation_id: str, context: str, **_: object) -> None:
    """A hint to look at an operation: nothing happens if it is over or somebody has it."""
    if running.run_for_a_while(alias_of(context), UUID(operation_id)):
        operations.hint(UUID(operation_id), context)


@shared_task(name="platform.sweep_operations")
def sweep_operations(**_: object) -> None:
    """Every few seconds: tell workers of operations that none has taken up, or one has lost."""
    for alias in aliases():
        operations.sweep(alias, now=clock.now())


@shared_task(name="platform.forget_operations")
def forget_operations(**_: object) -> None:
    """Delete finished operations with their files, and uploads that nothing came of."""
    now = clock.now()
    for alias in aliases():
        operations.forget(alias, now=now)
    # Twice the time: a file is older than the end of what it belongs to.
    orphaned = now - timedelta(days=2 * settings.OPERATION_RETENTION_DAYS)
    for files in (imports, exports):
        files.purge(before=orphaned.date())
