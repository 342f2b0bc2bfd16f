"""Operations as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import msgspec
from django.urls import reverse
from msgspec import Meta

from infrastructure.http.types import Out, PageQuery
from infrastructure.operations import models

State = Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
KindName = Annotated[
    str, Meta(pattern=r"^[a-z_]+\.[a-z_]+$(?![\s\S])", max_length=100, examples=["products.import"])
]


class OperationFilters(PageQuery, frozen=True, kw_only=True):
    kind: KindName | None = None
    state: State | None = None


class FaultFilters(PageQuery, frozen=True, kw_only=True):
    pass


class Progress(Out, frozen=True, kw_only=True):
    """Rows. `total` is null until it is known; `failed` of the `done` ones are at fault."""

    total: int | None
    done: int
    failed: int


class OperationError(Out, frozen=True, kw_only=True):
    """Why an operation as a whole has failed; `code` is stable, as those of problems are."""

    code: str
    detail: str


class OperationLinks(Out, frozen=True, kw_only=True):
    """`result` is null where there is no file to download; `cancel` where it is over."""

    self: str
    faults: str
    cancel: str | None
    result: str | None


class FieldChange(Out, frozen=True, kw_only=True):
    """`part` says of what of it: such as a variant by its SKU; it is empty for the thing itself.
    Texts of more than 100 characters are cut, around the place where they begin to differ; null is
    nothing at all."""

    part: str
    field: str
    old: str | None
    new: str | None


class Change(Out, frozen=True, kw_only=True):
    """What would become of one thing. `row`: the first that speaks of it; `name`: as the input
    calls it. `fields` are empty where it would be created; of more than ten the rest is counted in
    `fields_left_out`."""

    row: int
    name: str
    outcome: Literal["created", "changed"]
    fields: list[FieldChange]
    fields_left_out: int


class Operation(Out, frozen=True, kw_only=True):
    """A piece of work that goes on after the answer. `faults_left_out` more rows' faults were found
    than are listed. A dry run changes nothing, and says what it would have done: that of an import
    in `changes`, once it is over, with the first 50 things that it would create or change. In
    lists, and of all else, `changes` is null."""

    id: UUID
    kind: str
    state: State
    dry_run: bool
    progress: Progress
    faults_left_out: int
    result: dict[str, Any] | None
    changes: Annotated[list[Change], Meta(max_length=50)] | None = None
    error: OperationError | None
    created_at: datetime
    started_at: datetime | None
    cancel_requested_at: datetime | None
    finished_at: datetime | None
    links: OperationLinks

    @classmethod
    def of(cls, row: models.Operation) -> Self:
        here = {"operation_id": row.id}
        error = None
        if row.error_code:
            error = OperationError(code=row.error_code, detail=row.error_detail)
        result: dict[str, Any] | None = row.result
        changes = None
        if result is not None and "changes" in result:
            result = dict(result)
            changes = msgspec.convert(result.pop("changes"), list[Change])
        return cls(
            id=row.id,
            kind=row.kind,
            state=row.state,  # type: ignore[arg-type]
            dry_run=row.dry_run,
            progress=Progress(total=row.total, done=row.done, failed=row.failed),
            faults_left_out=row.faults_left_out,
            result=result,
            changes=changes,
            error=error,
            created_at=row.created_at,
            started_at=row.started_at,
            cancel_requested_at=row.cancel_requested_at,
            finished_at=row.finished_at,
            links=OperationLinks(
                self=reverse("operation", kwargs=here),
                faults=reverse("operation-faults", kwargs=here),
                cancel=None if row.is_finished else reverse("operation-cancel", kwargs=here),
                result=reverse("operation-result", kwargs=here) if row.result_file else None,
            ),
        )

    @classmethod
    def in_list(cls, row: models.Operation) -> Self:
        return msgspec.structs.replace(cls.of(row), changes=None)


class RowFault(Out, frozen=True, kw_only=True):
    """What is wrong with one row of the input. `pointer` is a JSON pointer into the row, or empty
    where the fault is of the row as a whole."""

    row: int
    pointer: str
    code: str
    detail: str

    @classmethod
    def of(cls, row: models.OperationFault) -> Self:
        return cls(row=row.row_number, pointer=row.pointer, code=row.code, detail=row.detail)
