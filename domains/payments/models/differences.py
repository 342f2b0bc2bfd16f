"""Where a gateway's books and ours do not say the same."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Greatest

from domains.payments.models.operations import choices_of
from domains.payments.rules.differences import DifferenceKind
from domains.payments.rules.operations import OperationKind
from infrastructure.ids import new_id


class DifferenceQuerySet(models.QuerySet[Any]):
    def still_open(self) -> Self:
        return self.filter(closed_at__isnull=True)

    def report(self, found: ReconciliationDifference) -> bool:
        """Write a difference down, once however often it is seen. Returns whether it is open.

        One that staff closed stays closed; one that had gone by itself is open again.
        """
        facts = {name: getattr(found, name) for name in _FACTS}
        row, is_new = self.get_or_create(
            gateway=found.gateway,
            kind=found.kind,
            subject=found.subject,
            defaults={
                **facts,
                "first_seen_at": found.last_seen_at,
                "last_seen_at": found.last_seen_at,
            },
        )
        if not is_new:
            seen = self.filter(pk=row.pk)
            # A comparison that began earlier may come later: what was seen last is not forgotten.
            seen.update(last_seen_at=Greatest(F("last_seen_at"), found.last_seen_at))
            unsettled = seen.filter(closed_by__isnull=True)
            return bool(unsettled.update(**facts, closed_at=None, resolution=""))
        return True

    def close_gone(self, *, gateway: str, since: datetime, until: datetime, now: datetime) -> int:
        """Close what a comparison of this window has not seen any more."""
        gone = self.still_open().filter(gateway=gateway, at__gte=since, at__lt=until)
        return (
            gone.exclude(kind=DifferenceKind.DISPUTE)
            .filter(last_seen_at__lt=now)
            .update(closed_at=now, resolution="gone")
        )


class ReconciliationDifference(models.Model):
    """Something that we, or the gateway, have otherwise, or not at all. The subject is our key, or
    else the gateway's own name for it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    gateway = models.CharField(max_length=20)
    kind = models.CharField(max_length=20, choices=choices_of(DifferenceKind))
    subject = models.CharField(max_length=300)
    operation_kind = models.CharField(max_length=10, choices=choices_of(OperationKind))
    operation_id = models.UUIDField(null=True)
    payment_id = models.UUIDField(null=True)
    gateway_reference = models.CharField(max_length=255, default="")
    authorisation = models.CharField(max_length=255, default="")
    our_state = models.CharField(max_length=16, default="")
    our_amount_minor = models.BigIntegerField(null=True)
    our_currency = models.CharField(max_length=3, default="")
    their_state = models.CharField(max_length=40, default="")
    their_amount_minor = models.BigIntegerField(null=True)
    their_amount_is_total = models.BooleanField(
        default=False, help_text="Their amount is all that was captured by then."
    )
    their_currency = models.CharField(max_length=3, default="")
    at = models.DateTimeField(help_text="When it was done, as whoever has it says.")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.UUIDField(null=True, help_text="Who settled it, if somebody did.")
    resolution = models.CharField(max_length=200, default="")

    objects = DifferenceQuerySet.as_manager()

    class Meta:
        ordering = ["-first_seen_at"]
        constraints = [
            models.UniqueConstraint(
                name="difference_reported_once", fields=["gateway", "kind", "subject"]
            ),
        ]
        indexes = [
            models.Index(
                fields=["gateway", "at"], name="difference_open", condition=Q(closed_at=None)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.operation_kind} {self.subject}"


class Comparison(models.Model):
    """When the books of a gateway were last compared with ours, all of them."""

    gateway = models.CharField(max_length=20, primary_key=True)
    finished_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.gateway


# What may be told better the next time.
_FACTS = (
    "operation_kind",
    "operation_id",
    "payment_id",
    "gateway_reference",
    "authorisation",
    "our_state",
    "our_amount_minor",
    "our_currency",
    "their_state",
    "their_amount_minor",
    "their_amount_is_total",
    "their_currency",
    "at",
)
