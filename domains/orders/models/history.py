"""What happened to an order: who, why and when."""

from __future__ import annotations

from django.db import models

from domains.orders.rules.history import Kind
from infrastructure.aggregates import OwnedModel
from infrastructure.pii.fields import PersonalTextField


class OrderChange(OwnedModel):
    """One entry of an order's history. It is written with the change that it tells of, and the
    database refuses to change or delete it.

    position: from 1 for each order, without gaps.
    data: what the code leaves open, such as amounts and quantities. Nothing personal.
    text: what somebody wrote, which may be.
    """

    order = models.ForeignKey("orders.Order", on_delete=models.PROTECT, related_name="change_rows")
    position = models.PositiveIntegerField()
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=10, choices=[(k.value, k.value) for k in Kind])
    actor_id = models.UUIDField(null=True, blank=True)
    code = models.CharField(max_length=60)
    data = models.JSONField(default=dict, blank=True)
    text = PersonalTextField(blank=True, max_length=1000)

    class Meta:
        verbose_name = "change"
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["order", "position"], name="orders_change_position"),
        ]

    def __str__(self) -> str:
        return f"{self.position} {self.code}"
