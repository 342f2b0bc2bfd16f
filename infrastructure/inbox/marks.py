"""Which events a handler has handled: the reason why each has its effect once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from django.db import connections

RETENTION = timedelta(days=30)
_PURGE_ROWS = 10_000


class Claim(msgspec.Struct, frozen=True):
    """One event for one handler."""

    handler: str
    topic: str
    key: str
    event_id: UUID


@dataclass(frozen=True, slots=True)
class Claimed:
    """`fresh`: (handler, event id) to be handled now. `blocked`: (handler, topic, key) whose events
    wait behind a failed one; the caller's transaction holds them blocked until it ends."""

    fresh: set[tuple[str, UUID]]
    blocked: set[tuple[str, str, str]]


# One JSON parameter: adapting arrays would look at every value of them from Python.
_WANTED = """
WITH wanted AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%s::json)
                  AS w(handler text, topic text, key text, event_id uuid)),
"""

# Sorted, so that two consumers that have the same messages during a rebalance wait for each other
# instead of deadlocking. FOR SHARE keeps a key blocked until the follower's letter is committed.
_CLAIM = f"""{_WANTED}
blocked AS MATERIALIZED (
    SELECT b.handler, b.topic, b.key FROM platform_blockedkey b
     WHERE (b.handler, b.topic, b.key) IN (SELECT handler, topic, key FROM wanted) FOR SHARE),
marked AS (
    INSERT INTO platform_inboxmark (handler, event_id, handled_at)
    SELECT DISTINCT w.handler, w.event_id, %s::timestamptz FROM wanted w
     WHERE (w.handler, w.topic, w.key) NOT IN (SELECT handler, topic, key FROM blocked)
     ORDER BY w.handler, w.event_id
    ON CONFLICT DO NOTHING RETURNING handler, event_id)
SELECT handler, NULL, NULL, event_id FROM marked
UNION ALL
SELECT handler, topic, key, NULL FROM blocked
"""

_LOOK = f"""{_WANTED}
blocked AS (
    SELECT b.handler, b.topic, b.key FROM platform_blockedkey b
     WHERE (b.handler, b.topic, b.key) IN (SELECT handler, topic, key FROM wanted))
SELECT w.handler, NULL, NULL, w.event_id FROM wanted w
 WHERE NOT EXISTS (SELECT 1 FROM platform_inboxmark m
                    WHERE m.handler = w.handler AND m.event_id = w.event_id)
UNION ALL
SELECT handler, topic, key, NULL FROM blocked
"""


def claim(alias: str, claims: Sequence[Claim], now: datetime) -> Claimed:
    """Mark events as handled within the running transaction; marked ones are not claimed again."""
    with connections[alias].cursor() as cursor:
        cursor.execute(_CLAIM, [_json(claims), now])
        rows = cursor.fetchall()
    return _claimed(rows)


def look(alias: str, claims: Sequence[Claim]) -> Claimed:
    """Which events are without a mark, and which keys are blocked; nothing is written or locked."""
    with connections[alias].cursor() as cursor:
        cursor.execute(_LOOK, [_json(claims)])
        rows = cursor.fetchall()
    return _claimed(rows)


def _json(claims: Sequence[Claim]) -> str:
    return msgspec.json.encode(claims).decode()


def _claimed(rows: Iterable[tuple[str, str | None, str | None, UUID | None]]) -> Claimed:
    fresh, blocked = set(), set()
    for handler, topic, key, event_id in rows:
        if event_id is not None:
            fresh.add((handler, event_id))
        elif topic is not None and key is not None:
            blocked.add((handler, topic, key))
    return Claimed(fresh=fresh, blocked=blocked)


def mark(alias: str, done: Iterable[tuple[str, UUID]], now: datetime) -> None:
    """Mark what an idempotent handler has done."""
    rows = list(done)
    if not rows:
        return
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "INSERT INTO platform_inboxmark (handler, event_id, handled_at)"
            " SELECT handler, event_id, %s::timestamptz"
            " FROM unnest(%s::text[], %s::uuid[]) AS d(handler, event_id)"
            " ORDER BY handler, event_id ON CONFLICT DO NOTHING",
            [now, *map(list, zip(*rows, strict=True))],
        )


def reclaim(
    alias: str, claims: Sequence[Claim], *, before: datetime, now: datetime
) -> set[tuple[str, UUID]]:
    """Mark events anew for a replay that began at `before`: those that were handled earlier, and
    those that never were. What the replay itself has handled already is not among the answer."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            f"""{_WANTED}
            marked AS (
                INSERT INTO platform_inboxmark AS m (handler, event_id, handled_at)
                SELECT DISTINCT w.handler, w.event_id, %s::timestamptz FROM wanted w
                ON CONFLICT (handler, event_id) DO UPDATE SET handled_at = excluded.handled_at
                      WHERE m.handled_at < %s::timestamptz
                RETURNING handler, event_id)
            SELECT handler, event_id FROM marked
            """,
            [_json(claims), now, before],
        )
        return set(cursor.fetchall())


def is_blocked(alias: str, claim_: Claim) -> bool:
    """Whether the key waits. Within a transaction the answer then holds until its end."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM platform_blockedkey WHERE handler = %s AND topic = %s AND key = %s"
            " FOR SHARE",
            [claim_.handler, claim_.topic, claim_.key],
        )
        return cursor.fetchone() is not None


def oldest(alias: str, handlers: Sequence[str]) -> datetime | None:
    """When these handlers handled the first event that is still remembered. Reads the whole table:
    for the rare start of a group without a place."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT min(handled_at) FROM platform_inboxmark WHERE handler = ANY(%s::text[])",
            [list(handlers)],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def is_marked(alias: str, claim_: Claim) -> bool:
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM platform_inboxmark WHERE handler = %s AND event_id = %s",
            [claim_.handler, claim_.event_id],
        )
        return cursor.fetchone() is not None


def purge(alias: str, *, now: datetime) -> int:
    """Delete marks older than the retention, in short transactions. Returns how many.

    A mark that old is far below the committed offset of its group, so its event does not come
    again except by a replay, which clears marks anyway.
    """
    purged = 0
    while True:
        with connections[alias].cursor() as cursor:
            cursor.execute(
                "DELETE FROM platform_inboxmark WHERE ctid = ANY(ARRAY("
                " SELECT ctid FROM platform_inboxmark WHERE handled_at < %s LIMIT %s))",
                [now - RETENTION, _PURGE_ROWS],
            )
            purged += int(cursor.rowcount)
            if cursor.rowcount < _PURGE_ROWS:
                return purged
