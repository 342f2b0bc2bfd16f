"""What `price_sql` tells of entries and lists, read back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from domains.products.rules.asked_prices import Past, over_time, reduction_asked
from domains.products.rules.price_lists import ListTerms
from domains.products.rules.prices import Entry, Reduction


def reduction_of(
    rows: Sequence[Any],
    *,
    currency: str,
    channel: str | None,
    customer_group: str | None,
    now: datetime,
) -> Reduction | None:
    """The reduction of the price that is marked among all of a variant."""
    pasts = [_past(entries, terms, currency) for _, entries, terms in rows]
    [own] = [past for (is_own, *_), past in zip(rows, pasts, strict=True) if is_own]
    return reduction_asked(own, pasts, channel=channel, customer_group=customer_group, now=now)


def entry_of(
    number: int, kind: str, min_quantity: int, amount: int, start: str, *ends: str | None
) -> Entry:
    until_at, ended_at = map(instant_of, ends)
    from_at = datetime.fromisoformat(start)
    return Entry(number, kind, min_quantity, amount, from_at, until_at, ended_at)


def instant_of(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _past(entries: Sequence[Any], terms: Sequence[Any] | None, currency: str) -> Past:
    facts = [entry_of(*values) for values in entries]
    if terms is None:
        return Past(facts)
    list_id, code, priority, channel, customer_group, start, end, active, former = terms
    present = ListTerms(
        id=UUID(list_id),
        code=code,
        currency=currency,
        priority=priority,
        channel=channel,
        customer_group=customer_group or None,
        valid_from=instant_of(start),
        valid_until=instant_of(end),
        active=active,
    )
    return Past(facts, over_time(former, present))
