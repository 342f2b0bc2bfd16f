"""Which of the order ids that carts were frozen with became orders."""

from __future__ import annotations

from django.db import models


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

    def __str__(self) -> str:
        return f"{self.order_id} {self.state}"
