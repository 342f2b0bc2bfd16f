"""What the body of an operation is given: its input, and the way to say how far it has come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from django.db import transaction

from infrastructure import clock
from infrastructure.database.contexts import connection_at
from infrastructure.operations import leases
from infrastructure.operations.leases import LostLease
from infrastructure.operations.models import FAULTS_KEPT, Operation

__all__ = ["Cancelled", "Fault", "HandedBack", "LostLease", "Work"]

T = TypeVar("T")


class Cancelled(Exception):
    """Somebody asked for the operation to be cancelled. What was committed stays."""


class HandedBack(Exception):
    """The process stops, or this operation has had its turn: another run goes on from the last
    checkpoint."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one row of the input. `pointer` names the field, if it is about one."""

    row: int
    code: str
    detail: str
    pointer: str = ""


_MOVED = """
    done = coalesce(%s::int, o.done), total = coalesce(%s::int, o.total),
    checkpoint = coalesce(%s::jsonb, o.checkpoint), lease_until = %s::timestamptz,
    attempts = CASE WHEN coalesce(%s::int, o.done) <> o.done
                      OR coalesce(%s::jsonb, o.checkpoint) <> o.checkpoint
                    THEN 0 ELSE o.attempts END"""
_MINE = "o.id = %s::uuid AND o.lease_holder = %s::uuid AND o.state = 'RUNNING'"

_PROGRESS = f"""
UPDATE platform_operation o SET {_MOVED} WHERE {_MINE}
RETURNING o.cancel_requested_at IS NOT NULL, o.failed
"""

# A fault that is there already does not count again; those beyond the limit are only counted.
_PROGRESS_WITH_FAULTS = f"""
WITH given AS MATERIALIZED (
    SELECT DISTINCT ON (g."row", g.pointer) g.*
      FROM json_to_recordset(%s::json)
           AS g("row" int, pointer text, code text, detail text)
     WHERE NOT EXISTS (
         SELECT 1 FROM platform_operationfault f
          WHERE f.operation_id = %s::uuid AND f.row_number = g."row" AND f.pointer = g.pointer)
     ORDER BY g."row", g.pointer),
counted AS (SELECT count(*)::int AS faults, count(DISTINCT g."row")::int AS rows FROM given g),
before AS (SELECT p.faults_kept FROM platform_operation p WHERE p.id = %s::uuid),
mine AS (
    UPDATE platform_operation o SET {_MOVED},
        failed = o.failed + c.rows,
        faults_kept = least(o.faults_kept + c.faults, {FAULTS_KEPT}),
        faults_left_out = o.faults_left_out
                        + greatest(o.faults_kept + c.faults - {FAULTS_KEPT}, 0)
      FROM counted c, before b WHERE {_MINE}
    RETURNING o.id, o.cancel_requested_at IS NOT NULL AS cancelled, o.failed,
              o.faults_kept - b.faults_kept AS room),
kept AS (
    INSERT INTO platform_operationfault (operation_id, row_number, pointer, code, detail)
    SELECT m.id, g."row", g.pointer, g.code, g.detail FROM mine m, given g
     ORDER BY g."row", g.pointer LIMIT (SELECT room FROM mine)
    ON CONFLICT DO NOTHING)
SELECT cancelled, failed FROM mine
"""


