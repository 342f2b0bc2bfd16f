"""Many rows in one request: few are written at once, many become an operation.

A context declares what is done with a batch of rows once, in its `tasks.py`:

    edit_prices = Bulk("products.edit_prices", scope="catalogue.write", row=NewPrice, apply=apply)

and its view answers with `respond(self, request, tasks.edit_prices, EditPrices)`, where the body's
type is a `BulkBody` that says what its items are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from msgspec import Meta, Raw

from infrastructure import clock
from infrastructure.database.contexts import alias_of, atomic
from infrastructure.errors import DomainError
from infrastructure.http import idempotency
from infrastructure.http.decoding import InvalidBody, decode_body, decode_value
from infrastructure.http.idempotency import Duplicate, IdempotencyKey
from infrastructure.http.types import Body, Out
from infrastructure.http.views import APIView
from infrastructure.operations import registry, services
from infrastructure.operations.api.views import accepted
from infrastructure.operations.models import Operation
from infrastructure.operations.work import Fault, Work
from infrastructure.storage import imports

Row = TypeVar("Row")

Status = Literal["created", "updated", "unchanged", "deleted", "failed"]

MAX_ROWS = 1000

_BATCH = 100
_encode = msgspec.json.Encoder().encode


class BulkBody(Body, frozen=True, kw_only=True):
    """The body of a request for many rows. Subclasses say of what type the items are."""

    items: Annotated[list[Any], Meta(min_length=1, max_length=MAX_ROWS)]
    dry_run: bool = False


class RowResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one row. `code`, `detail` and `pointer` (into the row) of a failed one."""

    status: Status
    id: UUID | None = None
    code: str = ""
    detail: str = ""
    pointer: str = ""

    @classmethod
    def failed(cls, refusal: DomainError) -> RowResult:
        """Of a row that was refused; the first of its errors says which field it is about."""
        pointer = refusal.errors[0].pointer if refusal.errors else ""
        return cls(status="failed", code=refusal.code, detail=refusal.detail, pointer=pointer)

    @classmethod
    def malformed(cls, refusal: InvalidBody) -> RowResult:
        """Of a row that cannot be read as one. What it calls its fields may have a NUL in it, and
        the outcome is stored."""
        error = refusal.errors[0]
        return cls(
            status="failed",
            code=error.code,
            detail=error.detail.replace("\0", "\ufffd"),
            pointer=error.pointer.replace("\0", "\ufffd"),
        )


class BulkItem(Out, frozen=True, kw_only=True, omit_defaults=True):
    """What came of one row; `code`, `detail` and `pointer` only where it failed."""

    index: int
    status: Status
    id: UUID | None = None
    code: str = ""
    detail: str = ""
    pointer: str = ""


class BulkAnswer(Out, frozen=True, kw_only=True):
    """The outcome of every row, in the order in which they came. A row that failed keeps no other
    one from being done."""

    items: list[BulkItem]


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks, when, and whether it is only a trial: then what is written will be undone."""

    actor_id: UUID | None
    now: datetime
    dry_run: bool


Apply = Callable[[Sequence[Row], Call], Sequence[RowResult]]


class Bulk(Generic[Row]):
    """A kind of operation over rows of one type, which can also be done at once.

    apply: writes rows within one transaction and says for each, in their order, what came of it.
        Rows that fail must leave nothing behind (`each`); what it raises is for all rows.
    row: the rows' type, as msgspec decodes it. Rows that are none are refused one by one, and
        `apply` does not get them.
    """

    def __init__(self, kind: str, *, scope: str, row: type[Row], apply: Apply[Row]) -> None:
        self.kind = kind
        self.context = kind.partition(".")[0]
        self._row = row
        # Made here and not when the first row comes: types are looked at at import.
        msgspec.json.Decoder(row)
        self._apply = apply
        registry.runs(kind, scope=scope)(self._run)

    def apply(self, rows: Sequence[Row | Raw], call: Call) -> list[RowResult]:
        """Within the caller's transaction. Raw: the JSON of a row that was not read yet."""
        read = [self._read(row) if isinstance(row, Raw) else row for row in rows]
        right = [row for row in read if not isinstance(row, RowResult)]
        results = list(self._apply(right, call)) if right else []
        if len(results) != len(right):
            raise ValueError(f"{self.kind} said of {len(right)} rows {len(results)} results.")
        of_right = iter(results)
        return [row if isinstance(row, RowResult) else next(of_right) for row in read]

    def _read(self, row: Raw) -> Row | RowResult:
        try:
            return decode_body(bytes(row), self._row)
        except InvalidBody as refusal:
            return RowResult.malformed(refusal)

    def _run(self, work: Work) -> None:
        counts = Counter(work.checkpoint.get("counts", {}))
        position = work.checkpoint.get("row", 0)
        with imports.open(work.input_file) as file:
            for lines in work.batches(islice(file, position, None), size=_BATCH):
                rows = [Raw(line) for line in lines]
                call = Call(actor_id=work.actor_id, now=work.now(), dry_run=work.dry_run)
                with work.transaction():
                    with work.effects():
                        results = self.apply(rows, call)
                    counts.update(result.status for result in results)
                    work.progress(
                        done=position + len(rows),
                        checkpoint={"row": position + len(rows), "counts": dict(counts)},
                        faults=list(_faults(results, first=position)),
                    )
                position += len(rows)
        work.finish(result=dict(counts))


