"""The ledger of how the stock came to be what it is."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models

from domains.products.models.warehouses import Warehouse
from infrastructure.aggregates import OwnedQuerySet


class StockMovement(models.Model):
    """One line of the ledger: what changed in a stock item, and why. Never changed, never deleted.

    The sums of its deltas are the item's counters. Drawn under the item's row lock, ids of one item
    rise in the order of its changes. Its cause is an order, a cart, both where a cart's hold went
    over to its order, a fulfilment, a transfer, or somebody with a reason. A hold that goes over
    from a cart to another one changes no counter. An order that changes what it holds, and goods
    that come back from it, are told apart by `change_id`.
    """

    class Kind(models.TextChoices):
        ADJUSTMENT = "ADJUSTMENT"
        COUNT = "COUNT"
        TRANSFER = "TRANSFER"
        SHIPMENT = "SHIPMENT"
        RETURN = "RETURN"
        LIMIT = "LIMIT"
        HOLD = "HOLD"
        RELEASE = "RELEASE"
        TAKE_OVER = "TAKE_OVER"

    id = models.BigAutoField(primary_key=True)
    stock_item = models.ForeignKey(
        "StockItem", on_delete=models.PROTECT, related_name="movement_rows", db_index=False
    )
    warehouse = models.ForeignKey(
        Warehouse, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=10, choices=Kind)
    on_hand_delta = models.IntegerField()
    held_delta = models.IntegerField()
    backorder_delta = models.IntegerField()
    order_id = models.UUIDField(null=True)
    cart_id = models.UUIDField(null=True)
    fulfilment_id = models.UUIDField(null=True)
    transfer_id = models.UUIDField(null=True)
    change_id = models.UUIDField(null=True)
    reason = models.CharField(max_length=200, blank=True)
    actor_id = models.UUIDField(null=True)
    created_at = models.DateTimeField()

    objects = OwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["stock_item", "id"], name="products_movements_of_item"),
            models.Index(
                fields=["fulfilment_id"],
                name="products_movement_fulfilment",
                condition=models.Q(fulfilment_id__isnull=False),
            ),
            models.Index(
                fields=["change_id"],
                name="products_movement_change",
                condition=models.Q(change_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.on_hand_delta:+} {self.held_delta:+}"

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("The ledger is written together with the stock it tells of.")

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("The ledger keeps everything.")
