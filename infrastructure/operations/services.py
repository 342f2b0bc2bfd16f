"""Start, find, cancel and forget operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce
from kombu.exceptions import OperationalError as BrokerUnavailable

from infrastructure import clock
from infrastructure.auth.actor import Actor
from infrastructure.database.contexts import alias_of, aliases, atomic, on_commit
from infrastructure.http.idempotency import IdempotencyKey, duplicates
from infrastructure.ids import new_id
from infrastructure.operations import leases, registry, running
from infrastructure.operations.errors import OperationFinished, OperationNotFound
from infrastructure.operations.models import Operation, OperationFault
from infrastructure.operations.running import OnProgress
from infrastructure.storage import exports, imports

log = structlog.get_logger(__name__)

State = Operation.State

# A worker that was told of an operation so long ago has probably not heard it.
PATIENCE = timedelta(seconds=30)
_HINTS_AT_ONCE = 100
_FORGOTTEN_AT_ONCE = 500


def start(
    kind: str,
    *,
    params: Mapping[str, Any] | None = None,
    input_file: str = "",
    dry_run: bool = False,
    actor_id: UUID | None,
    total: int | None = None,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
) -> Operation:
    """Queue an operation. Within the caller's transaction, if there is one.

    params: ids and options, as JSON takes them; rows belong into `input_file`, a key of
    `storage.imports`.
    Raises Duplicate for an idempotency key that was used before.
    """
    operation = _new(
        kind,
        now=now,
        params=params,
        input_file=input_file,
        dry_run=dry_run,
        created_by=actor_id,
        total=total,
    )
    insert(operation, idempotency=idempotency)
    on_commit(operation.context, lambda: hint(operation.id, operation.context))
    return operation


def follow(tried: Operation, *, input_file: str, actor_id: UUID, now: datetime) -> Operation:
    """Queue what a dry run has tried, to be really done. Whoever asks again, and however late, gets
    the operation that was begun first, whose input file is another one.

    Raises OperationNotFound where the dry run has been forgotten meanwhile.
    """
    operation = _new(
        tried.kind, now=now, params=tried.params, input_file=input_file, created_by=actor_id
    )
    rows = Operation.objects.using(alias_of(tried.context)).filter(pk=tried.pk)
    with atomic(tried.context):
        # Who comes second waits here for the first one's end, and then changes nothing.
        if rows.filter(followed_by=None).update(followed_by=operation.pk):
            insert(operation)
            on_commit(operation.context, lambda: hint(operation.id, operation.context))
            return operation
    followed_by = rows.values_list("followed_by", flat=True).first()
    begun = find(followed_by) if followed_by is not None else None
    if begun is None:
        raise OperationNotFound(f"There is no operation {tried.pk} any more. Begin anew.")
    return begun


def run_now(
    kind: str,
    *,
    params: Mapping[str, Any] | None = None,
    input_file: str = "",
    dry_run: bool = False,
    actor_id: UUID | None = None,
    total: int | None = None,
    clock: Callable[[], datetime] = clock.now,
    on_progress: OnProgress | None = None,
    idempotency: IdempotencyKey | None = None,
) -> Operation:
    """Carry an operation out here, to its end, and return it as it then is.

    What went wrong is in its state and error, not raised. Ctrl-C cancels it. If this process dies,
    a worker goes on where it stopped; likewise if it meets what will pass, and then it is RUNNING.
    Raises Duplicate for an idempotency key that was used before.
    """
    now = clock()
    operation = _new(
        kind,
        now=now,
        params=params,
        input_file=input_file,
        dry_run=dry_run,
        created_by=actor_id,
        total=total,
        state=State.RUNNING,
        started_at=now,
        attempts=1,
        lease_holder=new_id(),
        lease_until=leases.lease_end(now),
    )
    insert(operation, idempotency=idempotency)
    running.carry_out(operation, now=clock, on_progress=on_progress)
    operation.refresh_from_db(using=operation._state.db)
    return operation


def record(
    kind: str,
    *,
    result: Mapping[str, Any],
    done: int,
    failed: int,
    dry_run: bool,
    actor_id: UUID | None,
    now: datetime,
    idempotency: IdempotencyKey | None,
) -> Operation:
    """Write down what was done at once, in the transaction of its effects: so that a repetition
    under the same key gets the same answer. Raises Duplicate."""
    operation = _new(
        kind,
        now=now,
        result=dict(result),
        done=done,
        total=done,
        failed=failed,
        dry_run=dry_run,
        created_by=actor_id,
        state=State.SUCCEEDED,
        started_at=now,
        finished_at=now,
    )
    insert(operation, idempotency=idempotency)
    return operation


def insert(operation: Operation, *, idempotency: IdempotencyKey | None = None) -> None:
    alias = alias_of(operation.context)
    with duplicates(), atomic(operation.context):
        if idempotency is not None:
            idempotency.record(operation.id, operation.created_at).save(using=alias)
        operation.save(using=alias, force_insert=True)


def _new(
    kind: str, *, now: datetime, params: Mapping[str, Any] | None = None, **fields: Any
) -> Operation:
    known = registry.kind_named(kind)
    given = dict(params or {})
    return Operation(
        kind=kind,
        context=known.context,
        scope=known.scope_of(given),
        params=given,
        created_at=now,
        hinted_at=now,
        **fields,
    )


def hint(operation_id: UUID, context: str) -> None:
    """Tell a worker of the context. Where that fails, the sweeper tells one later."""
    try:
        current_app.send_task(
            "platform.run_operation",
            kwargs={"operation_id": str(operation_id), "context": context},
            queue=context,
            # Tried once more, since a kept connection may be gone. Without a retry at all kombu
            # would go on connecting for seconds, while the caller's request waits.
            retry=True,
            retry_policy={"max_retries": 1, "interval_start": 0},
        )
    except (BrokerUnavailable, OSError) as error:
        log.warning("operation_hint_lost", exc_info=error)


def sweep(alias: str, *, now: datetime) -> int:
    """Tell workers again of what waits, or was left by a worker that died. Returns how many."""
    found = leases.due(alias, now=now, patience=PATIENCE, at_most=_HINTS_AT_ONCE)
    for operation_id, context in found:
        hint(operation_id, context)
    return len(found)


# Questions


def find(operation_id: UUID) -> Operation | None:
    for alias in aliases():
        found = Operation.objects.using(alias).filter(pk=operation_id).first()
        if found is not None:
            return found
    return None


def seen_by(actor: Actor, operation_id: UUID) -> Operation:
    """Raises OperationNotFound also for an operation that the caller may not see."""
    operation = find(operation_id)
    if operation is None or not may_see(
        operation.created_by, operation.scope, actor_id=actor.id, scopes=actor.scopes
    ):
        raise OperationNotFound(f"There is no operation {operation_id}.")
    return operation


def may_see(created_by: UUID | None, scope: str, *, actor_id: UUID, scopes: frozenset[str]) -> bool:
    return created_by == actor_id or scope in scopes


def visible_to(alias: str, *, actor_id: UUID, scopes: frozenset[str]) -> QuerySet[Operation]:
    """One's own, and those of every kind whose scope one holds."""
    operations = Operation.objects.using(alias)
    # A customer holds none of them, and then the index by owner leads straight to the rows.
    held = sorted(scopes & registry.scopes())
    whose = Q(created_by=actor_id)
    return operations.filter(whose | Q(scope__in=held) if held else whose)


