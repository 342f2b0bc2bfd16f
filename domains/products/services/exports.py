"""Exports: the catalogue as a file that an import reads back without a change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from shutil import copyfileobj
from typing import Any
from uuid import UUID

from domains.products.errors import UnknownFilter
from domains.products.queries import exports as queries
from domains.products.rules.imports.columns import COLUMNS
from domains.products.rules.imports.flat import CELLS
from domains.products.rules.imports.writing import CsvWriter, json_line
from infrastructure import clock
from infrastructure.errors import FieldError
from infrastructure.http.idempotency import IdempotencyKey
from infrastructure.operations import services as operations
from infrastructure.operations.models import Operation
from infrastructure.operations.running import OnProgress
from infrastructure.operations.work import HandedBack, Work
from infrastructure.storage import exports

KIND = "products.export"

FILTERS: Mapping[str, frozenset[str]] = {
    "products": frozenset({"status", "product_type", "updated_since"}),
    "categories": frozenset(),
    "product-types": frozenset(),
    "prices": frozenset({"currency", "price_list"}),
    "stock": frozenset({"warehouse"}),
}
"""Kind of file -> what an export of it can be filtered by."""

SUFFIXES = {"csv": ".csv", "jsonl": ".jsonl"}

# Family of columns -> of which parameters there may be some in the catalogue.
_FAMILIES: Mapping[str, Mapping[str, str]] = {
    "products": {
        **dict.fromkeys(queries.TEXT_FIELDS, "locale"),
        **{name: name for name in ("attr", "variant_attr", "option", "price")},
    },
    "categories": dict.fromkeys(queries.TEXT_FIELDS, "category_locale"),
    "product-types": {"attribute_name": "attribute_locale"},
    "prices": {},
    "stock": {},
}
# What an export says nothing about.
_LEFT_OUT = {"change_from", "delta", "reason"}


def start(
    *,
    kind: str,
    file_format: str,
    filters: Mapping[str, Any],
    actor_id: UUID | None,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
) -> Operation:
    """Let a worker export. Raises UnknownFilter; Duplicate for a key that was used before."""
    return operations.start(
        KIND,
        params=_params(kind, file_format, filters),
        actor_id=actor_id,
        now=now,
        idempotency=idempotency,
    )


def run_now(
    *,
    kind: str,
    file_format: str,
    filters: Mapping[str, Any],
    on_progress: OnProgress | None = None,
) -> Operation:
    """Export here. Raises UnknownFilter; what else became of it is in the operation."""
    params = _params(kind, file_format, filters)
    return operations.run_now(KIND, params=params, clock=clock.now, on_progress=on_progress)


def _params(kind: str, file_format: str, filters: Mapping[str, Any]) -> dict[str, Any]:
    others = sorted(filters.keys() - FILTERS[kind])
    if others:
        raise UnknownFilter(
            errors=[
                FieldError(f"/{name}", UnknownFilter.code, f"{kind} have no filter {name}.")
                for name in others
            ]
        )
    return {"kind": kind, "format": file_format, "filters": dict(filters)}


def run(work: Work) -> None:
    """params: `kind`, `format` and `filters`.

    What one run has written is stored as a part when it is handed back, and the next run goes on
    behind it; a run that dies leaves nothing of its own.
    """
    kind, suffix = work.params["kind"], SUFFIXES[work.params["format"]]
    filters = work.params.get("filters", {})
    now = datetime.fromisoformat(work.checkpoint["now"]) if work.checkpoint else work.now()
    columns = work.checkpoint.get("columns") or columns_of(kind)
    parts: list[str] = work.checkpoint.get("parts", [])
    after: str | None = work.checkpoint.get("after")
    rows = work.checkpoint.get("rows", 0)
    if work.total is None:
        work.progress(total=queries.total(kind, filters))
    is_handed_back = False
    with exports.new(suffix=suffix, now=now) as new:
        lines = _Lines(kind, suffix, columns)
        if not parts:
            new.file.write(lines.header())
        try:
            for page in queries.pages(kind, after=after, now=now, filters=filters):
                new.file.write(lines.of(page.rows))
                rows, after = rows + len(page.rows), page.last
                work.progress(done=rows)
        except HandedBack:
            is_handed_back = True
    parts = [*parts, new.key]
    if is_handed_back:
        _keep(work, now=now, columns=columns, parts=parts, after=after, rows=rows)
        raise HandedBack(str(work.id))
    # Beforehand there was only a guess. Within a transaction nobody is handed back any more.
    with work.transaction():
        work.progress(done=rows, total=rows)
    key = _whole(parts, suffix, now)
    work.finish(result={"rows": rows}, result_file=key)
    # Not before: until then another run may have to begin with them.
    for part in parts:
        if part != key:
            exports.delete(part)


def columns_of(kind: str) -> list[str]:
    """The columns of a CSV file that leaves nothing of the catalogue out."""
    found = queries.families()
    names: list[str] = []
    for column in COLUMNS[kind]:
        family, point, _ = column.name.partition(".")
        if point:
            parameters = found.get(_FAMILIES[kind][family], [])
            names += [f"{family}.{parameter}" for parameter in parameters]
        elif column.name not in _LEFT_OUT:
            names.append(column.name)
    return names


class _Lines:
    def __init__(self, kind: str, suffix: str, columns: list[str]) -> None:
        self._kind = kind
        self._csv = CsvWriter(columns) if suffix == ".csv" else None

    def header(self) -> bytes:
        return b"" if self._csv is None else self._csv.header()

    def of(self, rows: Iterable[Mapping[str, Any]]) -> bytes:
        if self._csv is None:
            return b"".join(json_line(row) for row in rows)
        return self._csv.lines(cells for row in rows for cells in CELLS[self._kind](row))


def _keep(work: Work, *, now: datetime, **state: Any) -> None:
    # Within a transaction nothing is raised: the work is about to be handed back anyhow.
    with work.transaction():
        work.progress(checkpoint={"now": now.isoformat(), **state})


def _whole(parts: list[str], suffix: str, now: datetime) -> str:
    if len(parts) == 1:
        return parts[0]
    with exports.new(suffix=suffix, now=now) as new:
        for part in parts:
            with exports.open(part) as file:
                copyfileobj(file, new.file)
    return new.key
