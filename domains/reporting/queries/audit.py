"""The audit of the books: asks every context, looks twice at what differs, says what is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connections

from domains.orders import public as orders
from domains.reporting.queries.books import compare_books
from domains.reporting.queries.documents import compare_documents
from domains.reporting.queries.events import EventBooks, not_compared, outbox_size
from domains.reporting.queries.handlers import open_letters
from domains.reporting.rules.findings import Check, confirmed
from infrastructure.database.contexts import aliases
from infrastructure.kafka.errors import KafkaUnavailable
from infrastructure.kafka.reader import TopicReader
from infrastructure.kafka.topics import published_topics

# Recovery begins at the deadline; a placement whose process was killed is decided 20 s later.
TIME_ALLOWED = orders.PLACEMENT_DEADLINE + timedelta(seconds=20)
# Before what differs is looked at again.
PAUSE = timedelta(seconds=2)
# While waiting for the shop to come to rest.
POLL_SECONDS = 0.5
# Of so many orders that do not come to rest the number is told.
NAMED = 5

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Unrest:
    """What still moves. `numbers`: of the longest unsettled orders; those that wait for their
    customer are none of them. `lag`: handler -> events that it has not handled. not_begun: how
    many kinds of events handlers should hear, and no consumer has begun to hear for them."""

    outbox: int
    unsettled: int
    numbers: list[str]
    lag: Mapping[str, int]
    not_begun: int = 0

    def __bool__(self) -> bool:
        return bool(self.outbox or self.unsettled or self.lag or self.not_begun)

    def __str__(self) -> str:
        waiting = [f"{handler} {count} events behind" for handler, count in self.lag.items()]
        if self.not_begun:
            waiting.append(f"{self.not_begun} subscriptions that no consumer has begun with")
        behind = ", ".join(waiting)
        more = ["…"] if self.unsettled > len(self.numbers) else []
        named = f" ({', '.join([*self.numbers, *more])})" if self.numbers else ""
        return (
            f"{self.outbox} events in the outbox, {self.unsettled} orders unsettled{named},"
            f" {behind or 'handlers done'}"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """The checks, and what still moved when the time to wait was over (None: nothing did, or
    nobody asked to wait). waiting: how many orders do nothing until their customer pays."""

    checks: list[Check]
    unrest: Unrest | None
    waiting: int


def audit(
    *,
    clock: Clock,
    wait: timedelta = timedelta(0),
    progress: Callable[[str], None] = lambda text: None,
    pause: timedelta = PAUSE,
) -> Audit:
    """Compare everything with everything. An empty list of differences everywhere is the proof.

    wait: so long at most for outboxes to be empty, handlers to be done and orders to be settled;
    0 does not look whether they are.
    pause: between the two looks at what differs.
    Without a broker the checks of events say so in their `reason`.
    """
    until = time.monotonic() + wait.total_seconds()
    with _patient_statements():
        while True:
            try:
                with TopicReader(published_topics()) as reader:
                    events = EventBooks(reader)
                    events.read_on(now=clock())
                    unrest = _wait_for_rest(events, clock, until, progress) if wait else None
                    checks = _look_twice(events, clock, progress, pause)
                    return Audit(checks=checks, unrest=unrest, waiting=_waiting(clock))
            except KafkaUnavailable as error:
                reason = f"Kafka cannot be read: {error}"
                if time.monotonic() >= until:
                    break
                progress(f"waiting: {reason}")
                time.sleep(POLL_SECONDS)
        checks = [*_look_twice(None, clock, progress, pause), not_compared(reason)]
        return Audit(checks=checks, unrest=None, waiting=_waiting(clock))


def _waiting(clock: Clock) -> int:
    return orders.unsettled(now=clock(), named=0).waiting


def _look_twice(
    events: EventBooks | None, clock: Clock, progress: Callable[[str], None], pause: timedelta
) -> list[Check]:
    first = _look(events, clock)
    if not any(check.differences for check in first):
        return first
    progress("looking again at what differs")
    time.sleep(pause.total_seconds())
    return confirmed(first, _look(events, clock))


def _look(events: EventBooks | None, clock: Clock) -> list[Check]:
    now = clock()
    due = now - TIME_ALLOWED
    checks = [*compare_books(now=now, due=due), *compare_documents(due=due)]
    if events is not None:
        checks += events.compare(now=now, due=due)
    # Last: an event may be without its mark because its letter is named here.
    return [*checks, open_letters()]


def _wait_for_rest(
    events: EventBooks, clock: Clock, until: float, progress: Callable[[str], None]
) -> Unrest | None:
    """Returns what still moves when the time is over."""
    while True:
        began = time.monotonic()
        outbox = outbox_size()
        events.read_on(now=clock())
        open_orders = orders.unsettled(now=clock(), named=NAMED)
        unrest = Unrest(
            outbox=outbox,
            unsettled=open_orders.moving,
            numbers=open_orders.numbers,
            lag=events.lag(),
            not_begun=events.not_begun(),
        )
        if not unrest:
            return None
        if time.monotonic() >= until:
            return unrest
        progress(f"waiting: {unrest}")
        # A long backlog takes a while to look at; the shop has to come to it as well.
        time.sleep(max(POLL_SECONDS, time.monotonic() - began))


@contextmanager
def _patient_statements() -> Iterator[None]:
    """An audit of a large shop reads for longer than any request may."""
    for alias in aliases():
        with connections[alias].cursor() as cursor:
            cursor.execute("SET statement_timeout = '30min'")
    try:
        yield
    finally:
        for alias in aliases():
            with connections[alias].cursor() as cursor:
                cursor.execute("RESET statement_timeout")