def each(
    rows: Iterable[Row],
    apply_one: Callable[[Row], RowResult],
    *,
    context: str,
) -> list[RowResult]:
    """`apply_one` for every row, in a savepoint of its own: one that is refused with a DomainError
    has failed, and leaves nothing."""
    results = []
    for row in rows:
        try:
            with atomic(context):
                results.append(apply_one(row))
        except DomainError as refusal:
            results.append(RowResult.failed(refusal))
    return results


def respond(
    view: APIView,
    request: HttpRequest,
    bulk: Bulk[Row],
    body_type: type[BulkBody],
) -> HttpResponse:
    """Answer a request for many rows: 200 with what came of each; or, where the client prefers so
    or the rows are more than BULK_SYNC_LIMIT, 202 with the operation that works on them.

    A row that cannot be read fails by itself. Raises as `view.body` for what is wrong with the rest
    of the body.

    An Idempotency-Key counts for both: a repetition gets the first one's answer. The view's method
    declares `idempotency="accepted"`, `respond_async=True` and the answers 200 and 202.
    """
    rows, dry_run, body = _sent(view, request, body_type)
    key = view.idempotency(request, body)
    alias = alias_of(bulk.context)
    asynchronous = view.prefer(request).respond_async or len(rows) > settings.BULK_SYNC_LIMIT
    do = _queue if asynchronous else _do_now
    done, headers = idempotency.once(
        alias,
        key,
        lambda: do(bulk, rows, key=key, actor_id=view.actor.id, dry_run=dry_run),
        again=lambda operation_id: Operation.objects.using(alias).get(pk=operation_id),
    )
    return _answer(view, done, headers)


class _Items(msgspec.Struct, frozen=True):
    items: list[Raw]


_decode_items = msgspec.json.Decoder(_Items).decode


def _sent(
    view: APIView, request: HttpRequest, body_type: type[BulkBody]
) -> tuple[Sequence[Any], bool, object]:
    """The rows, all as they are in the body if one cannot be read; whether it is a trial; and the
    body for the Idempotency-Key's fingerprint."""
    try:
        body = view.body(body_type)
        return body.items, body.dry_run, body
    except InvalidBody:
        sent = msgspec.json.decode(request.body)
        if not isinstance(sent, dict) or not isinstance(sent.get("items"), list):
            raise
        around = decode_value({**sent, "items": [None] * len(sent["items"])}, BulkBody)
        return _decode_items(request.body).items, around.dry_run, sent


def _do_now(
    bulk: Bulk[Row],
    rows: Sequence[Row | Raw],
    *,
    key: IdempotencyKey | None,
    actor_id: UUID,
    dry_run: bool,
) -> Operation:
    """The rows' effects and the record of them in one transaction. Raises Duplicate."""
    now = clock.now()
    with atomic(bulk.context):
        with atomic(bulk.context):
            results = bulk.apply(rows, Call(actor_id=actor_id, now=now, dry_run=dry_run))
            if dry_run:
                transaction.set_rollback(True, using=alias_of(bulk.context))
        return services.record(
            bulk.kind,
            result={"items": [_item(i, result) for i, result in enumerate(results)]},
            done=len(rows),
            failed=sum(result.status == "failed" for result in results),
            dry_run=dry_run,
            actor_id=actor_id,
            now=now,
            idempotency=key,
        )


def _queue(
    bulk: Bulk[Row],
    rows: Sequence[Row | Raw],
    *,
    key: IdempotencyKey | None,
    actor_id: UUID,
    dry_run: bool,
) -> Operation:
    """Raises Duplicate."""
    now = clock.now()
    # Between the parts of a row there may be line breaks; within a text they are escaped.
    lines = (_encode(row).replace(b"\n", b" ") + b"\n" for row in rows)
    stored = imports.save(lines, suffix=".jsonl", now=now)
    try:
        return services.start(
            bulk.kind,
            input_file=stored,
            dry_run=dry_run,
            actor_id=actor_id,
            total=len(rows),
            now=now,
            idempotency=key,
        )
    except Duplicate:
        with suppress(OSError):
            imports.delete(stored)
        raise


def _answer(view: APIView, operation: Operation, headers: dict[str, str]) -> HttpResponse:
    # What was done at once has no input file; its result is the answer.
    if operation.input_file:
        return accepted(view, operation, headers=headers)
    return view.answer(msgspec.convert(operation.result, BulkAnswer), headers=headers)


def _item(index: int, result: RowResult) -> dict[str, Any]:
    item = BulkItem(index=index, **msgspec.structs.asdict(result))
    plain: dict[str, Any] = msgspec.to_builtins(item)
    return plain


def _faults(results: Sequence[RowResult], *, first: int) -> Iterator[Fault]:
    for index, result in enumerate(results, start=first):
        if result.status == "failed":
            yield Fault(row=index, code=result.code, detail=result.detail, pointer=result.pointer)
