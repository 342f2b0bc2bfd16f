"""Writes of the read models. Called by handlers only, within their transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from domains.reporting.models import SalesDay
from domains.reporting.rules.sales import Change, sales_of
from infrastructure.database.contexts import connection_of

# In the order of the key, so that two consumers during a rebalance cannot lock in a circle.
_ADD = """
INSERT INTO reporting_salesday AS s
    (day, currency, confirmed, rejected, cancelled, confirmed_minor, cancelled_minor)
SELECT * FROM unnest(
    %s::date[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]
) AS added (day, currency, confirmed, rejected, cancelled, confirmed_minor, cancelled_minor)
ORDER BY day, currency
ON CONFLICT (day, currency) DO UPDATE SET
    confirmed = s.confirmed + excluded.confirmed,
    rejected = s.rejected + excluded.rejected,
    cancelled = s.cancelled + excluded.cancelled,
    confirmed_minor = s.confirmed_minor + excluded.confirmed_minor,
    cancelled_minor = s.cancelled_minor + excluded.cancelled_minor
"""


def add_sales(*, changes: Iterable[Change]) -> None:
    """Add what these changes mean to the figures of their days. Not repeatable: the inbox is."""
    days = sales_of(changes)
    rows = [
        (
            day.day,
            day.currency,
            sales.confirmed,
            sales.rejected,
            sales.cancelled,
            sales.confirmed_minor,
            sales.cancelled_minor,
        )
        for day, sales in days.items()
    ]
    if rows:
        with connection_of("reporting").cursor() as cursor:
            cursor.execute(_ADD, [list(column) for column in zip(*rows, strict=True)])


def forget_sales(*, since: date | None, until: date | None) -> None:
    """Delete the figures of the days from `since` to before `until`; None is an open end."""
    days = SalesDay.objects.all()
    if since is not None:
        days = days.filter(day__gte=since)
    if until is not None:
        days = days.filter(day__lt=until)
    days.delete()
