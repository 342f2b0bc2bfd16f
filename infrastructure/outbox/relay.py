"""From the outbox to Kafka: at least once, in the order of each key, by any number of relays.

A row is read by the leader of its shard, sent, and deleted when Kafka has acknowledged it. Reading
goes on while earlier rows are in flight; why it keeps the order of each key is told in `reading`.
Nothing is remembered outside the table but which rows are in flight, so a relay that dies leaves
nothing behind but rows that may be sent twice.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

import psycopg
import structlog

from infrastructure import clock
from infrastructure.events.envelope import event_headers
from infrastructure.kafka.errors import KafkaUnavailable
from infrastructure.outbox import metrics, parking
from infrastructure.outbox.reading import WRITERS, Reader
from infrastructure.outbox.sending import Sending, SendingBroke
from infrastructure.outbox.shards import ShardLocks, open_session

log = structlog.get_logger("outbox.relay")

BATCH = 1000
MAX_IN_FLIGHT = 4000

SHORTEST_WAIT = 0.002
LONGEST_WAIT = 0.1

LOOK_AT_BLOCKED_SECONDS = 1.0
MEASURE_SECONDS = 5.0
RETRY_SECONDS = (0.1, 2.0)

_FETCH = """
SELECT id, shard, topic, key, sequence, name, event_version, event_id::text,
       occurred_at::text,
       correlation_id, causation_id, traceparent, payload
  FROM platform_outboxmessage
 WHERE id > %s AND shard = ANY(%s::smallint[]) AND id NOT IN (SELECT unnest(%s::bigint[]))
 ORDER BY id LIMIT %s
"""

Row = tuple[int, int, str, str, int, str, int, str, str, str, str, str, str]


class Relay:
    """Publishes the outbox of one database until it is stopped."""

    # What passes: tried again from the beginning.
    outages: ClassVar[tuple[type[Exception], ...]] = (
        psycopg.Error,
        KafkaUnavailable,
        SendingBroke,
    )

    def __init__(self, alias: str, *, grace_seconds: float = 8.0) -> None:
        self.alias = alias
        self.grace_seconds = grace_seconds
        self.wake = threading.Event()
        self.beat: Callable[[], None] = lambda: None
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Finish what is in flight and return from `run`."""
        self._stopping.set()
        self.wake.set()

    def run(self) -> None:
        """Relay until stopped. Outages of Postgres and Kafka are waited out."""
        shortest, longest = RETRY_SECONDS
        wait = shortest
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                self._run_session()
            except self.outages as error:
                if time.monotonic() - started > 10:
                    wait = shortest
                log.warning("relay_interrupted", outbox=self.alias, reason=str(error).strip())
                metrics.LEADING.labels(self.alias).set(0)
                self.beat()
                self._stopping.wait(wait * random.uniform(0.5, 1))  # noqa: S311
                wait = min(wait * 2, longest)

    def locked_in(self) -> str:
        """The database whose locks choose the leaders."""
        return self.alias

    def session_on(self, connection: psycopg.Connection) -> Sending[Any, Any]:
        return Session(connection, self.alias)

    def _run_session(self) -> None:
        with open_session(self.locked_in()) as connection:
            session = self.session_on(connection)
            log.info("relay_connected", outbox=self.alias)
            try:
                self._pump(session)
                session.drain(self.grace_seconds)
            except BaseException:
                # Another relay may lead these shards by now.
                session.abandon()
                raise

    def _pump(self, session: Sending[Any, Any]) -> None:
        wait = SHORTEST_WAIT
        while not self._stopping.is_set():
            self.beat()
            if session.step():
                wait = SHORTEST_WAIT
                continue
            if session.in_flight:
                session.poll(wait)
            elif self.wake.wait(wait):
                wait = SHORTEST_WAIT
                self.wake.clear()
                continue
            wait = min(wait * 2, LONGEST_WAIT)


