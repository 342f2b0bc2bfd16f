"""The outbox of aggregates that live in Redis: a stream beside them, in the same cluster slot.

A script changes the aggregate and appends to the stream, so that both happen or neither. The key
of an aggregate decides its shard, as in the outbox of a database, and its shard the tag in braces
that puts all keys of the shard into one slot of a Redis cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

import redis

from infrastructure.events.event import Event
from infrastructure.ids import new_id
from infrastructure.observability import correlation
from infrastructure.outbox.publisher import SHARDS, shard_of


class Entry(NamedTuple):
    """One fact in a stream. `occurred_at` is RFC 3339 in UTC."""

    entry_id: str
    topic: str
    key: str
    sequence: int
    name: str
    event_version: int
    event_id: str
    occurred_at: str
    correlation_id: str
    causation_id: str
    traceparent: str
    payload: str


def tag(prefix: str, shard: int) -> str:
    """What begins the key of everything in a shard: `{c07}`."""
    return f"{{{prefix}{shard:02d}}}"


def tag_of(prefix: str, key: UUID | str) -> str:
    return tag(prefix, shard_of(str(key)))


def stream_key(prefix: str, shard: int) -> str:
    return f"{tag(prefix, shard)}:outbox"


def label(prefix: str) -> str:
    """What metrics, logs and commands call the streams of a store."""
    return f"streams {prefix}"


def envelope_of(event_class: type[Event], *, now: datetime) -> list[str]:
    """Fields and values of an entry, but for `key`, `sequence` and `payload`: these the script
    adds, which knows what became of the aggregate.

    The correlation of the running request, task or handler goes with them.
    """
    cause = correlation.current()
    occurred_at = now.astimezone(UTC).isoformat(timespec="microseconds")
    fields = {
        "topic": event_class.topic,
        "name": event_class.name,
        "event_version": str(event_class.version),
        "event_id": str(new_id()),
        "occurred_at": occurred_at.removesuffix("+00:00") + "Z",
        "correlation_id": cause.correlation_id or "",
        "causation_id": cause.causation_id or "",
        "traceparent": cause.traceparent or "",
    }
    return [text for pair in fields.items() for text in pair]


def entry_of(entry_id: str, fields: dict[str, str]) -> Entry:
    return Entry(
        entry_id=entry_id,
        topic=fields["topic"],
        key=fields["key"],
        sequence=int(fields["sequence"]),
        name=fields["name"],
        event_version=int(fields["event_version"]),
        event_id=fields["event_id"],
        occurred_at=fields["occurred_at"],
        correlation_id=fields["correlation_id"],
        causation_id=fields["causation_id"],
        traceparent=fields["traceparent"],
        payload=fields["payload"],
    )


def entries_of(
    client: redis.Redis, prefix: str, shard: int, *, at_once: int = 1000
) -> Iterator[Entry]:
    """What a stream holds, in its order. Raises redis.RedisError."""
    first = "-"
    while raws := _read(client, stream_key(prefix, shard), first, at_once):
        yield from (entry_of(*raw) for raw in raws)
        first = f"({raws[-1][0]}"


def waiting(outboxes: Mapping[str, Mapping[str, Any]]) -> Iterator[Entry]:
    """What the streams of settings.STREAM_OUTBOXES hold, each in its order.

    Raises redis.RedisError.
    """
    for prefix, known in outboxes.items():
        with redis.Redis.from_url(known["url"], decode_responses=True) as client:
            for shard in range(SHARDS):
                yield from entries_of(client, prefix, shard)


def _read(
    client: redis.Redis, key: str, first: str, at_once: int
) -> list[tuple[str, dict[str, str]]]:
    return cast("list[tuple[str, dict[str, str]]]", client.xrange(key, first, "+", at_once))