class Work:
    """One run of an operation, by the holder of its lease.

    Between two calls of `progress` less time may pass than a lease lasts
    (OPERATION_LEASE_SECONDS), or another worker takes over.
    """

    def __init__(
        self,
        operation: Operation,
        *,
        now: Callable[[], datetime] = clock.now,
        must_rest: Callable[[], bool] = lambda: False,
        slice_seconds: float | None = None,
        on_progress: Callable[[Work], None] | None = None,
    ) -> None:
        """must_rest: whether the run shall end at the next opportunity, to be continued.
        slice_seconds: for how long it may come further before others have their turn. They begin
        with its first step, so that every run makes one, however long it takes to find the place
        where the last one stopped.
        """
        self.operation = operation
        self.now = now
        self.id: UUID = operation.id
        self.kind = operation.kind
        self.params: dict[str, Any] = operation.params
        self.dry_run = operation.dry_run
        self.actor_id = operation.created_by
        self.input_file = operation.input_file
        self.checkpoint: dict[str, Any] = operation.checkpoint
        self.done, self.failed, self.total = operation.done, operation.failed, operation.total
        self.is_finished = False
        self._alias = operation._state.db or ""
        self._must_rest, self._on_progress = must_rest, on_progress
        self._slice_seconds, self._rest_at = slice_seconds, float("inf")
        self._is_cancelled = operation.cancel_requested_at is not None

    def progress(
        self,
        *,
        done: int | None = None,
        total: int | None = None,
        checkpoint: Mapping[str, Any] | None = None,
        faults: Sequence[Fault] = (),
    ) -> None:
        """Say how far it has come, renew the lease, and learn whether to go on: one statement.

        done, total: rows, not increments. checkpoint: where a later run goes on. faults: of rows
        that are done now, all of a row at once; `failed` grows by the number of these rows.

        Called within the transaction of a batch's effects, effects and checkpoint are committed
        together: however the process ends, no row is done twice and none is left out.

        Raises LostLease where another worker has taken over, which also undoes the transaction.
        Cancelled and HandedBack are raised here outside a transaction; within one the batch is
        left to be committed, and `go_on` raises before the next.
        """
        moved = None if checkpoint is None else msgspec.json.encode(checkpoint).decode()
        values = [done, total, moved, leases.lease_end(self.now()), done, moved]
        mine = [self.id, self.operation.lease_holder]
        connection = connection_at(self._alias)
        if faults:
            listed = msgspec.json.encode(faults).decode()
            rows = connection.fetch(
                _PROGRESS_WITH_FAULTS, [listed, self.id, self.id, *values, *mine]
            )
        else:
            rows = connection.fetch(_PROGRESS, [*values, *mine])
        if not rows:
            raise LostLease(str(self.operation))
        ((self._is_cancelled, self.failed),) = rows
        if self._slice_seconds is not None and (done, checkpoint) != (None, None):
            self._rest_at = min(self._rest_at, time.monotonic() + self._slice_seconds)
        self.done = self.done if done is None else done
        self.total = self.total if total is None else total
        self.checkpoint = self.checkpoint if checkpoint is None else dict(checkpoint)
        if self._on_progress is not None:
            self._on_progress(self)
        if not connection.in_atomic_block:
            self.go_on()

    def go_on(self, *, in_one_run: bool = False) -> None:
        """Call it before each batch. Raises Cancelled, HandedBack.

        in_one_run: others have no turn in between; only where the process stops the work is handed
        back.
        """
        if self._is_cancelled:
            raise Cancelled(str(self.operation))
        is_time_up = not in_one_run and time.monotonic() >= self._rest_at
        if is_time_up or self._must_rest():
            raise HandedBack(str(self.operation))

    def batches(
        self, rows: Iterable[T], *, size: int, in_one_run: bool = False
    ) -> Iterator[list[T]]:
        """The rows in lists of at most `size`. Raises as `go_on` before each."""
        rest = iter(rows)
        while batch := list(islice(rest, size)):
            self.go_on(in_one_run=in_one_run)
            yield batch

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction on the database that holds both the context's tables and the operation."""
        with transaction.atomic(using=self._alias):
            yield

    @contextmanager
    def effects(self) -> Iterator[None]:
        """Around what a batch writes, inside `transaction`: at the end of a dry run's block all of
        it is undone, and its hints after the commit with it."""
        with transaction.atomic(using=self._alias):
            yield
            if self.dry_run:
                transaction.set_rollback(True, using=self._alias)

    def finish(self, *, result: Mapping[str, Any] | None = None, result_file: str = "") -> None:
        """It has succeeded. A body that ends without this has, too. Raises LostLease."""
        leases.end(
            self.operation,
            state=Operation.State.SUCCEEDED,
            now=self.now(),
            result=None if result is None else dict(result),
            result_file=result_file,
        )
        self.is_finished = True