class Session(Sending[int, Row]):
    """Rows of a table, by their ids."""

    def __init__(self, connection: psycopg.Connection, alias: str) -> None:
        super().__init__(alias)
        self._connection = connection
        self._locks = ShardLocks(connection)
        self._blocked = parking.blocked_keys(connection)
        self._refused: dict[int, str] = {}
        self._reader = Reader()
        self._next_measure = 0.0
        self._next_look_at_blocked = 0.0

    def step(self) -> bool:
        self.poll(0)
        self._settle()
        self._housekeep()
        room = MAX_IN_FLIGHT - len(self.in_flight)
        if room < BATCH or not self._locks.leading:
            return False
        rows = self._fetch()
        followers: list[int] = []
        for row in rows:
            if self._blocked and (row[2], row[3]) in self._blocked:
                followers.append(row[0])
            elif not self._send_row(row):
                self._reader.rewind()
                break
        if self._refused or followers:
            self._park(followers)
        return bool(rows)

    def _fetch(self) -> list[Row]:
        floor = self._reader.floor(self._writers)
        in_flight = [row_id for row_id in self.in_flight if row_id > floor]
        rows: list[Any] = self._connection.execute(
            _FETCH, [floor, sorted(self._locks.leading), _array(in_flight), BATCH]
        ).fetchall()
        self._reader.read(rows[-1][0] if rows else floor, full=len(rows) == BATCH)
        return rows

    def _writers(self) -> frozenset[str]:
        return frozenset(name for (name,) in self._connection.execute(WRITERS).fetchall())

    def _send_row(self, row: Row) -> bool:
        (row_id, _, topic, key, sequence, name, version, event_id, occurred_at) = row[:9]
        correlation_id, causation_id, traceparent, payload = row[9:]
        headers = event_headers(
            event_id=event_id,
            name=name,
            version=version,
            # The session's time zone is UTC: 2026-03-02 09:30:00.123456+00
            occurred_at=f"{occurred_at[:10]}T{occurred_at[11:-3]}Z",
            key=key,
            sequence=sequence,
            correlation_id=correlation_id,
            causation_id=causation_id,
            traceparent=traceparent,
        )
        return self._send(row_id, row, topic=topic, key=key, payload=payload, headers=headers)

    def _refuse(self, row_id: int, row: Row, reason: str) -> None:
        self.in_flight.pop(row_id, None)
        self._refused[row_id] = reason
        self._blocked.add((row[2], row[3]))
        log.error("event_refused", outbox=self.outbox, event_name=row[5], key=row[3], reason=reason)

    def _park(self, followers: list[int]) -> None:
        parking.park(self._connection, self._refused, followers, clock.now())
        self._refused = {}
        self._look_at_blocked()

    def _look_at_blocked(self) -> None:
        blocked = parking.blocked_keys(self._connection)
        if not self._blocked <= blocked:
            self._reader.rewind()  # rows of a released key are back in their old places
        self._blocked = blocked
        self._next_look_at_blocked = time.monotonic() + LOOK_AT_BLOCKED_SECONDS

    def _settle(self) -> None:
        if self._refused:
            self._park([])
        if not self._acknowledged:
            return
        done, self._acknowledged = self._acknowledged, []
        self._connection.execute(
            "DELETE FROM platform_outboxmessage WHERE id = ANY(%s::bigint[])", [_array(done)]
        )
        topics = [self.in_flight.pop(row_id)[2] for row_id in done]
        for topic, count in Counter(topics).items():
            metrics.PUBLISHED.labels(topic).inc(count)

    def _housekeep(self) -> None:
        if self._locks.balance():
            self._reader.rewind()
            self._look_at_blocked()  # their last leader may have parked a key
        if self._locks.leaving:
            self._locks.hand_over({row[1] for row in self.in_flight.values()})
        if time.monotonic() >= self._next_measure:
            self._next_measure = time.monotonic() + MEASURE_SECONDS
            metrics.measure(self._connection, self.outbox)
            metrics.LEADING.labels(self.outbox).set(len(self._locks.leading))
        if self._blocked and time.monotonic() >= self._next_look_at_blocked:
            self._look_at_blocked()


def _array(ids: list[int]) -> str:
    """A parameter as text: adapting a list looks at every number in it."""
    return "{" + ",".join(map(str, ids)) + "}"
