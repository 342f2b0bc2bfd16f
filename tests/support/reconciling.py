"""Comparing the books with the gateway's, and damage to either."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from domains.payments import services
from domains.payments.models import Payment, ReconciliationDifference
from infrastructure import clock
from infrastructure.database.contexts import connection_of
from tests.support.factories import payments


def reconcile(since: datetime) -> services.Reconciliation:
    """As somebody would in an hour, when all is settled; nothing of before `since`."""
    later = clock.now() + timedelta(hours=1)
    return services.reconcile(gateway="simulated", since=since, until=later, now=later)


def found() -> list[tuple[str, str]]:
    rows = ReconciliationDifference.objects.still_open().order_by("kind")
    return list(rows.values_list("kind", "operation_kind"))


def captured(minor: int = 1_999) -> Payment:
    return payments.captured_payment(clock.now(), amount_minor=minor)


def authorisation_of(payment: Payment) -> str:
    return str(payment.operations[0].gateway_reference)


def damage(sql: str, *params: Any) -> None:
    with connection_of("payments").cursor() as cursor:
        cursor.execute(sql, params)
