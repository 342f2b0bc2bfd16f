"""Which of the order ids that carts were frozen with became orders."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Exists, OuterRef

from domains.orders.models.orders import Order


class CheckoutQuerySet(models.QuerySet["Checkout"]):
    def abandon(self, *, order_id: UUID, cart_id: UUID, now: datetime) -> bool:
        """See to it that no order comes to be under an id. False if there is one already."""
        checkout, _ = self.get_or_create(
            order_id=order_id,
            defaults={"cart_id": cart_id, "state": Checkout.State.ABANDONED, "at": now},
        )
        return checkout.state == Checkout.State.ABANDONED

    def forget(self, *, before: datetime, at_most: int) -> int:
        """Delete rows from before that time, but those of orders that are not settled: their carts
        may be frozen still. Returns how many went."""
        unsettled = Order.objects.filter(pk=OuterRef("order_id"), unsettled_since__isnull=False)
        old = self.filter(~Exists(unsettled), at__lt=before).order_by("at")
        return self.filter(pk__in=old.values("pk")[:at_most]).delete()[0]


class Checkout(models.Model):
    """The end of one try to make an order of a cart, written once and never changed.

    A cart is frozen with the id that its order will have. Whoever inserts the row of that id first
    decides: PLACED in the statement that makes the order, or ABANDONED, after which no order can
    come to be under that id and the cart may be opened again.
    """

    class State(models.TextChoices):
        PLACED = "PLACED"
        ABANDONED = "ABANDONED"

    order_id = models.UUIDField(primary_key=True)
    cart_id = models.UUIDField()
    state = models.CharField(max_length=10, choices=State)
    at = models.DateTimeField()

    objects = CheckoutQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["at"], name="orders_checkouts_by_time")]

    def __str__(self) -> str:
        return f"{self.order_id} {self.state}"

    @classmethod
    def placed(cls, *, order_id: UUID, cart_id: UUID, now: datetime) -> Self:
        """To be saved along with the order."""
        return cls(order_id=order_id, cart_id=cart_id, state=cls.State.PLACED, at=now)
