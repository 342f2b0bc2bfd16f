"""What an order is about."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from infrastructure.aggregates import OwnedModel


class OrderLine(OwnedModel):
    """A line as it was ordered, at the prices of that time, and what became of it.

    Amounts are of the whole line, in minor units. subtotal: quantity times unit price, as
    advertised; amount: what is paid for it, after discount, tax included.
    quantity stays what was ordered; cancelled, fulfilled and returned count parts of it. What is
    shown of a line are the amounts of what stands of it: rules.steps.amounts_standing.
    """

    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, related_name="line_rows")
    position = models.PositiveIntegerField()
    product_id = models.UUIDField()
    variant_id = models.UUIDField()
    sku = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    note = models.TextField(blank=True)
    weight_g = models.BigIntegerField(default=0)
    quantity = models.BigIntegerField()
    cancelled = models.BigIntegerField(default=0)
    fulfilled = models.BigIntegerField(default=0)
    returned = models.BigIntegerField(default=0)
    unit_price_minor = models.BigIntegerField()
    subtotal_minor = models.BigIntegerField()
    discount_minor = models.BigIntegerField(default=0)
    tax_class = models.CharField(max_length=40, blank=True)
    # In per cent, as it was quoted: "20" or "5.5".
    tax_rate = models.CharField(max_length=12, default="0")
    tax_minor = models.BigIntegerField(default=0)
    amount_minor = models.BigIntegerField()
    refunded_minor = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = "line"
        ordering = ["position"]
        indexes = [models.Index(fields=["sku", "order"], name="orders_lines_of_sku")]
        constraints = [
            models.UniqueConstraint(fields=["order", "position"], name="orders_line_position"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0), name="orders_line_quantity_positive"
            ),
            models.CheckConstraint(
                condition=Q(
                    cancelled__gte=0,
                    fulfilled__gte=0,
                    returned__gte=0,
                    returned__lte=F("fulfilled"),
                    quantity__gte=F("cancelled") + F("fulfilled"),
                ),
                name="orders_line_parts_fit",
            ),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0, refunded_minor__lte=F("amount_minor")),
                name="orders_line_refund_fits",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"

    @property
    def standing(self) -> int:
        """How many of it are wanted still: ordered and not cancelled."""
        return self.quantity - self.cancelled

    @property
    def open(self) -> int:
        """How many of it are still to be sent."""
        return self.quantity - self.cancelled - self.fulfilled
