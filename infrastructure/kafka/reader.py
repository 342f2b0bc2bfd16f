"""Reads whole topics from their first message, beside all consumer groups."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from infrastructure.events.envelope import Message
from infrastructure.kafka.client import client_settings, topic_name
from infrastructure.kafka.errors import KafkaUnavailable
from infrastructure.kafka.messages import message_from

BATCH = 2000
TIMEOUT_SECONDS = 10


class TopicReader:
    """Every message of some topics, partition by partition in their order, and what comes later.

    It belongs to no group and commits nothing. A topic that does not exist is an empty one.
    """

    def __init__(self, topics: Sequence[str]) -> None:
        self._names = [topic_name(topic) for topic in topics]
        self._next: dict[tuple[str, int], int] = {}
        self._consumer = Consumer(
            client_settings(
                **{
                    # The library wants a name; without commits no such group comes to be.
                    "group.id": "kontor.reader",
                    "enable.auto.commit": False,
                    "enable.partition.eof": True,
                    "auto.offset.reset": "earliest",
                    # What is fetched ahead, at most: memory stays flat on long topics.
                    "queued.max.messages.kbytes": 16_384,
                }
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._consumer.close()

    def read_on(self) -> Iterator[list[Message]]:
        """What was written since the last call, up to what the topics end with now, in batches.

        Raises KafkaUnavailable.
        """
        try:
            yield from self._read_on()
        except KafkaException as error:
            raise KafkaUnavailable(str(error)) from error

    def _read_on(self) -> Iterator[list[Message]]:
        unread = self._ends()
        if not unread:
            return
        self._consumer.assign(
            [TopicPartition(name, number, self._next[name, number]) for name, number in unread]
        )
        heard_at = time.monotonic()
        while unread:
            batch = []
            for raw in self._consumer.consume(BATCH, timeout=0.5):
                heard_at = time.monotonic()
                place = (str(raw.topic()), raw.partition() or 0)
                error = raw.error()
                if error is None:
                    message = message_from(raw)
                    self._next[place] = message.offset + 1
                    batch.append(message)
                    if self._next[place] >= unread.get(place, 0):
                        unread.pop(place, None)
                elif error.code() == KafkaError._PARTITION_EOF:
                    unread.pop(place, None)
                elif not error.retriable():
                    raise KafkaException(error)
            if batch:
                yield batch
                # The caller may have taken long over it; that is not the broker's silence.
                heard_at = time.monotonic()
            if time.monotonic() - heard_at > TIMEOUT_SECONDS:
                raise KafkaUnavailable(f"No message for {TIMEOUT_SECONDS} s.")
        self._consumer.unassign()

    def _ends(self) -> dict[tuple[str, int], int]:
        """Where the partitions end that have something unread. Waits while leaders are chosen."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            try:
                return self._ask_for_ends()
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _ask_for_ends(self) -> dict[tuple[str, int], int]:
        known = self._consumer.list_topics(timeout=TIMEOUT_SECONDS).topics
        ends = {}
        for name in self._names:
            for number in known[name].partitions if name in known else ():
                first, end = self._consumer.get_watermark_offsets(
                    TopicPartition(name, number), timeout=TIMEOUT_SECONDS
                )
                place = (name, number)
                self._next[place] = max(self._next.get(place, 0), first)
                if self._next[place] < end:
                    ends[place] = end
        return ends
