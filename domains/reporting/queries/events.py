"""Follows every event from its aggregate through outbox and Kafka to the marks of its handlers."""

from __future__ import annotations

from binascii import unhexlify
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db.models import Model

from domains.carts import public as carts
from domains.orders import public as orders
from domains.payments import public as payments
from domains.pricing import public as pricing
from domains.products import public as products
from domains.reporting.queries.handlers import HandlerBooks
from domains.reporting.rules.events import Sequences
from domains.reporting.rules.findings import Check, Finding
from domains.users import public as users
from infrastructure.database.contexts import aliases
from infrastructure.events.envelope import Envelope, Message, NotAnEvent, read_envelope
from infrastructure.inbox.marks import RETENTION
from infrastructure.kafka.reader import TopicReader
from infrastructure.kafka.topics import published_topics
from infrastructure.outbox import stream_parking, streams
from infrastructure.outbox.models import OutboxMessage, ParkedMessage

T = TypeVar("T")

_CHUNK = 1000
# The resolution of a dead letter that has none.
OPEN = ""

EventCounts = Callable[[], Iterator[tuple[UUID, str, int]]]
# Every context that publishes.
EVENT_COUNTS: tuple[EventCounts, ...] = (
    users.event_counts,
    products.event_counts,
    payments.event_counts,
    pricing.event_counts,
    orders.event_counts,
)
# Aggregates that are forgotten some time after their last event: of one that nobody knows any more
# only the order of its events can be compared.
FORGOTTEN_COUNTS: tuple[EventCounts, ...] = (carts.event_counts,)
FORGOTTEN_TOPICS = frozenset({carts.TOPIC})


class EventBooks:
    """All topics, read once from the first message and then on, while the audit looks twice.

    Keeps about 150 bytes per aggregate, and 600 for every event that waits for a handler; marks
    are asked for batch by batch and not kept.
    """

    def __init__(self, reader: TopicReader) -> None:
        self._reader = reader
        self._topics: dict[str, Sequences] = {topic: Sequences() for topic in published_topics()}
        self._handlers = HandlerBooks()
        self._strangers: list[Finding] = []

    def read_on(self, *, now: datetime) -> None:
        """Read what is new on the topics, and look for its marks. Raises KafkaUnavailable."""
        self._handlers.look_again()
        for batch in self._reader.read_on():
            self._take(batch, kept_since=now - RETENTION)

    def lag(self) -> dict[str, int]:
        """Handler -> how many events it still has to handle; as of the last `read_on`.

        An event with a dead letter waits for people, or for nobody any more: it is none of them.
        """
        return self._handlers.lag()

    def not_begun(self) -> int:
        """How many handlers' events nobody has begun to hear, as of the last `read_on`."""
        return len(self._handlers.not_begun())

    def compare(self, *, now: datetime, due: datetime) -> list[Check]:
        """Topics against aggregates, and marks against topics.

        May be called again to look twice. What occurred after `due` is in flight.
        """
        return [self._compare_topics(now=now, due=due), self._handlers.compare(due=due)]

    def _take(self, messages: list[Message], *, kept_since: datetime) -> None:
        kept: list[tuple[Message, Envelope]] = []
        for message in messages:
            try:
                envelope = read_envelope(message)
                self._topics[message.topic].take(_short(message.key), envelope.sequence)
            except (NotAnEvent, ValueError) as error:
                place = f"{message.topic} {message.partition}/{message.offset}"
                self._strangers.append(Finding(subject=place, detail=f"no event of ours: {error}"))
                continue
            if envelope.occurred_at >= kept_since:  # older marks may have been purged
                kept.append((message, envelope))
        self._handlers.take(kept)

    def _compare_topics(self, *, now: datetime, due: datetime) -> Check:
        check = not_compared("")
        # The order of the reads is the proof. Topics first, aggregates second: what is on a topic
        # was committed before. Outbox third, topics once more: what has left the outbox arrived.
        self.read_on(now=now)
        lacking: dict[tuple[str, bytes], int] = {}
        found: dict[str, int] = defaultdict(int)
        for aggregate_id, topic, recorded in _recorded():
            check.rows += recorded
            key = aggregate_id.bytes
            last = self._topics[topic].last(key)
            found[topic] += last > 0
            if last > recorded:
                check.take(
                    Finding(
                        subject=f"{topic} {aggregate_id}",
                        detail=f"{last} events on the topic, {recorded} were recorded",
                    )
                )
            elif last < recorded:
                lacking[topic, key] = recorded
        for topic, sequences in self._topics.items():
            if found[topic] < len(sequences) and topic not in FORGOTTEN_TOPICS:
                check.take_all(_invented(topic, sequences))
        queued = dict(_rows_of(OutboxMessage, "occurred_at", lacking))
        queued |= dict(_entries_of(lacking))
        parked = dict(_rows_of(ParkedMessage, "reason", lacking))
        parked |= dict(_parked_entries_of(lacking))
        self.read_on(now=now)
        for (topic, key), recorded in lacking.items():
            for sequence in range(self._topics[topic].last(key) + 1, recorded + 1):
                place = (topic, str(UUID(bytes=key)), sequence)
                young = False
                if place in parked:  # a parked entry of a stream still is in its place
                    detail = f"parked: {parked[place] or 'behind an earlier one of its key'}"
                elif place in queued:
                    young = queued[place] > due
                    detail = f"in the outbox since {queued[place]:%Y-%m-%d %H:%M:%S}"
                else:
                    detail = "lost: not on the topic, not in the outbox"
                check.take(_event(*place, detail, in_flight=young))
        for topic, sequences in self._topics.items():
            for key, number in sequences.gaps():
                name = str(UUID(bytes=key))
                check.take(_event(topic, name, number, "missing, and later ones are there"))
            for key, number in sequences.late:
                name = str(UUID(bytes=key))
                check.take(_event(topic, name, number, "came after later ones"))
        check.take_all(self._strangers)
        if again := sum(sequences.duplicates for sequences in self._topics.values()):
            check.note = f"{again} messages came twice"
        return check


