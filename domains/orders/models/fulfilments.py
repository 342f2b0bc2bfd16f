"""Goods that left for an order."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from infrastructure.aggregates import OwnedModel


class Fulfilment(OwnedModel):
    """One parcel, or whatever left at once. Its id is that of the step that sent it."""

    order = models.ForeignKey(
        "orders.Order", on_delete=models.PROTECT, related_name="fulfilment_rows"
    )
    warehouse = models.CharField(max_length=40)
    carrier = models.CharField(max_length=60, blank=True)
    tracking_number = models.CharField(max_length=100, blank=True)
    tracking_url = models.CharField(max_length=500, blank=True)
    captured_minor = models.BigIntegerField(default=0)
    actor_id = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "fulfilment"
        ordering = ["created_at", "id"]
        indexes = [
            models.Index(
                fields=["tracking_number"],
                name="orders_fulfilments_tracked",
                condition=~Q(tracking_number=""),
            )
        ]

    def __str__(self) -> str:
        return self.tracking_number or str(self.id)


class FulfilmentLine(OwnedModel):
    """So many of one of the order's lines."""

    order = models.ForeignKey(
        "orders.Order", on_delete=models.PROTECT, related_name="fulfilment_line_rows"
    )
    fulfilment = models.ForeignKey(Fulfilment, on_delete=models.PROTECT, related_name="line_rows")
    line = models.ForeignKey("orders.OrderLine", on_delete=models.PROTECT, related_name="+")
    quantity = models.BigIntegerField()

    class Meta:
        verbose_name = "line of a fulfilment"
        constraints = [
            models.UniqueConstraint(
                fields=["fulfilment", "line"], name="orders_fulfilment_line_once"
            ),
            models.CheckConstraint(
                condition=Q(quantity__gt=0), name="orders_fulfilment_line_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.line_id}"
