"""`manage.py show_events`: write what the registry of events says, or check that it is written."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from infrastructure.events import baseline, documents


class Command(BaseCommand):
    help = "Write docs/events.md, docs/asyncapi.json and the schemas of all events."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="write nothing; fail if a file is out of date"
        )
        parser.add_argument(
            "--against",
            metavar="REVISION",
            help="with --check: fail too if a version promised at this Git revision was broken",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            files = documents.render(settings.BASE_DIR)
        except documents.BreakingChange as change:
            raise CommandError(str(change)) from change
        outdated = documents.differences(settings.BASE_DIR, files)
        left_over = documents.left_over(settings.BASE_DIR)
        if options["check"]:
            if outdated or left_over:
                listed = ", ".join(map(str, [*outdated, *left_over]))
                raise CommandError(f"Out of date: {listed}. Run manage.py show_events.")
            self.stdout.write(f"{len(files)} files are up to date")
            if options["against"] is not None:
                self._compare(options["against"])
            return
        documents.write(settings.BASE_DIR, files)
        for path in left_over:
            (settings.BASE_DIR / path).unlink()
            self.stdout.write(f"removed {path}")
        for path in outdated:
            self.stdout.write(f"wrote {path}")
        self.stdout.write(f"{len(documents.published_events())} events")

    def _compare(self, revision: str) -> None:
        if not revision:
            self.stdout.write("no earlier revision to compare the schemas with")
            return
        try:
            before = baseline.contracts_at(settings.BASE_DIR, revision)
        except baseline.UnknownRevision as error:
            raise CommandError(f"{revision} cannot be read: {error}") from error
        if broken := baseline.broken_promises(settings.BASE_DIR, before):
            raise CommandError("\n".join([*broken, f"Broken since {revision}."]))
        self.stdout.write(f"{len(before)} files of {revision} are kept to")
