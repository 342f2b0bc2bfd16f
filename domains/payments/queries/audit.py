"""What audits compare: every payment, its events and its journal, streaming."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce

from domains.payments.events import TOPIC
from domains.payments.models import JournalEntry, Operation, Payment
from domains.payments.rules.methods import TAKING_RECEIPTS
from domains.payments.rules.operations import TAKING, WAITING, OperationKind, OperationState
from domains.payments.rules.statuses import PaymentStatus

_CHUNK = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentAudit:
    payment_id: UUID
    reference: str
    status: PaymentStatus
    method: str
    gateway: str
    amount_minor: int
    authorised_minor: int
    captured_minor: int
    currency: str
    needs_attention: bool
    waits_until: datetime | None = None
    refunded_minor: int = 0
    released_minor: int = 0
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalDifference:
    """A payment whose three ways of counting do not agree on what was taken, or on what was given
    back. what: `captured` or `refunded`."""

    payment_id: UUID
    what: str
    currency: str
    counter_minor: int
    journal_minor: int
    operations_minor: int


def payment_audit() -> Iterator[PaymentAudit]:
    """Every payment, by id, streaming. One that never began is VOIDED with an amount of 0."""
    rows = (
        Payment.objects.annotate(
            waiting_operations=Count("operation_rows", filter=Q(operation_rows__state__in=WAITING))
        )
        .order_by("id")
        .values_list(
            "id",
            "reference",
            "status",
            "method",
            "gateway",
            "amount_minor",
            "authorised_minor",
            "captured_minor",
            "currency",
            "needs_attention_at",
            "created_at",
            "waiting_operations",
            "deadline_at",
            "refunded_minor",
            "released_minor",
        )
    )
    for row in rows.iterator(chunk_size=_CHUNK):
        yield PaymentAudit(
            payment_id=row[0],
            reference=row[1],
            status=PaymentStatus(row[2]),
            method=row[3],
            gateway=row[4],
            amount_minor=row[5],
            authorised_minor=row[6],
            captured_minor=row[7],
            currency=row[8],
            needs_attention=row[9] is not None,
            created_at=row[10],
            waits_until=row[12] if row[11] else None,
            refunded_minor=row[13],
            released_minor=row[14],
        )


def event_counts() -> Iterator[tuple[UUID, str, int]]:
    """(payment id, topic, number of events it has recorded), by id, streaming."""
    rows = Payment.objects.order_by("id").values_list("id", "events_recorded")
    for payment_id, events_recorded in rows.iterator(chunk_size=_CHUNK):
        yield payment_id, TOPIC, events_recorded


def journal_differences() -> Iterator[JournalDifference]:
    """Payments where a counter, the journal and the succeeded operations differ, by id. Of the
    journal counts what is between customers and where this payment's money comes to."""
    accounts = JournalEntry.Account
    rows = (
        Payment.objects.annotate(
            money_account=Case(
                When(method__in=TAKING_RECEIPTS, then=Value(accounts.BANK)),
                default=Value(accounts.GATEWAY),
            ),
            taken_booked=_booked(
                debit_account=OuterRef("money_account"), credit_account=accounts.CUSTOMERS
            ),
            taken=_succeeded(*TAKING),
            returned_booked=_booked(
                debit_account=accounts.CUSTOMERS, credit_account=OuterRef("money_account")
            ),
            returned=_succeeded(OperationKind.REFUND),
        )
        .exclude(
            captured_minor=F("taken_booked"),
            taken_booked=F("taken"),
            refunded_minor=F("returned_booked"),
            returned_booked=F("returned"),
        )
        .order_by("id")
    )
    for row in rows.iterator(chunk_size=_CHUNK):
        for what, counted in (
            ("captured", (row.captured_minor, row.taken_booked, row.taken)),
            ("refunded", (row.refunded_minor, row.returned_booked, row.returned)),
        ):
            if len(set(counted)) > 1:
                counter, journal, operations = counted
                yield JournalDifference(
                    payment_id=row.id,
                    what=what,
                    currency=row.currency,
                    counter_minor=counter,
                    journal_minor=journal,
                    operations_minor=operations,
                )


def _booked(**accounts: Any) -> Coalesce:
    return _sum_of(JournalEntry.objects.filter(currency=OuterRef("currency"), **accounts))


def _succeeded(*kinds: OperationKind) -> Coalesce:
    return _sum_of(Operation.objects.filter(kind__in=kinds, state=OperationState.SUCCEEDED))


def _sum_of(rows: QuerySet) -> Coalesce:
    totals = rows.filter(payment=OuterRef("pk")).order_by().values("payment")
    return Coalesce(Subquery(totals.annotate(total=Sum("amount_minor")).values("total")), 0)
