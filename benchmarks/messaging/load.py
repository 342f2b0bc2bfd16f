"""The events that the messaging benchmarks carry: 500 bytes of payload, 10,000 aggregates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from confluent_kafka.admin import AdminClient
from django.conf import settings
from django.db import connections

from infrastructure.events.event import Event, published
from infrastructure.events.subscriptions import subscribe
from infrastructure.kafka.client import client_settings

CONTEXT, ALIAS, TOPIC = "benchmarks", "default", "benchmark-events"
KEYS = 10_000


@published("benchmarks.thing_happened", topic=TOPIC)
@dataclass(frozen=True, kw_only=True, slots=True)
class ThingHappened(Event):
    thing_id: UUID
    amount_minor: int
    text: str


@subscribe(ThingHappened, batch=True)
def add_up(events: list[ThingHappened]) -> None:
    """A set-based effect: one upsert of the whole batch."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "INSERT INTO benchmark_effect AS e (thing_id, events, amount_minor)"
            " SELECT thing_id, count(*), sum(amount_minor)"
            " FROM unnest(%s::uuid[], %s::bigint[]) AS happened(thing_id, amount_minor)"
            " GROUP BY thing_id ORDER BY thing_id"
            " ON CONFLICT (thing_id) DO UPDATE SET events = e.events + excluded.events,"
            " amount_minor = e.amount_minor + excluded.amount_minor",
            [[event.thing_id for event in events], [event.amount_minor for event in events]],
        )


def prepare() -> None:
    """Topics and groups of this run alone, an empty outbox, and the effect's table."""
    prefix = f"bench-{uuid4().hex[:8]}."
    settings.KAFKA_TOPIC_PREFIX = settings.KAFKA_GROUP_PREFIX = prefix
    settings.ALIAS_OF_CONTEXT[CONTEXT] = ALIAS
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM platform_outboxmessage")
        if cursor.fetchone()[0]:
            raise SystemExit("The outbox is not empty: benchmarks need a database of their own.")
        cursor.execute("DROP TABLE IF EXISTS platform.benchmark_effect")
        cursor.execute(
            "CREATE TABLE platform.benchmark_effect"
            " (thing_id uuid PRIMARY KEY, events bigint, amount_minor bigint)"
        )


def clean_up() -> None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("DROP TABLE platform.benchmark_effect")
        cursor.execute("DELETE FROM platform_inboxmark WHERE handler = 'benchmarks.add_up'")
    connections.close_all()
    admin = AdminClient(client_settings())
    names = [
        name
        for name in admin.list_topics(timeout=10).topics
        if name.startswith(settings.KAFKA_TOPIC_PREFIX)
    ]
    for future in admin.delete_topics(names).values():
        future.result()


def fill_outbox(events: int) -> None:
    """Insert committed events, as one statement writes them."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO platform_outboxmessage (shard, event_id, topic, key, sequence, name,
                   event_version, occurred_at, correlation_id, causation_id, traceparent, payload)
            SELECT abs(hashtext(thing_id)) %% 12, gen_random_uuid(), %s, thing_id, n / %s + 1,
                   'benchmarks.thing_happened', 1, now(), gen_random_uuid(), '',
                   '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
                   json_build_object('thing_id', thing_id, 'amount_minor', n,
                                     'text', repeat('x', 410))
              FROM (SELECT n, md5((n %% %s)::text)::uuid::text AS thing_id
                      FROM generate_series(0, %s - 1) AS numbers(n)) AS things
            """,
            [TOPIC, KEYS, KEYS, events],
        )
        cursor.execute("ANALYZE platform_outboxmessage")


def outbox_rows() -> list[tuple[Any, ...]]:
    """Key and payload of what is in the outbox, for those who send it without a relay."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT key, payload FROM platform_outboxmessage ORDER BY id")
        return cursor.fetchall()


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