def faults_of(operation: Operation) -> QuerySet[OperationFault]:
    return OperationFault.objects.using(operation._state.db or "").filter(operation=operation)


# Cancelling


def cancel(
    operation: Operation, *, idempotency: IdempotencyKey | None = None, now: datetime
) -> Operation:
    """What waits is cancelled at once; what runs, after its current batch. Asking twice is the same
    as once, unless it has finished in between. Raises OperationFinished, and Duplicate for a key
    that was used before. Returns it as it then is."""
    alias = operation._state.db or ""
    is_queued = Q(state=State.QUEUED)
    with transaction.atomic(using=alias), duplicates():
        Operation.objects.using(alias).filter(
            pk=operation.pk, state__in=(State.QUEUED, State.RUNNING)
        ).update(
            state=Case(When(is_queued, then=Value(State.CANCELLED)), default=F("state")),
            finished_at=Case(When(is_queued, then=Value(now)), default=F("finished_at")),
            cancel_requested_at=Coalesce("cancel_requested_at", now),
        )
        operation.refresh_from_db(using=alias)
        if operation.state in (State.SUCCEEDED, State.FAILED):
            raise OperationFinished(f"It is {operation.state}.")
        if idempotency is not None:
            idempotency.record(operation.pk, now).save(using=alias)
    return operation


# Retention


def forget(alias: str, *, now: datetime) -> int:
    """Delete what finished more than OPERATION_RETENTION_DAYS ago, with its faults and files.
    Returns how many operations."""
    before = now - timedelta(days=settings.OPERATION_RETENTION_DAYS)
    operations = Operation.objects.using(alias)
    forgotten = 0
    while True:
        old = operations.filter(finished_at__lt=before).order_by("finished_at")
        found = list(old.values_list("id", "input_file", "result_file")[:_FORGOTTEN_AT_ONCE])
        # Files first: a row that is left over leads to its files again, a file to nothing.
        for _, input_file, result_file in found:
            imports.delete(input_file)
            exports.delete(result_file)
        with transaction.atomic(using=alias):
            ids = [pk for pk, _, _ in found]
            OperationFault.objects.using(alias).filter(operation__in=ids)._raw_delete(alias)
            operations.filter(pk__in=ids)._raw_delete(alias)
        forgotten += len(found)
        if len(found) < _FORGOTTEN_AT_ONCE:
            return forgotten
