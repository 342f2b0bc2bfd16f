from __future__ import annotations

import time
from pathlib import Path
from shutil import copyfileobj
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from domains.products.rules.imports.rows import ROWS
from domains.products.services import exports
from infrastructure import storage
from infrastructure.operations.progress_bar import ProgressBar


class Command(BaseCommand):
    help = "Export the catalogue to a file that import_catalogue reads without a change."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=sorted(ROWS))
        parser.add_argument("file", type=Path)
        parser.add_argument("--format", choices=["csv", "jsonl"], help="else by the file's name")
        parser.add_argument(
            "--status", action="append", choices=["draft", "active", "archived"], default=[]
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        file_format = options["format"] or {".csv": "csv", ".jsonl": "jsonl"}.get(path.suffix)
        if file_format is None:
            raise CommandError("Say --format csv or jsonl.")
        filters = {"status": options["status"]} if options["status"] else {}
        started = time.monotonic()
        with ProgressBar(self.stderr) as bar:
            done = exports.run_now(
                kind=options["kind"], file_format=file_format, filters=filters, on_progress=bar
            )
        if done.state != done.State.SUCCEEDED:
            raise CommandError(f"{done.state}: {done.error_detail or 'it was stopped.'}")
        with storage.exports.open(done.result_file) as source, path.open("wb") as target:
            copyfileobj(source, target)
        seconds = time.monotonic() - started
        self.stdout.write(f"{done.done:,} rows in {seconds:.1f} s: {path}")
