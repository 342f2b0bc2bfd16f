"""Imports and exports as tests run them: by the operation, in this process."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings

from domains.products.models import Category, Price, Product, ProductType, StockItem
from infrastructure.database.contexts import alias_of
from infrastructure.operations import services as operations
from infrastructure.operations.models import Operation
from infrastructure.outbox.models import OutboxMessage
from infrastructure.storage import exports, imports

Fault = tuple[int, str, str]


def keep_files_in(folder: Path, settings: Any) -> None:
    """For the test whose `settings` these are; below it a folder each."""
    own = {
        name: {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(folder / name), "base_url": None},
        }
        for name in (imports.name, exports.name)
    }
    settings.STORAGES = {**django_settings.STORAGES, **own}


def stored(folder: Path) -> int:
    """How many files there are."""
    return sum(path.is_file() for path in folder.rglob("*"))


def bring(
    kind: str,
    content: str | bytes,
    *,
    now: datetime,
    file_format: str = "csv",
    dry_run: bool = False,
    mode: str = "upsert",
) -> Operation:
    """Import a file."""
    raw = content.encode() if isinstance(content, str) else content
    return operations.run_now(
        "products.import",
        params={"kind": kind, "format": file_format, "mode": mode},
        input_file=imports.save([raw], suffix=f".{file_format}", now=now),
        dry_run=dry_run,
        clock=lambda: now,
    )


def counts(operation: Operation) -> tuple[int, int, int, int]:
    """created, changed, unchanged, failed."""
    assert operation.state == "SUCCEEDED", (operation.error_code, operation.error_detail)
    result: dict[str, int] = operation.result
    return result["created"], result["changed"], result["unchanged"], result["failed"]


def faults(operation: Operation) -> list[Fault]:
    """Row, pointer and code of each."""
    found = operations.faults_of(operation).order_by("row_number", "pointer")
    return [(fault.row_number, fault.pointer, fault.code) for fault in found]


def take(kind: str, *, now: datetime, file_format: str = "csv", **filters: Any) -> bytes:
    """Export a file."""
    operation = operations.run_now(
        "products.export",
        params={"kind": kind, "format": file_format, "filters": filters},
        clock=lambda: now,
    )
    assert operation.state == "SUCCEEDED", (operation.error_code, operation.error_detail)
    with exports.open(operation.result_file) as file:
        return file.read()


def written() -> tuple[object, ...]:
    """What changes whenever anything of the catalogue is written or published."""
    versions = [
        sorted(model.objects.values_list("pk", "version"))
        for model in (Product, Category, Price, ProductType, StockItem)
    ]
    last = OutboxMessage.objects.using(alias_of("products")).order_by("id").last()
    return versions, None if last is None else last.id
