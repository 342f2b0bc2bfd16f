"""`manage.py show_events`: write what the registry of events says, or check that it is written."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from infrastructure.events import documents


class Command(BaseCommand):
    help = "Write docs/events.md, docs/asyncapi.json and the schemas of all events."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="write nothing; fail if a file is out of date"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            files = documents.render(settings.BASE_DIR)
        except documents.BreakingChange as change:
            raise CommandError(str(change)) from change
        outdated = documents.differences(settings.BASE_DIR, files)
        if options["check"]:
            if outdated:
                listed = ", ".join(map(str, outdated))
                raise CommandError(f"Out of date: {listed}. Run manage.py show_events.")
            self.stdout.write(f"{len(files)} files are up to date")
            return
        documents.write(settings.BASE_DIR, files)
        for path in outdated:
            self.stdout.write(f"wrote {path}")
        self.stdout.write(f"{len(documents.published_events())} events")
