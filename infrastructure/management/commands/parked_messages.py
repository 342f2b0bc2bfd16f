"""`manage.py parked_messages list|release|drop`: outbox rows that Kafka did not take."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from infrastructure.database.contexts import aliases
from infrastructure.outbox import parking, stream_parking
from infrastructure.outbox.models import ParkedMessage
from infrastructure.outbox.streams import label


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
        dropping.add_argument("id")
        outboxes = [*aliases(), *map(label, settings.STREAM_OUTBOXES)]
        for action in (release, dropping):
            action.add_argument("--database", default=outboxes[0], choices=outboxes)

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['action']}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        found = 0
        for name, place, message, reason in _parked():
            found += 1
            self.stdout.write(
                f"{name}  {place}  {message.topic} {message.key}  {message.name}"
                f" {message.sequence}  {reason or 'waits'}"
            )
        self.stdout.write(f"{found} parked messages")

    def _release(self, options: dict[str, Any]) -> None:
        name, topic, key = options["database"], options["topic"], options["key"]
        if name in aliases():
            count = parking.release(name, topic=topic, key=key)
        else:
            with _stream(name) as (client, prefix):
                count = stream_parking.release(client, prefix, topic=topic, key=key)
        if not count:
            raise CommandError("Nothing of this key is parked.")
        self.stdout.write(f"{count} messages are back in the outbox")

    def _drop(self, options: dict[str, Any]) -> None:
        name, place = options["database"], options["id"]
        if name in aliases():
            dropped = place.isdecimal() and parking.drop(name, row_id=int(place))
        else:
            with _stream(name) as (client, prefix):
                dropped = stream_parking.drop(client, prefix, place=place)
        if not dropped:
            raise CommandError("No such message is parked.")
        self.stdout.write("dropped")


def _parked() -> Iterator[tuple[str, str, Any, str]]:
    """(outbox, id, message, reason)"""
    for alias in aliases():
        for row in ParkedMessage.objects.using(alias).order_by("topic", "key", "id"):
            yield alias, str(row.pk), row, row.reason
    for prefix, found in stream_parking.all_parked(settings.STREAM_OUTBOXES):
        yield label(prefix), found.place, found.entry, found.reason


@contextmanager
def _stream(name: str) -> Iterator[tuple[redis.Redis, str]]:
    """A client of the streams with this label, and their prefix."""
    for prefix, known in settings.STREAM_OUTBOXES.items():
        if label(prefix) == name:
            with redis.Redis.from_url(str(known["url"]), decode_responses=True) as client:
                yield client, prefix
