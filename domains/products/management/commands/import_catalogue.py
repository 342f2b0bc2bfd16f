from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from domains.products.rules.imports.rows import ROWS
from domains.products.services.imports import files
from infrastructure import clock
from infrastructure.errors import DomainError
from infrastructure.operations import services as operations
from infrastructure.operations.progress_bar import ProgressBar

# Exit codes: nothing at all was done; some rows were not taken.
FAILED, FAULTY = 1, 2

_FAULTS_SHOWN = _CHANGES_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Import a file of the catalogue, CSV or JSON Lines, also packed with gzip. What the file"
        " says already is left alone. Ends with 2 where some rows could not be taken."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=sorted(ROWS))
        parser.add_argument("file", type=Path)
        parser.add_argument("--format", choices=["csv", "jsonl"], help="else by the file's name")
        parser.add_argument("--mode", choices=["upsert", "create", "update"], default="upsert")
        parser.add_argument("--dry-run", action="store_true", help="say what it would do")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            with path.open("rb") as content:
                received = files.receive(
                    content,
                    kind=options["kind"],
                    file_format=options["format"] or _format_of(path),
                    is_gzip=path.suffix == ".gz",
                    now=clock.now(),
                )
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}.") from error
        except DomainError as refusal:
            raise CommandError(refusal.detail) from refusal
        started = time.monotonic()
        with ProgressBar(self.stderr) as bar:
            done = files.run_now(
                received, mode=options["mode"], dry_run=options["dry_run"], on_progress=bar
            )
        seconds = time.monotonic() - started
        if done.state != done.State.SUCCEEDED:
            raise CommandError(f"{done.state}: {done.error_detail or 'it was stopped.'}")
        self._report(done, seconds)
        if done.failed:
            sys.exit(FAULTY)

    def _report(self, done: Any, seconds: float) -> None:
        result = done.result
        trial = "A trial, nothing was written: " if done.dry_run else ""
        self.stdout.write(
            f"{trial}{result['created']:,} created, {result['changed']:,} changed,"
            f" {result['unchanged']:,} unchanged, {result['failed']:,} failed;"
            f" {done.done:,} rows in {seconds:.1f} s ({done.done / max(seconds, 0.001):,.0f}/s)."
        )
        for change in result.get("changes", [])[:_CHANGES_SHOWN]:
            self.stdout.write(f"  row {change['row']} {change['name']}: {change['outcome']}")
            for field in change["fields"]:
                where = " ".join(filter(None, (field["part"], field["field"])))
                self.stdout.write(f"    {where}: {field['old'] or '–'} → {field['new'] or '–'}")
        for fault in operations.faults_of(done).order_by("row_number", "pointer")[:_FAULTS_SHOWN]:
            where = f" {fault.pointer}" if fault.pointer else ""
            self.stdout.write(f"  row {fault.row_number}{where}: {fault.detail} [{fault.code}]")
        if done.failed > _FAULTS_SHOWN:
            self.stdout.write(f"  All faults: /api/v1/operations/{done.id}/faults")


def _format_of(path: Path) -> str:
    suffixes = [suffix for suffix in path.suffixes if suffix != ".gz"]
    file_format = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}.get(
        suffixes[-1] if suffixes else ""
    )
    if file_format is None:
        raise CommandError("Say --format csv or jsonl.")
    return file_format
