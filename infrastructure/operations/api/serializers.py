"""Operations as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from django.urls import reverse
from msgspec import Meta

from infrastructure.http.types import Out, PageQuery
from infrastructure.operations import models

State = Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
KindName = Annotated[
    str, Meta(pattern=r"^[a-z_]+\.[a-z_]+$", max_length=100, examples=["products.import"])
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


class Operation(Out, frozen=True, kw_only=True):
    """A piece of work that goes on after the answer. `faults_left_out` more rows' faults were found
    than are listed. A dry run changes nothing, and says what it would have done."""

    id: UUID
    kind: str
    state: State
    dry_run: bool
    progress: Progress
    faults_left_out: int
    result: dict[str, Any] | None
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
        return cls(
            id=row.id,
            kind=row.kind,
            state=row.state,  # type: ignore[arg-type]
            dry_run=row.dry_run,
            progress=Progress(total=row.total, done=row.done, failed=row.failed),
            faults_left_out=row.faults_left_out,
            result=row.result,
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
