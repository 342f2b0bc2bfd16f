"""Made up histories of prices, by the day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from domains.products.rules.prices import (
    Entry,
    Kind,
    price_at,
)

START = datetime(2026, 3, 2, tzinfo=UTC)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def regular(amount: int, start: float, until: float | None = None, **more: Any) -> Entry:
    return entry(Kind.REGULAR, amount, start, until, **more)


def sale(amount: int, start: float, until: float | None = None, **more: Any) -> Entry:
    return entry(Kind.SALE, amount, start, until, **more)


def entry(
    kind: str,
    amount: int,
    start: float,
    until: float | None,
    *,
    number: int = 1,
    min_quantity: int = 1,
    ended: float | None = None,
) -> Entry:
    return Entry(
        number=number,
        kind=kind,
        min_quantity=min_quantity,
        amount_minor=amount,
        from_at=day(start),
        until_at=None if until is None else day(until),
        ended_at=None if ended is None else day(ended),
    )


def amounts(entries: Sequence[Entry], quantity: int, *days: float) -> list[int | None]:
    found = [price_at(entries, quantity, day(number)) for number in days]
    return [None if applied is None else applied.amount_minor for applied in found]


instants = st.integers(-60, 60)

entries_of_a_price = st.lists(
    st.builds(
        lambda kind, amount, quantity, start, lasts, ended: (
            kind,
            amount,
            quantity,
            start,
            lasts,
            ended,
        ),
        st.sampled_from(list(Kind)),
        st.integers(0, 30),
        st.sampled_from([1, 1, 5, 10]),
        instants,
        st.none() | st.integers(1, 40),
        st.none() | instants,
    ),
    max_size=8,
).map(
    lambda rows: [
        Entry(
            number=number,
            kind=kind,
            min_quantity=quantity,
            amount_minor=amount,
            from_at=day(start),
            until_at=None if lasts is None else day(start + lasts),
            ended_at=None if ended is None else day(ended),
        )
        for number, (kind, amount, quantity, start, lasts, ended) in enumerate(rows, start=1)
    ]
)