def not_compared(reason: str) -> Check:
    return Check(
        name="events", about="aggregates: events 1 to n on their topic, in order", reason=reason
    )


def outbox_size() -> int:
    """How many events wait in the outboxes of all databases and streams."""
    rows = sum(OutboxMessage.objects.using(alias).count() for alias in aliases())
    return rows + stream_parking.length(settings.STREAM_OUTBOXES)


def _recorded() -> Iterator[tuple[UUID, str, int]]:
    for event_counts in (*EVENT_COUNTS, *FORGOTTEN_COUNTS):
        yield from event_counts()


def _invented(topic: str, sequences: Sequences) -> Iterator[Finding]:
    known = {aggregate_id.bytes for aggregate_id, name, n in _recorded() if name == topic and n}
    for key in sequences:
        if key not in known:
            yield Finding(
                subject=f"{topic} {UUID(bytes=key)}",
                detail=f"{sequences.last(key)} events on the topic, and no aggregate recorded any",
            )


def _rows_of(
    model: type[Model], column: str, lacking: Iterable[tuple[str, bytes]]
) -> Iterator[tuple[tuple[str, str, int], Any]]:
    """((topic, key, sequence), value of the column) of the rows of these aggregates."""
    for chunk in _chunks(list(lacking), _CHUNK):
        keys = [str(UUID(bytes=key)) for _, key in chunk]
        for alias in aliases():
            rows = model._default_manager.using(alias).filter(key__in=keys)
            for topic, key, sequence, value in rows.values_list("topic", "key", "sequence", column):
                yield (topic, key, sequence), value


def _entries_of(
    lacking: Iterable[tuple[str, bytes]],
) -> Iterator[tuple[tuple[str, str, int], datetime]]:
    """((topic, key, sequence), when) of what the streams in Redis hold of these aggregates."""
    wanted = {(topic, str(UUID(bytes=key))) for topic, key in lacking}
    if not any(topic in FORGOTTEN_TOPICS for topic, _ in wanted):
        return
    for entry in streams.waiting(settings.STREAM_OUTBOXES):
        if (entry.topic, entry.key) in wanted:
            occurred_at = datetime.fromisoformat(entry.occurred_at)
            yield (entry.topic, entry.key, entry.sequence), occurred_at


def _parked_entries_of(
    lacking: Iterable[tuple[str, bytes]],
) -> Iterator[tuple[tuple[str, str, int], str]]:
    """((topic, key, sequence), reason) of what is parked in the streams of these aggregates."""
    wanted = {(topic, str(UUID(bytes=key))) for topic, key in lacking}
    if not any(topic in FORGOTTEN_TOPICS for topic, _ in wanted):
        return
    for _, (_, entry, reason) in stream_parking.all_parked(settings.STREAM_OUTBOXES):
        if (entry.topic, entry.key) in wanted:
            yield (entry.topic, entry.key, entry.sequence), reason


def _event(topic: str, key: str, sequence: int, detail: str, *, in_flight: bool = False) -> Finding:
    return Finding(subject=f"{topic} {key} #{sequence}", detail=detail, in_flight=in_flight)


def _short(key: bytes) -> bytes:
    """The 16 bytes of an aggregate's id. Raises ValueError for what is none."""
    short = unhexlify(key.replace(b"-", b""))
    if len(short) != 16:
        raise ValueError(f"{key!r} is no id of an aggregate")
    return short


def _chunks(items: list[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
