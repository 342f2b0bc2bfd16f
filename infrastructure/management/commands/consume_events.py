"""`manage.py consume_events`: run the event handlers, one consumer group per context."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from infrastructure.events.subscriptions import subscriptions_of
from infrastructure.kafka.consumer import POLL_INTERVAL_SECONDS, GroupConsumer
from infrastructure.observability.heartbeat import Heartbeat
from infrastructure.observability.metrics_server import serve_metrics


class Command(BaseCommand):
    help = "Hand events from Kafka to the contexts' handlers until stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--context",
            action="append",
            choices=settings.CONTEXTS,
            help="only this context's group; may be given several times (default: all)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        contexts = [
            context
            for context in options["context"] or settings.CONTEXTS
            if subscriptions_of(context)
        ]
        serve_metrics()
        # A batch whose handlers wait for other servers may take as long as the group allows.
        heartbeat = Heartbeat(settings.HEARTBEAT_FILE, silence_seconds=POLL_INTERVAL_SECONDS)
        groups = [GroupConsumer(context) for context in contexts]
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        threads = []
        for group in groups:
            group.beat = heartbeat.member(group.context)
            thread = threading.Thread(target=group.run, name=group.context)
            thread.start()
            threads.append(thread)
        self.stdout.write(f"consumer: {', '.join(contexts) or 'no context'} listening")
        while not stopping.wait(1):
            heartbeat.touch()
        for group in groups:
            group.stop()
        for thread in threads:
            thread.join()
