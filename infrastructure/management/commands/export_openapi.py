from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from infrastructure.http.compatibility import breaking_changes
from infrastructure.http.openapi.document import document


class Command(BaseCommand):
    help = "Write the OpenAPI document, or check that the committed one is current."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="fail if the file is stale, and write nothing"
        )
        parser.add_argument(
            "--against",
            type=Path,
            metavar="FILE",
            help="fail if users of this document would break",
        )
        parser.add_argument(
            "--file", type=Path, default=settings.BASE_DIR / "tests/contracts/openapi.json"
        )

    def handle(self, *, file: Path, check: bool, against: Path | None, **_: Any) -> None:
        found = document()
        if against is not None:
            changes = breaking_changes(json.loads(against.read_text()), found)
            if changes:
                raise CommandError("\n".join(["The API would break its users:", *changes]))
        text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
        if not check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        elif not file.exists() or file.read_text() != text:
            raise CommandError(f"{file.name} is stale; run `make openapi`.")
