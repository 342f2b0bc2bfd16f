"""What is held for one order or one cart."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import models

from domains.products.errors import NotHeld
from domains.products.models.barred_changes import BarredChange
from domains.products.models.holding_changes import OrderHoldQuerySet
from domains.products.models.stock import StockItem
from domains.products.rules.stock import Holder
from infrastructure.aggregates import AggregateRoot, Owned, OwnedModel


class Reservation(AggregateRoot):
    """What is held for one order or one cart; its id is the order's or the cart's.

    An order's is held once and released once; in between the order may change what is held. It
    does not expire by the clock: it ends by a decision, and is the allocation until fulfilment. A
    released row stays for ever, so that nothing can be held for an order that has ended. A cart's
    may be held again and again.
    """

    class Status(models.TextChoices):
        HELD = "HELD"
        RELEASED = "RELEASED"
        FULFILLED = "FULFILLED"

    id = models.UUIDField(primary_key=True)
    holder = models.CharField(max_length=5)
    status = models.CharField(max_length=9, choices=Status)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    released_at = models.DateTimeField(null=True)

    lines = Owned("line_rows")

    objects = OrderHoldQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(holder=Holder.ORDER.value) | models.Q(holder=Holder.CART.value),
                name="products_reservation_holder",
            ),
            models.CheckConstraint(
                condition=models.Q(holder="cart", status="HELD", expires_at__isnull=False)
                | (~models.Q(holder="cart", status="HELD") & models.Q(expires_at__isnull=True)),
                name="products_reservation_expires",
            ),
        ]
        indexes = [
            # Orders' holds are not in it, and cost nothing.
            models.Index(
                fields=["expires_at"],
                name="products_reservation_due",
                condition=models.Q(status="HELD", expires_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.status} for {self.holder} {self.id}"

    # Commands

    def fulfil(self, quantities: Mapping[UUID, int]) -> None:
        """So much of each variant leaves. Called with the stock rows locked. Raises NotHeld."""
        held = {line.stock_item_id: line for line in self.lines}
        for variant_id, quantity in quantities.items():
            line = held.get(variant_id)
            if self.status != self.Status.HELD or line is None or line.quantity < quantity:
                raise NotHeld(f"{quantity} of {variant_id} are not held for order {self.id}.")
            line.quantity -= quantity
        self.lines = [line for line in self.lines if line.quantity]
        if not self.lines:
            self.status = self.Status.FULFILLED

    def bar(self, change_id: UUID, *, refusal: str, now: datetime) -> None:
        """No goods of the order move under this id any more."""
        self.write_along(
            BarredChange(id=change_id, order_id=self.id, refusal=refusal, barred_at=now)
        )


class ReservationLine(OwnedModel):
    reservation = models.ForeignKey(
        Reservation, on_delete=models.PROTECT, related_name="line_rows", db_index=False
    )
    stock_item = models.ForeignKey(
        StockItem, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    quantity = models.IntegerField()

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["reservation", "stock_item"], name="products_reservationline_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(quantity__gte=1), name="products_reservationline_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.stock_item_id}"
