"""From recorded events to outbox rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zlib import crc32

from infrastructure.events.codec import encode
from infrastructure.events.event import Event
from infrastructure.observability import correlation
from infrastructure.observability.correlation import Correlation

SHARDS = 12


@dataclass(kw_only=True, slots=True)
class OutboxRow:
    """An OutboxMessage before it is written. Making a model's instance costs ten times as much,
    and every command makes some."""

    shard: int
    event_id: UUID
    topic: str
    key: str
    sequence: int
    name: str
    event_version: int
    occurred_at: datetime
    correlation_id: str
    causation_id: str
    traceparent: str
    payload: str


def shard_of(key: str) -> int:
    """The shard of a key. Every writer of outbox rows uses this function, since the order within a
    key is kept only while all of its rows are in one shard."""
    return crc32(key.encode()) % SHARDS


def outbox_rows(
    events: Iterable[Event],
    *,
    key: UUID | str,
    first_sequence: int,
    cause: Correlation | None = None,
) -> list[OutboxRow]:
    """The rows that carry an aggregate's events, numbered from `first_sequence`, unsaved.

    They belong into the statement that writes what the events tell. The correlation of their cause
    is stored with them, which is the running request, task or handler unless one is named.
    """
    key = str(key)
    shard = shard_of(key)
    cause = cause or correlation.current()
    return [
        OutboxRow(
            shard=shard,
            event_id=event.event_id,
            topic=event.topic,
            key=key,
            sequence=sequence,
            name=event.name,
            event_version=event.version,
            occurred_at=event.occurred_at,
            correlation_id=cause.correlation_id or "",
            causation_id=cause.causation_id or "",
            traceparent=cause.traceparent or "",
            payload=encode(event),
        )
        for sequence, event in enumerate(events, start=first_sequence)
    ]
