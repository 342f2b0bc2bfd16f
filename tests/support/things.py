"""A context of the tests' own: two kinds of events, handlers of every kind, a table of effects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connections

from infrastructure.errors import Transient
from infrastructure.events.bus import caused_by
from infrastructure.events.codec import upcaster
from infrastructure.events.event import Event, published
from infrastructure.events.subscriptions import clears, subscribe
from infrastructure.observability import correlation
from infrastructure.observability.correlation import Correlation

CONTEXT = "tests"
ALIAS = "default"
TOPIC = "tests-events"
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

# Texts of events that `record` cannot stand, and texts that it can stand after so many attempts.
POISON: set[str] = set()
PASSING: dict[str, int] = {}
# Held by a test, it keeps `record` inside its transaction at an event with the text "slow".
DOOR = 4711
SEEN_WITHOUT_TRANSACTION: list[bool] = []
SEEN_CAUSES: list[Correlation] = []


@published("tests.thing_happened", topic=TOPIC, version=2)
@dataclass(frozen=True, kw_only=True, slots=True)
class ThingHappened(Event):
    thing_id: UUID
    number: int
    text: str = ""


@published("tests.thing_ignored", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class ThingIgnored(Event):
    thing_id: UUID


@upcaster("tests.thing_happened", version=1)
def count_became_number(payload: dict[str, Any]) -> dict[str, Any]:
    payload["number"] = payload.pop("count")
    return payload


@subscribe(ThingHappened)
def record(event: ThingHappened) -> None:
    SEEN_CAUSES.append(correlation.current())
    write_effect("record", [event])
    fail_if_told(event)
    if event.text == "slow":
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [DOOR])


@subscribe(ThingHappened, batch=True, rebuildable=True, ordered=False)
def record_batch(events: list[ThingHappened]) -> None:
    write_effect("record_batch", events)
    for event in events:
        with caused_by(event):
            SEEN_CAUSES.append(correlation.current())


@subscribe(ThingHappened, idempotent=True)
def record_outside(event: ThingHappened) -> None:
    SEEN_WITHOUT_TRANSACTION.append(not connections[ALIAS].in_atomic_block)
    write_effect("record_outside", [event])


@clears(record_batch)
def clear_batches(since: datetime | None, until: datetime | None) -> None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "DELETE FROM tests_effect WHERE handler = 'record_batch'"
            " AND occurred_at >= coalesce(%s::timestamptz, '-infinity')"
            " AND occurred_at < coalesce(%s::timestamptz, 'infinity')",
            [since, until],
        )


def fail_if_told(event: ThingHappened) -> None:
    if event.text in POISON:
        raise ValueError(f"cannot stand {event.text}")
    if PASSING.get(event.text, 0) > 0:
        PASSING[event.text] -= 1
        raise Transient(f"{event.text} will pass")


def write_effect(handler: str, events: Iterable[ThingHappened]) -> None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "INSERT INTO tests_effect (handler, event_id, thing_id, number, occurred_at)"
            " SELECT %s, * FROM unnest(%s::uuid[], %s::uuid[], %s::int[], %s::timestamptz[])",
            [
                handler,
                [event.event_id for event in events],
                [event.thing_id for event in events],
                [event.number for event in events],
                [event.occurred_at for event in events],
            ],
        )


def install() -> None:
    """Let the context live in the default database."""
    settings.ALIAS_OF_CONTEXT[CONTEXT] = ALIAS


def uninstall() -> None:
    del settings.ALIAS_OF_CONTEXT[CONTEXT]


def create_table() -> None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "CREATE TABLE platform.tests_effect (id bigserial, handler text, event_id uuid,"
            " thing_id uuid, number int, occurred_at timestamptz)"
        )


def drop_table() -> None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS platform.tests_effect")


def effects(handler: str, thing_id: UUID | None = None) -> list[int]:
    """The numbers that a handler has recorded, in the order of its doing so."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT number FROM tests_effect WHERE handler = %s"
            " AND (%s::uuid IS NULL OR thing_id = %s::uuid) ORDER BY id",
            [handler, thing_id, thing_id],
        )
        return [number for (number,) in cursor.fetchall()]
