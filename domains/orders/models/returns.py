"""Goods that come back from a customer."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from domains.orders.rules.history import Kind
from domains.orders.rules.steps import OPEN_RETURNS, ReturnState
from infrastructure.aggregates import OwnedModel


class Return(OwnedModel):
    """REQUESTED → APPROVED or REFUSED → RECEIVED, when the goods were looked at → REFUNDED, or
    REFUSED where nothing is to be given back for what came.

    The goods are put on a shelf under this id, so that is done once.
    """

    order = models.ForeignKey("orders.Order", on_delete=models.PROTECT, related_name="return_rows")
    state = models.CharField(max_length=9, choices=[(s.value, s.value) for s in ReturnState])
    reason = models.CharField(max_length=60, blank=True)
    actor_kind = models.CharField(max_length=10, choices=[(k.value, k.value) for k in Kind])
    actor_id = models.UUIDField(null=True, blank=True)
    decided_by = models.UUIDField(null=True, blank=True)
    decision_reason = models.CharField(max_length=60, blank=True)
    warehouse = models.CharField(max_length=40, blank=True)
    refunded_minor = models.BigIntegerField(default=0)
    requested_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "return"
        ordering = ["requested_at", "id"]

    def __str__(self) -> str:
        return f"{self.state} {self.id}"

    @property
    def is_open(self) -> bool:
        """Whether it may still bring something back."""
        return self.state in OPEN_RETURNS


class ReturnLine(OwnedModel):
    """So many of one of the order's lines, and what they were found to be.

    missing: announced, and not in the parcel.
    """

    order = models.ForeignKey(
        "orders.Order", on_delete=models.PROTECT, related_name="return_line_rows"
    )
    returned_with = models.ForeignKey(Return, on_delete=models.PROTECT, related_name="line_rows")
    line = models.ForeignKey("orders.OrderLine", on_delete=models.PROTECT, related_name="+")
    quantity = models.BigIntegerField()
    restocked = models.BigIntegerField(default=0)
    damaged = models.BigIntegerField(default=0)
    missing = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = "line of a return"
        constraints = [
            models.UniqueConstraint(
                fields=["returned_with", "line"], name="orders_return_line_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    quantity__gt=0,
                    restocked__gte=0,
                    damaged__gte=0,
                    missing__gte=0,
                    quantity__gte=F("restocked") + F("damaged") + F("missing"),
                ),
                name="orders_return_line_fits",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.line_id}"

    @property
    def received(self) -> int:
        return self.restocked + self.damaged
