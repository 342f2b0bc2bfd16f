"""`manage.py parked_messages list|release|drop`: outbox rows that Kafka did not take."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from infrastructure.database.contexts import aliases
from infrastructure.outbox import parking
from infrastructure.outbox.models import ParkedMessage


class Command(BaseCommand):
    help = "List what Kafka did not take, give it to the relay again, or drop one message of it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="what is parked, in order")
        release = actions.add_parser("release", help="let the relay try a key's messages again")
        release.add_argument("topic")
        release.add_argument("key")
        dropping = actions.add_parser(
            "drop", help="delete one message for good: consumers will see the gap"
        )
        dropping.add_argument("id", type=int)
        for action in (release, dropping):
            action.add_argument("--database", default=aliases()[0], choices=aliases())

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['action']}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        found = 0
        for alias in aliases():
            for row in ParkedMessage.objects.using(alias).order_by("topic", "key", "id"):
                found += 1
                self.stdout.write(
                    f"{alias}  {row.pk}  {row.topic} {row.key}  {row.name} {row.sequence}"
                    f"  {row.reason or 'waits'}"
                )
        self.stdout.write(f"{found} parked messages")

    def _release(self, options: dict[str, Any]) -> None:
        count = parking.release(options["database"], topic=options["topic"], key=options["key"])
        if not count:
            raise CommandError("Nothing of this key is parked.")
        self.stdout.write(f"{count} messages are back in the outbox")

    def _drop(self, options: dict[str, Any]) -> None:
        if not parking.drop(options["database"], row_id=options["id"]):
            raise CommandError("No such message is parked.")
        self.stdout.write("dropped")
