"""`manage.py create_topics`: make the topics of all events, and their dead letter topics."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from infrastructure.kafka.errors import KafkaUnavailable, Refused
from infrastructure.kafka.topics import ensure_topics, published_topics


class Command(BaseCommand):
    help = "Make the topics of all events where they are missing."

    def handle(self, *args: Any, **options: Any) -> None:
        topics = published_topics()
        try:
            made = ensure_topics(topics)
        except (KafkaUnavailable, Refused) as error:
            raise CommandError(str(error)) from error
        for name in made:
            self.stdout.write(f"made {name}")
        self.stdout.write(f"{len(topics)} topics and their dead letter topics are in place")
