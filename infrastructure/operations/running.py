"""Carry an operation out under its lease, and write down how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import InterfaceError, OperationalError

from infrastructure import clock
from infrastructure.database.contexts import aliases, connection_at
from infrastructure.errors import DomainError, Transient
from infrastructure.observability import correlation
from infrastructure.operations import leases, registry, stopping
from infrastructure.operations.leases import LostLease
from infrastructure.operations.models import Operation
from infrastructure.operations.work import Cancelled, HandedBack, Work

log = structlog.get_logger(__name__)

State = Operation.State

# What another try may not meet again.
_PASSING = (Transient, OperationalError, InterfaceError, SoftTimeLimitExceeded)
_RETRY_AFTER = timedelta(seconds=10)

OnProgress = Callable[[Work], None]


def run_for_a_while(alias: str, operation_id: UUID) -> bool:
    """A worker's turn at an operation: until it is over, the worker stops, or its time is up, so
    that long work does not keep short tasks waiting. Whether a worker shall go on with it."""
    operation = leases.take(alias, operation_id, now=clock.now())
    if operation is None:
        return False
    return carry_out(
        operation,
        must_rest=stopping.is_stopping,
        slice_seconds=settings.OPERATION_SLICE_SECONDS,
    )


def carry_out(
    operation: Operation,
    *,
    now: Callable[[], datetime] = clock.now,
    must_rest: Callable[[], bool] = lambda: False,
    slice_seconds: float | None = None,
    on_progress: OnProgress | None = None,
) -> bool:
    """Run the body under the lease that the caller has taken, at the conditions of `Work`. Whether
    it was handed back."""
    work = Work(
        operation,
        now=now,
        must_rest=must_rest,
        slice_seconds=slice_seconds,
        on_progress=on_progress,
    )
    try:
        with correlation.bind(correlation_id=str(operation.id)), _planned_anew():
            return _run(operation, work, now)
    except LostLease:
        log.warning("operation_taken_over", operation_id=str(operation.id))
        return False


@contextmanager
def _planned_anew() -> Iterator[None]:
    """No statement of long work is prepared: it fills tables, and a plan that was made while they
    were empty would read them from end to end for every row."""
    connections = [connection_at(alias) for alias in aliases()]
    before = []
    for connection in connections:
        connection.ensure_connection()
        before.append((connection.connection, connection.connection.prepare_threshold))
        connection.connection.prepare_threshold = None
    try:
        yield
    finally:
        for opened, threshold in before:
            opened.prepare_threshold = threshold


def _run(operation: Operation, work: Work, now: Callable[[], datetime]) -> bool:
    """Raises LostLease."""
    if operation.attempts > leases.MOST_ATTEMPTS:
        _fail(operation, "gave_up", "It was begun several times and came no further.", now())
        return False
    try:
        work.go_on()
        registry.kind_named(operation.kind).body(work)
        if not work.is_finished:
            work.finish()
    except LostLease:
        raise
    except HandedBack:
        leases.give_back(operation, now=now())
        return True
    except (Cancelled, KeyboardInterrupt):
        leases.end(operation, state=State.CANCELLED, now=now())
    except DomainError as refusal:
        _fail(operation, refusal.code, refusal.detail, now())
    except _PASSING as error:
        log.warning("operation_postponed", exc_info=error)
        leases.postpone(operation, until=now() + _RETRY_AFTER)
    except Exception as error:
        log.exception("operation_failed", exc_info=error)
        _fail(operation, "internal_error", "The work met a fault that nobody foresaw.", now())
    return False


def _fail(operation: Operation, code: str, detail: str, now: datetime) -> None:
    leases.end(operation, state=State.FAILED, now=now, error_code=code, error_detail=detail)
