"""The consumer group of a context, for as long as the process runs."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from confluent_kafka import KafkaException
from django.conf import settings
from django.db import connections

from infrastructure.events.bus import Dispatcher
from infrastructure.events.failures import Failure, classify
from infrastructure.inbox.dead_letters import DeadLetters
from infrastructure.kafka.client import client_settings
from infrastructure.kafka.errors import KafkaUnavailable
from infrastructure.kafka.group import BACKOFF_SECONDS, GroupClient, ProtocolRefused
from infrastructure.kafka.producer import DeadLetterTopics
from infrastructure.kafka.topics import ensure_topics

log = structlog.get_logger("kafka.consumer")

# The group takes a consumer that handles one batch for longer for dead.
POLL_INTERVAL_SECONDS = 300
ATTEMPTS = 8


def group_name(context: str) -> str:
    return f"{settings.KAFKA_GROUP_PREFIX}kontor.{context}"


class GroupConsumer:
    """All handlers of one context, as the consumer group `kontor.<context>`."""

    def __init__(self, context: str, *, attempts: int = ATTEMPTS) -> None:
        self.context = context
        self.group = group_name(context)
        self.beat: Callable[[], None] = lambda: None
        self._attempts = attempts
        self._stopping = threading.Event()
        self._protocol = settings.KAFKA_GROUP_PROTOCOL

    def stop(self) -> None:
        """Finish the batch in hand, commit and leave the group."""
        self._stopping.set()

    def run(self) -> None:
        """Consume until stopped. A client that breaks is built anew."""
        wait, longest = BACKOFF_SECONDS
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                self._run_client()
            except Exception as error:  # whatever it is, the group has to go on
                # The next use opens a new connection instead of finding the broken one again.
                connections.close_all()
                if isinstance(error, ProtocolRefused) and self._protocol == "auto":
                    log.info("broker_without_kip_848_groups", group=self.group)
                    self._protocol = "classic"
                    continue
                if (
                    isinstance(error, KafkaException | KafkaUnavailable | ProtocolRefused)
                    or classify(error) is Failure.OUTAGE
                ):
                    log.warning("consumer_interrupted", group=self.group, reason=str(error).strip())
                else:
                    log.exception("consumer_broke", group=self.group)
                if time.monotonic() - started > 60:
                    wait = BACKOFF_SECONDS[0]
                self._stopping.wait(wait * random.uniform(0.5, 1))  # noqa: S311
                wait = min(wait * 2, longest)
        connections.close_all()

    def _run_client(self) -> None:
        forward = DeadLetterTopics()
        dispatcher = Dispatcher(self.context, DeadLetters(self.context, forward))
        if not dispatcher.topics:
            self._stopping.wait()
            return
        ensure_topics(dispatcher.topics)
        client = GroupClient(
            self.group, dispatcher, self._settings(), attempts=self._attempts, beat=self.beat
        )
        try:
            client.subscribe()
            while not self._stopping.is_set():
                self.beat()
                client.step()
        finally:
            client.close()
            forward.close()

    def _settings(self) -> dict[str, Any]:
        own: dict[str, Any] = {
            "group.id": self.group,
            "auto.offset.reset": "earliest",
            "enable.auto.offset.store": False,
            "enable.auto.commit": True,
            "auto.commit.interval.ms": 1000,
            "max.poll.interval.ms": POLL_INTERVAL_SECONDS * 1000,
            "queued.max.messages.kbytes": 16_384,
            "fetch.queue.backoff.ms": 50,
            "fetch.error.backoff.ms": 100,
        }
        if self._protocol == "classic":
            own["partition.assignment.strategy"] = "cooperative-sticky"
            own["session.timeout.ms"] = 6000
            own["heartbeat.interval.ms"] = 1000
        else:
            own["group.protocol"] = "consumer"
        return client_settings(**own)
