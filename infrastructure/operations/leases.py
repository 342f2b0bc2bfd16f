"""Who runs an operation: one at a time, and only as long as its lease is renewed.

The clocks of workers may differ: that makes a take-over early or late, never wrong, since what is
written names the holder and a holder that was replaced writes nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from infrastructure.ids import new_id
from infrastructure.operations.models import Operation

State = Operation.State

# Runs in a row that came no further, after which an operation is given up: what kills its worker
# every time would otherwise do so for ever.
MOST_ATTEMPTS = 5


class LostLease(Exception):
    """Somebody else runs the operation now; what this one has not committed does not count."""


def lease_end(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.OPERATION_LEASE_SECONDS)


def take(alias: str, operation_id: UUID, *, now: datetime) -> Operation | None:
    """Begin to run an operation, or go on where somebody stopped. None: it is not to be had.

    The lease of the answer is the caller's: `lease_holder` is new for every run.
    """
    operations = Operation.objects.using(alias)
    holder = new_id()
    taken = operations.filter(_free(now), pk=operation_id).update(
        state=State.RUNNING,
        lease_holder=holder,
        lease_until=lease_end(now),
        attempts=F("attempts") + 1,
        started_at=Coalesce("started_at", now),
    )
    return operations.get(pk=operation_id) if taken else None


def give_back(operation: Operation, *, now: datetime) -> None:
    """Let anybody go on from the last checkpoint, at once; the caller tells the workers."""
    _held(operation).update(lease_holder=None, lease_until=now, attempts=0, hinted_at=now)


def postpone(operation: Operation, *, until: datetime) -> None:
    """Let anybody go on from the last checkpoint, but not yet."""
    _held(operation).update(lease_holder=None, lease_until=until)


def end(operation: Operation, *, state: Operation.State, now: datetime, **fields: Any) -> None:
    """Raises LostLease, and nothing is written, where the lease is somebody else's."""
    ended = _held(operation).update(
        state=state, lease_holder=None, lease_until=None, finished_at=now, **fields
    )
    if not ended:
        raise LostLease(str(operation))


def due(alias: str, *, now: datetime, patience: timedelta, at_most: int) -> list[tuple[UUID, str]]:
    """(id, context) of operations that nobody runs and no worker was told of lately; they count as
    told now."""
    operations = Operation.objects.using(alias)
    waiting = operations.filter(_free(now), hinted_at__lte=now - patience)
    found = list(waiting.order_by("hinted_at")[:at_most].values_list("id", "context"))
    if found:
        operations.filter(pk__in=[pk for pk, _ in found]).update(hinted_at=now)
    return found


def _free(now: datetime) -> Q:
    return Q(state=State.QUEUED) | Q(state=State.RUNNING, lease_until__lte=now)


def _held(operation: Operation) -> QuerySet[Operation]:
    alias = operation._state.db
    return Operation.objects.using(alias).filter(
        pk=operation.pk, state=State.RUNNING, lease_holder=operation.lease_holder
    )
