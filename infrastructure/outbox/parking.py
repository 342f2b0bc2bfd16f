"""Outbox rows that Kafka can never take: out of the way, in order, where people can see them.

A row is parked with its key: what comes later for the same aggregate waits behind it, and all other
keys go on. An operator releases a key once the reason is gone, or drops the row and accepts a gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import psycopg
from django.db import connections, transaction

from infrastructure.outbox.models import ParkedMessage

# Parking and releasing exclude each other: a row parked behind a key that is being released would
# be left behind.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('platform_parkedmessage'))"

_COLUMNS = (
    "id, shard, event_id, topic, key, sequence, name, event_version, occurred_at,"
    " correlation_id, causation_id, traceparent, payload"
)


def blocked_keys(session: psycopg.Connection) -> set[tuple[str, str]]:
    """The (topic, key) pairs of which rows are parked."""
    return set(session.execute("SELECT DISTINCT topic, key FROM platform_parkedmessage").fetchall())


def park(
    session: psycopg.Connection, reasons: Mapping[int, str], followers: Sequence[int], now: datetime
) -> None:
    """Move rows out of the outbox: those with a reason, and followers whose key is still blocked.

    A follower whose key was released meanwhile stays in the outbox.
    """
    with session.transaction():
        session.execute(_LOCK)
        _move(session, "TRUE", list(reasons), list(reasons.values()), now)
        _move(
            session,
            "EXISTS (SELECT 1 FROM platform_parkedmessage p"
            " WHERE p.topic = o.topic AND p.key = o.key)",
            list(followers),
            [""] * len(followers),
            now,
        )


def _move(
    session: psycopg.Connection, condition: str, ids: list[int], reasons: list[str], now: datetime
) -> None:
    if not ids:
        return
    session.execute(
        f"WITH moved AS (DELETE FROM platform_outboxmessage o"
        f" WHERE o.id = ANY(%s::bigint[]) AND {condition} RETURNING {_COLUMNS})"
        f" INSERT INTO platform_parkedmessage ({_COLUMNS}, reason, parked_at)"
        f" SELECT moved.*, why.reason, %s::timestamptz FROM moved"
        f" JOIN unnest(%s::bigint[], %s::text[]) AS why(id, reason) ON why.id = moved.id",
        [ids, now, ids, reasons],
    )


def release(alias: str, *, topic: str, key: str) -> int:
    """Give a key's rows back to the relay, in their old places. Returns how many."""
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute(_LOCK)
        cursor.execute(
            f"WITH released AS (DELETE FROM platform_parkedmessage WHERE topic = %s AND key = %s"
            f" RETURNING {_COLUMNS})"
            f" INSERT INTO platform_outboxmessage ({_COLUMNS})"
            f" SELECT * FROM released ORDER BY id",
            [topic, key],
        )
        return int(cursor.rowcount)


def drop(alias: str, *, row_id: int) -> bool:
    """Delete one parked row for good: consumers will see a gap in the aggregate's numbers."""
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute(_LOCK)
        deleted, _ = ParkedMessage.objects.using(alias).filter(pk=row_id).delete()
        return bool(deleted)
