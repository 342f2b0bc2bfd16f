"""Invoices and credit notes, as orders tell of them, in the words of the audit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from domains.orders import public as orders
from domains.reporting.rules import documents
from domains.reporting.rules.findings import Check, Finding


def compare_documents(*, due: datetime) -> list[Check]:
    """Their numbers, and what they add up to. What was done after `due` is in flight: documents
    are made by the consumer of events."""
    numbers = Check(
        name="document numbers", about="invoices, credit notes: one number after another"
    )
    numbers.take_all(documents.number_findings(numbers.count(_numbers())))
    sums = Check(name="documents", about="orders: invoices − credit notes = charged − given back")
    sums.take_all(documents.document_findings(sums.count(_orders()), due=due))
    sums.take_all(
        Finding(
            subject=f"document {row.number}",
            detail=f"says {row.gross_minor} with {row.tax_minor} tax (minor units), its lines"
            f" {row.lines_gross_minor} with {row.lines_tax_minor}",
        )
        for row in orders.document_sums()
    )
    return [numbers, sums]


def _numbers() -> Iterator[documents.Following]:
    for row in orders.document_numbers():
        yield documents.Following(
            series=row.series, before=row.before, after=row.sequence, is_counter=row.is_counter
        )


def _orders() -> Iterator[documents.Documented]:
    for row in orders.documented_orders():
        yield documents.Documented(
            subject=f"order {row.number} {row.order_id}",
            currency=row.currency,
            charged_minor=row.charged_minor,
            documented_minor=row.documented_minor,
            has_to_be=row.has_to_be,
            changed_at=row.changed_at,
        )
