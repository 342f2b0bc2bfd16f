"""`manage.py relay_outbox`: publish what the contexts have committed. Any number may run."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from infrastructure.database.contexts import aliases
from infrastructure.observability.heartbeat import Heartbeat
from infrastructure.observability.metrics_server import serve_metrics
from infrastructure.outbox import hint
from infrastructure.outbox.relay import Relay
from infrastructure.outbox.stream_relay import StreamRelay, streams_from


class Command(BaseCommand):
    help = "Publish the outbox of every database and every store in Redis to Kafka until stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        serve_metrics()
        heartbeat = Heartbeat(settings.HEARTBEAT_FILE)
        streams = streams_from(settings.STREAM_OUTBOXES, database=aliases()[0])
        relays: list[Relay] = [*map(Relay, aliases()), *map(StreamRelay, streams)]
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())

        def relay_until_stopped(relay: Relay) -> None:
            try:
                relay.run()
            finally:
                stopping.set()  # one that ends by itself has failed: let the process end

        def wake_all() -> None:
            for relay in relays:
                relay.wake.set()

        threading.Thread(
            target=hint.listen, args=(wake_all, stopping), name="hints", daemon=True
        ).start()
        threads = []
        for relay in relays:
            relay.beat = heartbeat.member(relay.alias)
            thread = threading.Thread(target=relay_until_stopped, args=(relay,), name=relay.alias)
            thread.start()
            threads.append(thread)
        self.stdout.write(f"relay: publishing {', '.join(relay.alias for relay in relays)}")
        while not stopping.wait(1):
            heartbeat.touch()
        failed = any(not thread.is_alive() for thread in threads)
        for relay in relays:
            relay.stop()
        for thread in threads:
            thread.join()
        if failed:
            raise CommandError("A relay ended by itself; its error is above.")
