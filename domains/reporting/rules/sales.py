"""What a change of an order's status means for the sales of its day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple


class Day(NamedTuple):
    """A day in UTC, and the currency that was sold in."""

    day: date
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """An order's status changed, or something beside it: then the status is the previous one."""

    previous_status: str
    status: str
    currency: str
    total_minor: int
    occurred_at: datetime
    total_change_minor: int = 0


@dataclass(kw_only=True, slots=True)
class Sales:
    """Every number counts what happened on that day, whenever the order was placed.

    cancelled counts all cancelled orders; cancelled_minor is the value of those that had been
    confirmed before, on whatever day. So confirmed_minor - cancelled_minor is the net turnover.
    """

    confirmed: int = 0
    rejected: int = 0
    cancelled: int = 0
    confirmed_minor: int = 0
    cancelled_minor: int = 0


def sales_of(changes: Iterable[Change]) -> dict[Day, Sales]:
    """What these changes add to the sales of their days."""
    days: dict[Day, Sales] = {}
    for change in changes:
        day = Day(change.occurred_at.astimezone(UTC).date(), change.currency)
        sales = days.setdefault(day, Sales())
        if change.status == change.previous_status:
            # What became cheaper or dearer after it was sold.
            sales.confirmed_minor += change.total_change_minor
        elif change.status == "CONFIRMED":
            sales.confirmed += 1
            sales.confirmed_minor += change.total_minor
        elif change.status == "REJECTED":
            sales.rejected += 1
        elif change.status == "CANCELLED":
            sales.cancelled += 1
            if change.previous_status == "CONFIRMED":
                sales.cancelled_minor += change.total_minor
    return days
