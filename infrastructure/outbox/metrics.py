"""What the relay counts, and how far it is behind."""

from __future__ import annotations

import psycopg
from prometheus_client import Counter, Gauge

PUBLISHED = Counter("kontor_outbox_published", "Messages that Kafka acknowledged.", ["topic"])
OLDEST = Gauge("kontor_outbox_oldest_seconds", "Age of the oldest unsent message.", ["database"])
BACKLOG = Gauge(
    "kontor_outbox_backlog", "Unsent messages, counted up to a limit of 100,000.", ["database"]
)
PARKED = Gauge(
    "kontor_outbox_parked", "Messages that Kafka cannot take, and followers.", ["database"]
)
LEADING = Gauge("kontor_outbox_shards", "Shards that this relay leads.", ["database"])


def measure(session: psycopg.Connection, alias: str) -> None:
    row = session.execute(
        "SELECT (SELECT extract(epoch FROM now() - occurred_at)::float8 FROM platform_outboxmessage"
        "         ORDER BY id LIMIT 1),"
        " (SELECT count(*) FROM (SELECT 1 FROM platform_outboxmessage LIMIT 100000) AS counted),"
        " (SELECT count(*) FROM platform_parkedmessage)"
    ).fetchone()
    assert row is not None
    oldest, backlog, parked = row
    OLDEST.labels(alias).set(max(oldest or 0.0, 0.0))
    BACKLOG.labels(alias).set(backlog)
    PARKED.labels(alias).set(parked)
