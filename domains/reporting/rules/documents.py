"""Compares what invoices and credit notes say with what they are about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from domains.reporting.rules.findings import Finding


@dataclass(frozen=True, kw_only=True, slots=True)
class Following:
    """A number, and the one before it in its series (0: none). is_counter: where the counter
    would go on."""

    series: str
    before: int
    after: int
    is_counter: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Documented:
    """What an order charges in the end, and what its documents come to (None: it has none).

    has_to_be: whether it must have some. changed_at: when something was last done to it.
    """

    subject: str
    currency: str
    charged_minor: int
    documented_minor: int | None
    has_to_be: bool
    changed_at: datetime


def number_findings(numbers: Iterable[Following]) -> Iterator[Finding]:
    """Gaps, and numbers that were used twice."""
    for row in numbers:
        if row.after != row.before + 1:
            # Several may be of one series, and each has to be seen twice.
            subject = f"series {row.series} after {row.before}"
            yield Finding(subject=subject, detail=_break(row))


def _break(row: Following) -> str:
    if row.is_counter:
        return f"the last number is {row.before}, the counter goes on with {row.after}"
    if row.after == row.before:
        return f"{row.after} was used twice"
    if row.after == row.before + 2:
        return f"{row.before + 1} is missing"
    return f"{row.before + 1} to {row.after - 1} are missing"


def document_findings(orders: Iterable[Documented], *, due: datetime) -> Iterator[Finding]:
    """What was done after `due` may not have come to be documented yet."""
    for order in orders:
        charged = f"{order.charged_minor} {order.currency} (minor units) charged and kept"
        if order.documented_minor is None:
            if not order.has_to_be:
                continue
            detail = f"{charged}, and no invoice"
        elif order.documented_minor != order.charged_minor:
            detail = f"{charged}, {order.documented_minor} documented"
        else:
            continue
        yield Finding(subject=order.subject, detail=detail, in_flight=order.changed_at > due)
