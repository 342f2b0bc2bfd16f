"""What the audit of the books reads: everything, streamed in the order of its ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from domains.pricing.events import TOPIC
from infrastructure.database.contexts import connection_of


@dataclass(frozen=True, kw_only=True, slots=True)
class UseAudit:
    """One counter beside what it must be equal to, read at one moment.

    told: the coupon's code or the promotion's name, and whether it is a customer's own counter.
    used: what it says. kept: the redemptions in it that were not given back.
    """

    told: str
    used: int
    kept: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RedemptionAudit:
    """What an order keeps in use. uses: promotions, with the coupon that brought each, "" for
    none."""

    order_id: UUID
    redeemed_at: datetime
    uses: frozenset[tuple[UUID, str]]


# Every counter, and what should be one and is none.
_USES = """
WITH kept AS (
    SELECT u.owner_id, r.customer_key, u.per_customer
    FROM pricing_redemptionuse u
    JOIN pricing_redemption r ON r.id = u.redemption_id
    WHERE r.status = 'REDEEMED'
), everybody AS (
    SELECT owner_id, count(*)::int AS n FROM kept GROUP BY owner_id
), each AS (
    SELECT owner_id, customer_key, count(*)::int AS n
    FROM kept WHERE per_customer GROUP BY owner_id, customer_key
), counted AS (
    SELECT owner_id, false AS customer, coalesce(t.used, 0) AS used, coalesce(k.n, 0) AS kept
    FROM pricing_tally t FULL JOIN everybody k USING (owner_id)
    UNION ALL
    SELECT owner_id, true, coalesce(t.used, 0), coalesce(k.n, 0)
    FROM pricing_customertally t FULL JOIN each k USING (owner_id, customer_key)
)
SELECT coalesce('coupon ' || c.code, 'promotion ' || p.name, 'nothing ' || counted.owner_id),
    counted.customer, counted.used, counted.kept
FROM counted
LEFT JOIN pricing_coupon c ON c.id = counted.owner_id
LEFT JOIN pricing_promotion p ON p.id = counted.owner_id
ORDER BY counted.owner_id, counted.customer
"""


def use_audit() -> Iterator[UseAudit]:
    """Every counter of uses, the customers' ones last within each."""
    for subject, customer, used, kept in _stream(_USES):
        told = f"{subject}, one customer" if customer else subject
        yield UseAudit(told=told, used=used, kept=kept)


def active_redemptions() -> Iterator[RedemptionAudit]:
    """Every redemption that was not given back, ordered by id."""
    rows = _stream("""
        SELECT r.id, extract(epoch FROM r.redeemed_at)::float8, u.promotion_id, u.coupon
        FROM pricing_redemption r
        LEFT JOIN pricing_redemptionuse u ON u.redemption_id = r.id
        WHERE r.status = 'REDEEMED'
        ORDER BY r.id
    """)
    for order_id, found in groupby(rows, itemgetter(0)):
        uses = list(found)
        yield RedemptionAudit(
            order_id=order_id,
            redeemed_at=datetime.fromtimestamp(uses[0][1], UTC),
            uses=frozenset((promotion, coupon) for *_, promotion, coupon in uses if promotion),
        )


def event_counts() -> Iterator[tuple[UUID, str, int]]:
    """Every aggregate that published something: its id, its topic, how many events it recorded."""
    for row_id, recorded in _stream("""
        SELECT id, events_recorded FROM pricing_promotion WHERE events_recorded > 0
        UNION ALL
        SELECT id, events_recorded FROM pricing_redemption WHERE events_recorded > 0
        ORDER BY id
    """):
        yield row_id, TOPIC, recorded


def _stream(sql: str) -> Iterator[tuple[Any, ...]]:
    # A server-side cursor: an audit reads many rows and must not hold them.
    with connection_of("pricing").chunked_cursor() as cursor:
        cursor.execute(sql)
        while rows := cursor.fetchmany(2000):
            yield from rows
