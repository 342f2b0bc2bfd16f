"""`manage.py replay_events reporting.add_to_sales`: build a handler's rows anew from the topics."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from infrastructure.events.subscriptions import NotWholeDays
from infrastructure.kafka.errors import KafkaUnavailable
from infrastructure.kafka.replay import CannotReplay, rebuild_of, replay


class Command(BaseCommand):
    help = "Clear what a rebuildable handler has written, and hand it its events again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("handler", help="its label, as docs/events.md lists it")
        parser.add_argument(
            "--from", dest="since", type=instant, help="events that occurred at or after this"
        )
        parser.add_argument("--to", dest="until", type=instant, help="events before this")

    def handle(self, *args: Any, **options: Any) -> None:
        handled = 0
        try:
            rebuild = rebuild_of(options["handler"])
            self.stdout.write(f"replaying {', '.join(rebuild.handlers)}")
            for handled in replay(rebuild, since=options["since"], until=options["until"]):
                self.stdout.write(f"\r{handled} events", ending="")
        except (CannotReplay, NotWholeDays, KafkaUnavailable) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"\r{handled} events handled")


def instant(text: str) -> datetime:
    """An ISO 8601 date or time, UTC unless it says otherwise."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no date or time like 2026-03-02T09:30") from error
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
