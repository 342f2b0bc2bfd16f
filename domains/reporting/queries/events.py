"""Follows every event from its aggregate through outbox and Kafka to the marks of its handlers."""

from __future__ import annotations

from binascii import unhexlify
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
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
from domains.reporting.rules.events import Sequences
from domains.reporting.rules.findings import Check, Finding
from domains.users import public as users
from infrastructure.database.contexts import alias_of, aliases
from infrastructure.events.codec import can_read, is_known
from infrastructure.events.envelope import Envelope, Message, NotAnEvent, read_envelope
from infrastructure.events.subscriptions import SUBSCRIPTIONS, Subscription
from infrastructure.inbox import marks
from infrastructure.inbox.marks import RETENTION, Claim
from infrastructure.inbox.models import DeadLetter
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


@dataclass(frozen=True, slots=True)
class Unhandled:
    """An event on its topic that a handler has no mark for."""

    claim: Claim
    sequence: int
    name: str
    occurred_at: datetime


class EventBooks:
    """All topics, read once from the first message and then on, while the audit looks twice.

    Keeps about 150 bytes per aggregate, and 300 for every event that waits for a handler; marks
    are asked for batch by batch and not kept.
    """

    def __init__(self, reader: TopicReader) -> None:
        self._reader = reader
        self._topics: dict[str, Sequences] = {topic: Sequences() for topic in published_topics()}
        self._subscriptions: dict[str, list[Subscription]] = defaultdict(list)
        for subscriptions in SUBSCRIPTIONS.values():
            for subscription in subscriptions:
                if subscription.context in settings.CONTEXTS:
                    self._subscriptions[subscription.event_class.name].append(subscription)
        self._strangers: list[Finding] = []
        self._unhandled: dict[tuple[str, UUID], Unhandled] = {}
        self._expected = 0

    def read_on(self, *, now: datetime) -> None:
        """Read what is new on the topics, and look for its marks. Raises KafkaUnavailable."""
        for batch in self._reader.read_on():
            self._take(batch, kept_since=now - RETENTION)

    def lag(self) -> dict[str, int]:
        """Handler -> how many events it still has to handle; as of the last `read_on`.

        An event with a dead letter waits for people, or for nobody any more: it is none of them.
        """
        behind: Counter[str] = Counter()
        for chunk in _chunks(list(self._unhandled.values()), _CHUNK):
            left = self._drop_handled(chunk)
            letters = _letters_of([one.claim.event_id for one in left])
            behind.update(
                one.claim.handler
                for one in left
                if (one.claim.handler, one.claim.event_id) not in letters
            )
        return dict(sorted(behind.items()))

    def compare(self, *, now: datetime, due: datetime) -> list[Check]:
        """Topics against aggregates, and marks against topics.

        May be called again to look twice. What occurred after `due` is in flight.
        """
        return [self._compare_topics(now=now, due=due), self._compare_marks(due=due)]

    def _take(self, messages: list[Message], *, kept_since: datetime) -> None:
        waiting: dict[str, list[Unhandled]] = defaultdict(list)
        for message in messages:
            try:
                envelope = read_envelope(message)
                self._topics[message.topic].take(_short(message.key), envelope.sequence)
            except (NotAnEvent, ValueError) as error:
                place = f"{message.topic} {message.partition}/{message.offset}"
                self._strangers.append(Finding(subject=place, detail=f"no event of ours: {error}"))
                continue
            if envelope.occurred_at < kept_since:
                continue  # its marks may have been purged
            for subscription in self._listening_to(envelope):
                self._expected += 1
                claim = Claim(subscription.label, message.topic, envelope.key, envelope.event_id)
                waiting[subscription.context].append(
                    Unhandled(claim, envelope.sequence, envelope.name, envelope.occurred_at)
                )
        for context, found in waiting.items():
            fresh = marks.look(alias_of(context), [one.claim for one in found]).fresh
            for one in found:
                identity = (one.claim.handler, one.claim.event_id)
                if identity in fresh:
                    self._unhandled[identity] = one

    def _listening_to(self, envelope: Envelope) -> Iterator[Subscription]:
        for subscription in self._subscriptions.get(envelope.name, ()):
            # A version published beside the one that is listened to is not for this handler.
            if can_read(subscription.event_class, envelope.version) or not is_known(
                envelope.name, envelope.version
            ):
                yield subscription

    def _drop_handled(self, chunk: list[Unhandled]) -> list[Unhandled]:
        """Forget those that have their mark by now. Returns the others."""
        claims: dict[str, list[Claim]] = defaultdict(list)
        for one in chunk:
            claims[alias_of(one.claim.handler.partition(".")[0])].append(one.claim)
        fresh: set[tuple[str, UUID]] = set()
        for alias, some in claims.items():
            fresh |= marks.look(alias, some).fresh
        left = []
        for one in chunk:
            identity = (one.claim.handler, one.claim.event_id)
            if identity in fresh:
                left.append(one)
            else:
                del self._unhandled[identity]
        return left

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

    def _compare_marks(self, *, due: datetime) -> Check:
        check = Check(name="handled", about="events: one mark of every subscriber")
        check.rows = self._expected
        given_up = 0
        for chunk in _chunks(list(self._unhandled.values()), _CHUNK):
            left = self._drop_handled(chunk)
            letters = _letters_of([one.claim.event_id for one in left])
            for one in left:
                resolution = letters.get((one.claim.handler, one.claim.event_id))
                if resolution == DeadLetter.Resolution.DROPPED:
                    given_up += 1
                elif resolution != OPEN:  # open ones are differences of their own
                    detail = f"no mark for {one.name} {one.sequence} of {one.claim.key}"
                    if resolution is not None:
                        detail += f", though its dead letter is {resolution}"
                    check.take(
                        Finding(
                            subject=f"{one.claim.handler} {one.claim.event_id}",
                            detail=detail,
                            in_flight=one.occurred_at > due,
                        )
                    )
        if given_up:
            check.note = f"{given_up} were given up by an operator"
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


def open_letters() -> Check:
    """The dead letters that nobody has resolved; each is a difference."""
    check = Check(name="dead letters", about="events that a handler could not handle")
    for alias in aliases():
        letters = DeadLetter.objects.using(alias)
        check.rows += letters.count()
        for letter in letters.filter(resolution=OPEN).order_by("id").iterator(chunk_size=_CHUNK):
            reason = (
                f"{letter.error_class}: {letter.error}"
                if letter.error_class
                else ("waits behind an earlier one of its key")
            )
            check.take(
                Finding(
                    subject=f"{letter.handler} {letter.event_id}",
                    detail=f"{letter.topic} {letter.key}: {reason}",
                )
            )
    return check


def _letters_of(event_ids: list[UUID]) -> dict[tuple[str, UUID], str]:
    return {
        (handler, event_id): resolution
        for alias in aliases()
        for handler, event_id, resolution in DeadLetter.objects.using(alias)
        .filter(event_id__in=event_ids)
        .values_list("handler", "event_id", "resolution")
    }


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
