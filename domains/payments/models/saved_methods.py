"""Means of payment that a gateway keeps for a customer."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db import models
from django.db.models import Q

from domains.payments.rules.gateways import KeptMethod
from infrastructure.ids import new_id


class SavedMethodQuerySet(models.QuerySet[Any]):
    def of(self, customer_id: UUID) -> Self:
        """Those that the customer still wants to have kept."""
        return self.filter(customer_id=customer_id, deleted_at=None)

    def to_forget(self, *, limit: int) -> Self:
        """Those that the gateway still has to let go."""
        return self.filter(deleted_at__isnull=False).order_by("deleted_at")[:limit]


class SavedMethod(models.Model):
    """The gateway's token, and what it tells of the card so that the customer knows it again. The
    card is the gateway's: its number never comes here.

    deleted_at: the customer let go of it. The row stays until the gateway has done so too.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    customer_id = models.UUIDField()
    gateway = models.CharField(max_length=20)
    token = models.CharField(max_length=255)
    brand = models.CharField(max_length=30)
    last4 = models.CharField(max_length=4)
    expiry_month = models.PositiveSmallIntegerField()
    expiry_year = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True)

    objects = SavedMethodQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(name="saved_method_once", fields=["gateway", "token"]),
            models.CheckConstraint(
                name="saved_method_has_no_card_number", condition=Q(last4__regex=r"^[0-9]{4}$")
            ),
        ]
        indexes = [
            models.Index(
                fields=["customer_id", "-id"],
                name="saved_method_of_customer",
                condition=Q(deleted_at=None),
            ),
            models.Index(
                fields=["deleted_at"],
                name="saved_method_to_forget",
                condition=Q(deleted_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand} {self.last4}"

    @classmethod
    def kept(cls, method: KeptMethod, *, customer_id: UUID, gateway: str, now: datetime) -> Self:
        return cls(
            customer_id=customer_id,
            gateway=gateway,
            token=method.token,
            brand=method.brand,
            last4=method.last4,
            expiry_month=method.expiry_month,
            expiry_year=method.expiry_year,
            created_at=now,
        )
