"""What waits for its next round, or for staff."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import Count

from domains.payments.models import (
    Payment,
    ReconciliationDifference,
)


def due_payments(
    now: datetime, *, limit: int, except_at: Collection[str] = ()
) -> list[tuple[UUID, str]]:
    """The id and the gateway of those that are due, what waits longest first."""
    due = Payment.objects.due(now).exclude(gateway__in=list(except_at))
    return list(due.values_list("id", "gateway")[:limit])


def open_differences() -> dict[tuple[str, str], int]:
    """How many differences to the books of gateways are open, by gateway and kind."""
    rows = ReconciliationDifference.objects.still_open().order_by().values("gateway", "kind")
    counted = rows.annotate(count=Count("id")).values_list("gateway", "kind", "count")
    return {(gateway, kind): count for gateway, kind, count in counted}


def payments_needing_attention() -> int:
    return Payment.objects.filter(needs_attention_at__isnull=False).count()
