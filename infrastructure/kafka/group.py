"""A member of a consumer group: polls, hands batches over, and remembers how far it is.

Offsets are stored after the handlers' transactions have committed, and committed in the background:
a crash makes messages come again, and the inbox lets nothing happen twice. While something has to
be waited for, its partition is paused and the client keeps polling, so the group stays whole.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from django.db import InterfaceError, OperationalError, connections

from infrastructure import clock
from infrastructure.database.contexts import alias_of
from infrastructure.events import metrics
from infrastructure.events.bus import Broken, Dispatcher
from infrastructure.events.envelope import Message
from infrastructure.events.failures import Failure, classify
from infrastructure.inbox import hearing
from infrastructure.kafka.client import topic_name, topic_of
from infrastructure.kafka.errors import reason
from infrastructure.kafka.messages import message_from
from infrastructure.kafka.sequences import SequenceWatch
from infrastructure.kafka.starting import places_of, starting_points

log = structlog.get_logger("kafka.consumer")

BATCH = 500
POLL_SECONDS = 0.2
# How long a batch may still grow once its first message is there.
GATHER_SECONDS = 0.002
BACKOFF_SECONDS = (0.1, 10.0)
MEASURE_SECONDS = 5.0

Place = tuple[str, int]


class ProtocolRefused(Exception):
    """The broker does not speak the group protocol that was asked for."""


@dataclass(slots=True)
class Waiting:
    """A paused partition: what was taken from it, and when it is tried again."""

    messages: list[Message] = field(default_factory=list)
    until: float = 0.0


class GroupClient:
    """A member of a consumer group, between a start and the next break."""

    def __init__(
        self,
        group: str,
        dispatcher: Dispatcher,
        client: dict[str, Any],
        *,
        attempts: int,
        beat: Callable[[], None],
    ) -> None:
        self._group = group
        self._dispatcher = dispatcher
        self._attempts = attempts
        self._beat = beat
        self._consumer = Consumer(client)
        self._waiting: dict[Place, Waiting] = {}
        self._outages: dict[Place, int] = {}
        self._tries: dict[tuple[Place, int, str], int] = {}
        self._sequences = SequenceWatch(dispatcher.context)
        self._next_measure = 0.0

    def subscribe(self) -> None:
        self._consumer.subscribe(
            [topic_name(topic) for topic in sorted(self._dispatcher.topics)],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def step(self) -> None:
        """Take what has come or is due again, and hand it over."""
        due = self._take_due()
        if due:
            self._hand_over(due)
        messages = self._poll()
        if messages:
            self._hand_over(messages)
        self._measure()

    def close(self) -> None:
        """Commit what is stored and leave the group."""
        try:
            self._commit()
            self._consumer.close()
        except KafkaException as error:
            log.warning("group_not_left", group=self._group, reason=str(error))

    def _poll(self) -> list[Message]:
        seconds = POLL_SECONDS
        if self._waiting:
            soonest = min(waiting.until for waiting in self._waiting.values())
            seconds = min(max(soonest - time.monotonic(), 0.0), POLL_SECONDS)
        found = self._consumer.consume(1, seconds)
        if found:
            found += self._consumer.consume(BATCH - 1, GATHER_SECONDS)
        messages = []
        for raw in found:
            error = raw.error()
            if error is not None:
                self._complain(error)
                continue
            message = message_from(raw)
            self._sequences.see(message)
            waiting = self._waiting.get((message.topic, message.partition))
            if waiting is not None:
                waiting.messages.append(message)  # fetched before the pause took hold
            else:
                messages.append(message)
        return messages

    def _complain(self, error: KafkaError) -> None:
        if error.code() in (KafkaError._UNSUPPORTED_FEATURE, KafkaError.UNSUPPORTED_VERSION):
            raise ProtocolRefused(error.str())
        if error.fatal() or error.code() == KafkaError._MAX_POLL_EXCEEDED:
            raise KafkaException(error)
        if error.code() != KafkaError._PARTITION_EOF:
            log.warning("consumer_error", group=self._group, reason=error.str())

    def _hand_over(self, messages: Sequence[Message]) -> None:
        """Hand a batch over. One that fails is halved until what fails stands alone."""
        pieces = [list(messages)]
        while pieces:
            piece = self._without_waiting(pieces.pop())
            if not piece:
                continue
            try:
                if self._is_tried_again(piece):
                    if self._hand_over_alone(piece[0]):
                        self._store(piece)
                    continue
                self._dispatcher.handle(piece)
            except Exception as error:  # a handler may raise anything
                if classify(error) is Failure.OUTAGE:
                    self._wait_out(error, piece)
                elif len(piece) > 1:
                    middle = len(piece) // 2
                    pieces += [piece[middle:], piece[:middle]]
                elif self._hand_over_alone(piece[0]):
                    self._store(piece)
            else:
                self._store(piece)
            self._beat()

    def _is_tried_again(self, piece: Sequence[Message]) -> bool:
        """Whether this is one message that has failed alone before."""
        if len(piece) > 1 or not self._tries:
            return False
        place, offset = (piece[0].topic, piece[0].partition), piece[0].offset
        return any(key[:2] == (place, offset) for key in self._tries)

    def _hand_over_alone(self, message: Message) -> bool:
        """Give one message to one handler at a time. False if it has to be tried again."""
        for work in self._dispatcher.read(message):
            try:
                if isinstance(work, Broken):
                    self._dispatcher.set_aside(work, work.error, attempts=1)
                else:
                    self._dispatcher.handle_alone(work)
            except Exception as error:  # a handler may raise anything
                failure = classify(error)
                label = work.subscription.label
                metrics.FAILURES.labels(label, failure.value).inc()
                if failure is Failure.OUTAGE:
                    self._wait_out(error, [message])
                    return False
                tries = self._count_try(message, label)
                if failure is Failure.TRANSIENT and tries < self._attempts:
                    log.warning("handler_failed", handler=label, attempt=tries, reason=repr(error))
                    self._pause([message], rounds=tries)
                    return False
                log.error(
                    "message_given_up",
                    handler=label,
                    topic=message.topic,
                    partition=message.partition,
                    offset=message.offset,
                    attempts=tries,
                    reason=repr(error),
                )
                try:
                    self._dispatcher.set_aside(work, error, attempts=tries)
                except Exception as outage:
                    if classify(outage) is not Failure.OUTAGE:
                        raise
                    self._wait_out(outage, [message])
                    return False
        return True

    def _count_try(self, message: Message, label: str) -> int:
        key = ((message.topic, message.partition), message.offset, label)
        self._tries[key] = self._tries.get(key, 0) + 1
        return self._tries[key]

    def _wait_out(self, error: Exception, messages: Sequence[Message]) -> None:
        """A server is away: keep the messages and come back."""
        why = str(error).strip() or repr(error)
        log.warning("consumer_waits", group=self._group, reason=why)
        # The next use opens a new connection instead of finding the broken one again.
        connections.close_all()
        for place in _places(messages):
            self._outages[place] = self._outages.get(place, 0) + 1
        self._pause(messages, rounds=max(self._outages[p] for p in _places(messages)))

    def _pause(self, messages: Sequence[Message], *, rounds: int) -> None:
        """Keep messages back, and take nothing new from their partitions meanwhile."""
        shortest, longest = BACKOFF_SECONDS
        seconds = min(shortest * 2 ** min(rounds, 10), longest)
        seconds *= random.uniform(0.5, 1)  # noqa: S311
        for place in _places(messages):
            waiting = self._waiting.setdefault(place, Waiting())
            waiting.until = time.monotonic() + seconds
        for message in messages:
            self._waiting[message.topic, message.partition].messages.append(message)
        self._consumer.pause(_partitions(_places(messages)))

    def _without_waiting(self, messages: list[Message]) -> list[Message]:
        """Messages of a partition that waits join it, in their order."""
        free = []
        for message in messages:
            waiting = self._waiting.get((message.topic, message.partition))
            if waiting is None:
                free.append(message)
            else:
                waiting.messages.append(message)
        return free

    def _take_due(self) -> list[Message]:
        now = time.monotonic()
        due = [place for place, waiting in self._waiting.items() if waiting.until <= now]
        messages = []
        for place in due:
            messages += self._waiting.pop(place).messages
        if due:
            self._consumer.resume(_partitions(due))
        return messages

    def _store(self, messages: Sequence[Message]) -> None:
        """Remember that everything up to these messages is handled."""
        last: dict[Place, int] = {}
        for message in messages:
            last[message.topic, message.partition] = message.offset
        if self._tries:
            self._tries = {
                key: tries for key, tries in self._tries.items() if key[1] > last.get(key[0], -1)
            }
        for (topic, partition), offset in last.items():
            self._outages.pop((topic, partition), None)
            try:
                self._consumer.store_offsets(
                    offsets=[TopicPartition(topic_name(topic), partition, offset + 1)]
                )
            except KafkaException as error:
                # The partition is somebody else's by now; the inbox takes care of the rest.
                log.debug("partition_lost_meanwhile", group=self._group, reason=str(error))

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.info("partitions_assigned", group=self._group, partitions=_listed(partitions))
        if partitions:
            context = self._dispatcher.context
            begin = starting_points(
                consumer,
                partitions,
                alias=alias_of(context),
                handlers=sorted({s.label for s in self._dispatcher.subscriptions}),
                now=clock.now(),
            )
            # Before the first message: a handler must not have what nobody says it hears.
            hearing.begin(
                alias_of(context),
                context,
                heard=hearing.heard_by(context),
                places=places_of(consumer, begin),
            )
            consumer.incremental_assign(begin)

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        log.info("partitions_revoked", group=self._group, partitions=_listed(partitions))
        self._commit()
        self._forget(partitions)

    def _on_lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        log.warning("partitions_lost", group=self._group, partitions=_listed(partitions))
        self._forget(partitions)

    def _forget(self, partitions: list[TopicPartition]) -> None:
        for partition in partitions:
            place = (topic_of(partition.topic), partition.partition)
            self._waiting.pop(place, None)
            self._sequences.forget(place)
            metrics.LAG.labels(self._group, *map(str, place)).set(0)

    def _commit(self) -> None:
        try:
            self._consumer.commit(asynchronous=False)
        except KafkaException as error:
            if reason(error).code() != KafkaError._NO_OFFSET:
                log.warning("offsets_not_committed", group=self._group, reason=str(error))

    def _measure(self) -> None:
        if time.monotonic() < self._next_measure:
            return
        self._next_measure = time.monotonic() + MEASURE_SECONDS
        with suppress(OperationalError, InterfaceError):
            self._dispatcher.measure()
        for position in self._consumer.position(self._consumer.assignment()):
            _, high = self._consumer.get_watermark_offsets(position, cached=True)
            place = (topic_of(position.topic), position.partition)
            waiting = len(self._waiting[place].messages) if place in self._waiting else 0
            if position.offset >= 0 and high >= 0:
                lag = max(high - position.offset, 0) + waiting
                metrics.LAG.labels(self._group, *map(str, place)).set(lag)


def _places(messages: Iterable[Message]) -> list[Place]:
    return list(dict.fromkeys((message.topic, message.partition) for message in messages))


def _partitions(places: Iterable[Place]) -> list[TopicPartition]:
    return [TopicPartition(topic_name(topic), partition) for topic, partition in places]


def _listed(partitions: list[TopicPartition]) -> str:
    """`order-events 0 1 2, payment-events 4`."""
    numbers: dict[str, list[int]] = {}
    for partition in partitions:
        numbers.setdefault(partition.topic, []).append(partition.partition)
    return (
        ", ".join(f"{topic} {' '.join(map(str, sorted(n)))}" for topic, n in numbers.items())
        or "nothing"
    )
