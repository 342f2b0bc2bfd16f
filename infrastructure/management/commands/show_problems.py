from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from infrastructure.http.catalogue import problems_page


class Command(BaseCommand):
    help = "Write docs/problems.md from the errors of all contexts, or check that it is current."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="fail if the page is stale, and write nothing"
        )
        parser.add_argument("--file", type=Path, default=settings.BASE_DIR / "docs/problems.md")

    def handle(self, *, file: Path, check: bool, **_: Any) -> None:
        text = problems_page()
        if not check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        elif not file.exists() or file.read_text() != text:
            raise CommandError(f"{file.name} is stale; run `make problems`.")
