"""How far relay and consumers are behind."""

from __future__ import annotations

import time
from dataclasses import dataclass

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient
from django.conf import settings

from benchmarks.placement.shop import unsent_facts
from infrastructure.events.subscriptions import subscriptions_of
from infrastructure.kafka.client import client_settings, topic_name
from infrastructure.kafka.topics import PARTITIONS


@dataclass(frozen=True)
class Lag:
    """unsent: facts still in the outbox; unhandled: messages that a group has yet to handle;
    seconds: until both were none, from when the load ended."""

    unsent: int
    unhandled: int
    seconds: float


class Facts:
    """Facts on their way, from the outbox to the last handler."""

    def __init__(self) -> None:
        self._admin = AdminClient(client_settings())
        self._reader = Consumer(client_settings(**{"group.id": "benchmark"}))
        self._partitions = [
            ConsumerGroupTopicPartitions(
                f"{settings.KAFKA_GROUP_PREFIX}kontor.{context}",
                [
                    TopicPartition(topic_name(topic), partition)
                    for topic in sorted({one.event_class.topic for one in subscriptions})
                    for partition in range(PARTITIONS)
                ],
            )
            for context in settings.CONTEXTS
            if (subscriptions := subscriptions_of(context))
        ]

    def unhandled(self) -> int:
        lag = 0
        for group in self._partitions:
            (future,) = self._admin.list_consumer_group_offsets([group]).values()
            for place in future.result().topic_partitions:
                _, end = self._reader.get_watermark_offsets(
                    TopicPartition(place.topic, place.partition), timeout=10
                )
                lag += end - max(place.offset, 0)
        return lag

    def handled(self) -> int:
        """Messages that the groups have handled so far, each group's counted."""
        total = 0
        for group in self._partitions:
            (future,) = self._admin.list_consumer_group_offsets([group]).values()
            total += sum(max(place.offset, 0) for place in future.result().topic_partitions)
        return total

    def wait(self, *, seconds: float = 120) -> Lag:
        """Look, and wait until everything is handled. Raises RuntimeError if it never is."""
        started = time.monotonic()
        unsent, unhandled = first = unsent_facts(), self.unhandled()
        while unsent or unhandled:
            if time.monotonic() - started > seconds:
                raise RuntimeError(
                    f"{unsent} facts unsent, {unhandled} unhandled after {seconds} s"
                )
            time.sleep(0.1)
            unsent, unhandled = unsent_facts(), self.unhandled()
        return Lag(*first, time.monotonic() - started)
