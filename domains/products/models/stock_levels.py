"""What lies where."""

from __future__ import annotations

from django.db import models

from domains.products.models.warehouses import Warehouse
from infrastructure.aggregates import OwnedModel


class StockLevel(OwnedModel):
    """What lies in one warehouse."""

    stock_item = models.ForeignKey("StockItem", on_delete=models.PROTECT, related_name="level_rows")
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="+")
    on_hand = models.IntegerField()

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["stock_item", "warehouse"], name="products_stocklevel_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(on_hand__gte=0), name="products_stocklevel_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.on_hand} in {self.warehouse_id}"
