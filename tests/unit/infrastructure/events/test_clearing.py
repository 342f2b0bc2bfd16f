"""What is counted by day is cleared, and so replayed, by whole days only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from infrastructure.events.subscriptions import CLEARS, Clear, NotWholeDays, clears_days

Range = tuple[date | None, date | None]

HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2026, 3, 5, tzinfo=UTC)
PARIS = timezone(HOUR)


def count_by_day(_: object) -> None: ...


@pytest.fixture
def cleared() -> list[Range]:
    return []


@pytest.fixture
def clear(cleared: list[Range]) -> Iterator[Clear]:
    """What a replay calls."""
    known = set(CLEARS)

    @clears_days(count_by_day)
    def forget(since: date | None, until: date | None) -> None:
        cleared.append((since, until))

    [added] = set(CLEARS) - known
    assert CLEARS[added] == ("tests.count_by_day",)
    yield added
    del CLEARS[added]


@pytest.mark.parametrize(
    ("since", "until", "days"),
    [
        (None, None, (None, None)),
        (MIDNIGHT, None, (date(2026, 3, 5), None)),
        (None, MIDNIGHT, (None, date(2026, 3, 5))),
        (MIDNIGHT.replace(tzinfo=PARIS) + HOUR, None, (date(2026, 3, 5), None)),
        (MIDNIGHT.astimezone(timezone(-HOUR)), None, (date(2026, 3, 5), None)),
    ],
)
def test_days_are_those_of_utc(
    clear: Clear,
    cleared: list[Range],
    since: datetime | None,
    until: datetime | None,
    days: Range,
) -> None:
    clear(since, until)
    assert cleared == [days]


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (MIDNIGHT + 12 * HOUR, None),
        (None, MIDNIGHT + 12 * HOUR),
        (MIDNIGHT, MIDNIGHT + timedelta(microseconds=1)),
        (MIDNIGHT.replace(tzinfo=PARIS), None),
    ],
)
def test_a_range_that_begins_or_ends_within_a_day_is_refused(
    clear: Clear, cleared: list[Range], since: datetime | None, until: datetime | None
) -> None:
    with pytest.raises(NotWholeDays, match="is within a day"):
        clear(since, until)
    assert cleared == []
