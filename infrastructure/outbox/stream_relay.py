"""From the streams of aggregates in Redis to Kafka: at least once, in the order of each key.

A stream is its own order: entries are appended by scripts, one at a time, so nothing commits late
and reading goes on behind the last entry. An entry is deleted when Kafka has acknowledged it.
What Kafka refuses for good stays where it is with a mark (`stream_parking`), and its key waits.

A shard has one leader, by an advisory lock in Postgres like the shards of a database's outbox.
Redis does not know of it, so for a moment a leader that has lost its session and its successor may
both publish. That is harmless: the successor begins with the oldest entry that is left, so each of
them sends an entry only after all those before it that are not on Kafka yet, and of any two entries
the older one is there first. What comes twice has the same id.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import psycopg
import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from infrastructure import clock
from infrastructure.events.envelope import event_headers
from infrastructure.kafka.errors import Refused
from infrastructure.outbox import metrics, stream_parking
from infrastructure.outbox.publisher import SHARDS
from infrastructure.outbox.relay import (
    LOOK_AT_BLOCKED_SECONDS,
    MAX_IN_FLIGHT,
    MEASURE_SECONDS,
    Relay,
)
from infrastructure.outbox.sending import Sending
from infrastructure.outbox.shards import ShardLocks
from infrastructure.outbox.streams import Entry, entries_of, entry_of, label, stream_key, tag

log = structlog.get_logger("outbox.relay")

BATCH = 200
TIMEOUT_S = 2.0
# How long the replicas have to confirm what is about to be published.
DURABLE_MS = 200
# Not the lock space of a database's outbox: the second half of the name of a stream's locks.
LOCK_SPACE = 0x6B6F6E75


class NotDurable(Exception):
    """What was read is not on as many replicas as it must be before anybody is told of it."""


@dataclass(frozen=True, slots=True)
class Streams:
    """The streams of one store. prefix: what begins its tags. replicas: how many must have an entry
    on their disks before it is published. database: the one whose locks choose the leaders."""

    prefix: str
    url: str
    replicas: int
    database: str

    @property
    def label(self) -> str:
        return label(self.prefix)


class StreamRelay(Relay):
    """Publishes the streams of one store until it is stopped."""

    outages: ClassVar[tuple[type[Exception], ...]] = (
        *Relay.outages,
        redis.RedisError,
        NotDurable,
    )

    def __init__(self, streams: Streams, *, grace_seconds: float = 8.0) -> None:
        super().__init__(streams.label, grace_seconds=grace_seconds)
        self._streams = streams

    def locked_in(self) -> str:
        return self._streams.database

    def session_on(self, connection: psycopg.Connection) -> Sending[Any, Any]:
        return StreamSession(connection, self._streams)


class StreamSession(Sending[tuple[int, str], Entry]):
    """Entries of streams, by their shards and ids."""

    def __init__(self, connection: psycopg.Connection, streams: Streams) -> None:
        super().__init__(streams.label)
        self._streams = streams
        self._redis = redis.Redis.from_url(
            streams.url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        self._locks = ShardLocks(connection, space=LOCK_SPACE)
        # Shard -> the entry behind which reading goes on; a shard that is new begins at the oldest.
        self._read: dict[int, str] = {}
        # Shard -> the (topic, key) pairs of which entries are parked.
        self._blocked: dict[int, set[tuple[str, str]]] = {}
        self._refused: list[tuple[int, Entry, str]] = []
        self._refused_topics: dict[str, str] = {}
        self._next_measure = 0.0
        self._next_look_at_blocked = 0.0

    def step(self) -> bool:
        self.poll(0)
        self._settle()
        self._housekeep()
        room = MAX_IN_FLIGHT - len(self.in_flight)
        if room < BATCH * SHARDS or not self._locks.leading:
            return False
        found = self._fetch()
        for shard, entries in found.items():
            for entry in entries:
                passed = (shard, entry.entry_id) in self.in_flight or (
                    (entry.topic, entry.key) in self._blocked[shard]
                )
                if not passed and not self._send_entry(shard, entry):
                    break
                self._read[shard] = entry.entry_id
        self._park()
        return bool(found)

    def drain(self, seconds: float) -> None:
        super().drain(seconds)
        self._redis.close()

    def abandon(self) -> None:
        super().abandon()
        self._redis.close()

    def _fetch(self) -> dict[int, list[Entry]]:
        shards = sorted(self._locks.leading)
        pipeline = self._redis.pipeline(transaction=False)
        for shard in shards:
            after = self._read.get(shard)
            beginning = "-" if after is None else f"({after}"
            pipeline.xrange(stream_key(self._streams.prefix, shard), beginning, "+", BATCH)
        answers = cast("list[list[tuple[str, dict[str, str]]]]", pipeline.execute())
        found = {
            shard: [entry_of(*raw) for raw in raws]
            for shard, raws in zip(shards, answers, strict=True)
            if raws
        }
        if found and self._streams.replicas:
            self._require_durable()
        return found

    def _require_durable(self) -> None:
        """Raises NotDurable unless the replicas have all that was read.

        WAITAOF waits for what its own connection wrote, and so for all that was written before.
        """
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(f"{tag(self._streams.prefix, 0)}:relayed", "", px=1000)
        pipeline.execute_command("WAITAOF", 1, self._streams.replicas, DURABLE_MS)
        _, (local, replicas) = cast("tuple[Any, list[int]]", pipeline.execute())
        if local < 1 or replicas < self._streams.replicas:
            raise NotDurable(f"{replicas} of {self._streams.replicas} replicas follow")

    def _send_entry(self, shard: int, entry: Entry) -> bool:
        headers = event_headers(
            event_id=entry.event_id,
            name=entry.name,
            version=entry.event_version,
            occurred_at=entry.occurred_at,
            key=entry.key,
            sequence=entry.sequence,
            correlation_id=entry.correlation_id,
            causation_id=entry.causation_id,
            traceparent=entry.traceparent,
        )
        return self._send(
            (shard, entry.entry_id),
            entry,
            topic=entry.topic,
            key=entry.key,
            payload=entry.payload,
            headers=headers,
        )

    def _ensure(self, topic: str) -> None:
        """Asks the broker for a topic that it will not have once a look."""
        if topic in self._refused_topics:
            raise Refused(self._refused_topics[topic])
        try:
            super()._ensure(topic)
        except Refused as error:
            self._refused_topics[topic] = str(error)
            raise

    def _refuse(self, place: tuple[int, str], entry: Entry, reason: str) -> None:
        self.in_flight.pop(place, None)
        self._refused.append((place[0], entry, reason))
        self._blocked.setdefault(place[0], set()).add((entry.topic, entry.key))
        log.error(
            "event_refused",
            outbox=self.outbox,
            event_name=entry.name,
            key=entry.key,
            reason=reason,
        )

    def _park(self) -> None:
        if self._refused:
            refused, self._refused = self._refused, []
            stream_parking.park(self._redis, self._streams.prefix, refused, now=clock.now())

    def _look_at_blocked(self) -> None:
        marked = stream_parking.marks(
            self._redis, self._streams.prefix, sorted(self._locks.leading)
        )
        found = {shard: stream_parking.blocked_keys(marks) for shard, marks in marked.items()}
        for shard, blocked in self._blocked.items():
            if not blocked <= found.get(shard, set()):
                self._read.pop(shard, None)  # entries of a released key are still in their places
        self._blocked = found
        self._refused_topics.clear()
        self._next_look_at_blocked = time.monotonic() + LOOK_AT_BLOCKED_SECONDS

    def _settle(self) -> None:
        self._park()
        if not self._acknowledged:
            return
        done, self._acknowledged = self._acknowledged, []
        by_shard: dict[int, list[str]] = {}
        for shard, entry_id in done:
            by_shard.setdefault(shard, []).append(entry_id)
        pipeline = self._redis.pipeline(transaction=False)
        for shard, entry_ids in by_shard.items():
            pipeline.xdel(stream_key(self._streams.prefix, shard), *entry_ids)
            # A relay that has lost its shard may have marked what now was taken.
            pipeline.hdel(stream_parking.marks_key(self._streams.prefix, shard), *entry_ids)
        pipeline.execute()
        topics = [self.in_flight.pop(place).topic for place in done]
        for topic, count in Counter(topics).items():
            metrics.PUBLISHED.labels(topic).inc(count)

    def _housekeep(self) -> None:
        taken = self._locks.balance()
        for shard in self._read.keys() - self._locks.leading:
            del self._read[shard]  # if it comes back, somebody else may have left something
        if self._locks.leaving:
            self._locks.hand_over({shard for shard, _ in self.in_flight})
        if taken or time.monotonic() >= self._next_look_at_blocked:
            self._look_at_blocked()
        if time.monotonic() >= self._next_measure:
            self._next_measure = time.monotonic() + MEASURE_SECONDS
            self._measure()

    def _measure(self) -> None:
        prefix = self._streams.prefix
        pipeline = self._redis.pipeline(transaction=False)
        for shard in range(SHARDS):
            pipeline.xlen(stream_key(prefix, shard))
        pipeline.time()
        *lengths, (seconds, micros) = pipeline.execute()
        marked = stream_parking.marks(self._redis, prefix)
        oldest = [self._oldest(shard, marked[shard]) for shard in range(SHARDS) if lengths[shard]]
        first = min((at for at in oldest if at is not None), default=None)
        age = 0.0 if first is None else max(seconds + micros / 1e6 - first, 0.0)
        metrics.OLDEST.labels(self.outbox).set(age)
        metrics.BACKLOG.labels(self.outbox).set(sum(lengths))
        metrics.PARKED.labels(self.outbox).set(sum(map(len, marked.values())))
        metrics.LEADING.labels(self.outbox).set(len(self._locks.leading))

    def _oldest(self, shard: int, marked: Mapping[str, stream_parking.Mark]) -> float | None:
        """When the first entry of the stream that is not parked was appended, in seconds."""
        blocked = stream_parking.blocked_keys(marked)
        at_once = BATCH if marked else 1
        for entry in entries_of(self._redis, self._streams.prefix, shard, at_once=at_once):
            if (entry.topic, entry.key) not in blocked:
                return float(entry.entry_id.partition("-")[0]) / 1000
        return None


def streams_from(outboxes: Mapping[str, Mapping[str, Any]], *, database: str) -> list[Streams]:
    """The stores that settings.STREAM_OUTBOXES names, led by the locks of one database."""
    return [
        Streams(prefix=prefix, url=known["url"], replicas=known["replicas"], database=database)
        for prefix, known in outboxes.items()
    ]
