"""Who relays which shard: one leader per shard, by advisory locks on the session that also reads.

A relay that is killed loses its session, and with it its locks, at once. Since rows are read
through the session that holds the locks, a relay that has lost them cannot read on.
"""

from __future__ import annotations

import random
import time

import psycopg
import structlog
from django.db import connections

from infrastructure.outbox.publisher import SHARDS

log = structlog.get_logger("outbox.relay")

# The first half of the advisory locks' two-part key. The second half is the shard, or for the
# shared lock that every relay holds to be counted, a number that is no shard.
LOCK_SPACE = 0x6B6F6E74
MEMBER = 1000

BALANCE_SECONDS = 0.25


def open_session(alias: str) -> psycopg.Connection:
    """A session of the relay's own: it must not go through a pooler that shares sessions."""
    parameters = connections[alias].get_connection_params()
    for django_only in ("context", "cursor_factory", "prepare_threshold", "pool"):
        parameters.pop(django_only, None)
    session = psycopg.connect(
        **{
            **parameters,
            "application_name": "relay",
            # A host that died without a word is noticed within about ten seconds.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
        },
        autocommit=True,
    )
    # A deletion lost in a crash of the server publishes a message twice, nothing worse. The plans
    # are right for every size of the table, also for one that was empty when it was analysed.
    session.execute(
        "SELECT set_config(name, value, false) FROM (VALUES ('synchronous_commit', 'off'),"
        " ('TimeZone', 'UTC'), ('DateStyle', 'ISO'),"
        " ('enable_seqscan', 'off'), ('enable_sort', 'off'), ('enable_bitmapscan', 'off'),"
        " ('plan_cache_mode', 'force_generic_plan')) AS wanted(name, value)"
    )
    return session


class ShardLocks:
    """The shards that this session leads, and its fair share of them.

    space: the first half of the locks' key, one for each thing that has shards.

    `leading` may be published from. A shard to be handed over first leaves `leading`; it is
    unlocked when `hand_over` is told that nothing of it is in flight any more.
    """

    def __init__(self, session: psycopg.Connection, *, space: int = LOCK_SPACE) -> None:
        self._session = session
        self._space = space
        self._leaving: set[int] = set()
        self._next_look = 0.0
        self.leading: set[int] = set()
        session.execute("SELECT pg_advisory_lock_shared(%s, %s)", [space, MEMBER])

    def balance(self) -> bool:
        """Take free shards up to a fair share, give up what is beyond it. At most a few times per
        second; returns whether new shards were taken."""
        if time.monotonic() < self._next_look:
            return False
        self._next_look = time.monotonic() + BALANCE_SECONDS
        members, locked = self._look()
        share = -(-SHARDS // max(members, 1))
        before = len(self.leading)
        free = [shard for shard in range(SHARDS) if shard not in locked]
        random.shuffle(free)
        for shard in free:
            if len(self.leading) + len(self._leaving) >= share:
                break
            if self._try_lock(shard):
                self.leading.add(shard)
        for shard in sorted(self.leading)[share:]:
            self.leading.discard(shard)
            self._leaving.add(shard)
        taken = len(self.leading) > before
        if taken or len(self.leading) < before:
            log.info("shards_led", leading=len(self.leading), shards=SHARDS, relays=members)
        return taken

    def hand_over(self, in_flight: set[int]) -> None:
        """Unlock the shards to be handed over of which nothing is in flight."""
        for shard in self._leaving - in_flight:
            self._session.execute("SELECT pg_advisory_unlock(%s, %s)", [self._space, shard])
            self._leaving.discard(shard)

    @property
    def leaving(self) -> bool:
        return bool(self._leaving)

    def _look(self) -> tuple[int, set[int]]:
        rows = self._session.execute(
            "SELECT objid::bigint, count(*) FROM pg_locks"
            " WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2 AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " GROUP BY 1",
            [self._space],
        ).fetchall()
        counts: dict[int, int] = dict(rows)
        return counts.pop(MEMBER, 1), set(counts)

    def _try_lock(self, shard: int) -> bool:
        row = self._session.execute(
            "SELECT pg_try_advisory_lock(%s, %s)", [self._space, shard]
        ).fetchone()
        return row is not None and bool(row[0])
