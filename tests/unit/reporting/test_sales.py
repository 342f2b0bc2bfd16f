from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

from domains.reporting.rules.sales import Change, Day, Sales, sales_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def change(previous: str, status: str, total: int = 1000, at: datetime = NOON) -> Change:
    return Change(
        previous_status=previous, status=status, currency="GBP", total_minor=total, occurred_at=at
    )


def test_each_decision_counts_on_its_day() -> None:
    assert sales_of(
        [
            change("PENDING", "CONFIRMED", 1000),
            change("PENDING", "CONFIRMED", 250),
            change("PENDING", "REJECTED"),
            change("PENDING", "CANCELLED"),
        ]
    ) == {
        Day(date(2026, 3, 2), "GBP"): Sales(
            confirmed=2, rejected=1, cancelled=1, confirmed_minor=1250, cancelled_minor=0
        )
    }


def test_a_confirmed_order_that_is_cancelled_later_takes_its_value_back_on_that_later_day() -> None:
    next_day = NOON + timedelta(days=1)

    assert sales_of(
        [change("PENDING", "CONFIRMED"), change("CONFIRMED", "CANCELLED", at=next_day)]
    ) == {
        Day(date(2026, 3, 2), "GBP"): Sales(confirmed=1, confirmed_minor=1000),
        Day(date(2026, 3, 3), "GBP"): Sales(cancelled=1, cancelled_minor=1000),
    }


def test_the_day_is_the_one_in_utc() -> None:
    tokyo = datetime(2026, 3, 3, 1, tzinfo=timezone(timedelta(hours=9)))

    assert [*sales_of([change("PENDING", "CONFIRMED", at=tokyo)])] == [Day(date(2026, 3, 2), "GBP")]
