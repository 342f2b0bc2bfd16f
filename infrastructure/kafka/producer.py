"""Sending to Kafka: idempotent, acknowledged by all in-sync replicas."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from infrastructure.events.envelope import Headers, Message
from infrastructure.kafka.client import (
    MESSAGE_BYTES,
    client_settings,
    dead_letter_topic,
    topic_name,
)
from infrastructure.kafka.errors import KafkaUnavailable, Refused, is_permanent, reason

SEND_SECONDS = 30

# Called with None once the message has its place in the log, or with the error.
Delivered = Callable[[KafkaError | None], None]


class EventProducer:
    """An asynchronous producer. Callbacks run inside `poll` and `flush`, in the calling thread.

    A message is never given up by the clock: it waits for its broker, since one that is given up
    would be overtaken by the next one of its key. Closing is up to the owner: `flush`, or `purge`
    where somebody else may be sending the same messages by now.
    """

    def __init__(self) -> None:
        self.failed: KafkaError | None = None
        self._producer = Producer(
            client_settings(
                **{
                    "enable.idempotence": True,
                    "acks": "all",
                    # A broker takes any first sequence from a producer that it does not know in a
                    # partition (KAFKA-15591). With a second request under way, the first one may
                    # come before the broker leads the partition and the second one after: then
                    # every repetition of the first is a duplicate to it, and is lost.
                    "max.in.flight.requests.per.connection": 1,
                    "message.timeout.ms": 0,
                    "message.max.bytes": MESSAGE_BYTES,
                    "linger.ms": 2,
                    # As Java clients place keys, so that any producer finds the same partition.
                    "partitioner": "murmur2_random",
                    "compression.type": "lz4",
                    "queue.buffering.max.messages": 100_000,
                    "queue.buffering.max.kbytes": 131_072,
                    "error_cb": self._on_error,
                }
            )
        )
        self._names: dict[str, str] = {}

    def send(
        self, topic: str, key: str | bytes, value: str | bytes, headers: Headers, done: Delivered
    ) -> None:
        """Queue one message. Raises Refused, or BufferError when the queue is full."""
        name = self._names.get(topic) or self._names.setdefault(topic, topic_name(topic))
        try:
            self._producer.produce(
                name, value, key, headers=headers, on_delivery=partial(_report, done)
            )
        except KafkaException as error:
            if is_permanent(reason(error)):
                raise Refused(reason(error).str()) from error
            raise KafkaUnavailable(str(error)) from error

    def send_now(self, topic: str, key: str | bytes, value: str | bytes, headers: Headers) -> None:
        """Send one message and wait until it is acknowledged. Raises KafkaUnavailable, Refused."""
        outcome: list[KafkaError | None] = []
        self.send(topic, key, value, headers, outcome.append)
        deadline = time.monotonic() + SEND_SECONDS
        while not outcome and time.monotonic() < deadline and self.failed is None:
            self._producer.poll(0.1)
        if not outcome:
            self.purge()
            raise KafkaUnavailable(f"No acknowledgement for {topic} within {SEND_SECONDS} s.")
        error = outcome[0]
        if error is not None:
            if is_permanent(error):
                raise Refused(error.str())
            raise KafkaUnavailable(error.str())

    def poll(self, seconds: float) -> None:
        self._producer.poll(seconds)

    def flush(self, seconds: float) -> int:
        """Wait for what is queued. Returns how many messages are still unacknowledged."""
        return int(self._producer.flush(seconds))

    def purge(self) -> None:
        """Throw away what is queued or in flight. The producer is of no further use."""
        self._producer.purge(in_queue=True, in_flight=True, blocking=True)
        self._producer.flush(1)

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self.failed = error


def _report(done: Delivered, error: KafkaError | None, message: Any) -> None:
    if error is None and message.offset() is None:
        # The broker took it for a duplicate, and it may be in no place at all.
        error = KafkaError(KafkaError._FAIL, "acknowledged without a place in the log")
    done(error)


class DeadLetterTopics:
    """Forwards what a handler gave up to `<topic>.dlq`: same key, bytes and headers, and why."""

    def __init__(self) -> None:
        self._producer: EventProducer | None = None

    def __call__(self, message: Message, headers: Headers) -> None:
        """Returns when the letter is acknowledged. Raises KafkaUnavailable, Refused."""
        if self._producer is None:
            self._producer = EventProducer()
        try:
            self._producer.send_now(
                dead_letter_topic(message.topic),
                message.key,
                message.value,
                [*message.headers, *headers],
            )
        except KafkaUnavailable:
            self._producer = None
            raise

    def close(self) -> None:
        if self._producer is not None:
            self._producer.flush(5)
