"""What the inventory routes take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from msgspec import Meta

from domains.products.api.serializers.fields import Quantity
from domains.products.queries import stock
from domains.products.rules.stock import MAX_QUANTITY
from infrastructure.http.types import Body, Out, PageQuery

Delta = Annotated[int, Meta(ge=-MAX_QUANTITY, le=MAX_QUANTITY)]
Reason = Annotated[str, Meta(min_length=1, max_length=200, examples=["count"])]


class MovementsQuery(PageQuery, frozen=True, kw_only=True):
    pass


class AdjustStock(Body, frozen=True, kw_only=True):
    delta: Delta
    reason: Reason


class CountStock(Body, frozen=True, kw_only=True):
    """change_from: what the caller believes is on hand; null for "whatever it is"."""

    on_hand: Quantity
    change_from: Quantity | None
    reason: Reason = "count"


class WarehouseLevel(Out, frozen=True, kw_only=True):
    warehouse: str
    on_hand: int


class Inventory(Out, frozen=True, kw_only=True):
    """Totals over all warehouses. `available` is below zero by what is missing."""

    sku: str
    on_hand: int
    held: int
    available: int
    backorder_limit: int
    warehouses: list[WarehouseLevel]

    @classmethod
    def of(cls, inventory: stock.Inventory) -> Self:
        return cls(
            sku=inventory.sku,
            on_hand=inventory.on_hand,
            held=inventory.held,
            available=inventory.available,
            backorder_limit=inventory.backorder_limit,
            warehouses=[
                WarehouseLevel(warehouse=level.warehouse, on_hand=level.on_hand)
                for level in inventory.warehouses
            ],
        )


class Movement(Out, frozen=True, kw_only=True):
    """One line of the ledger. Which of `order_id`, `reason` and `actor_id` there is depends on its
    kind: holds and releases have an order, the others a reason and somebody who gave it."""

    kind: Literal["ADJUSTMENT", "COUNT", "HOLD", "RELEASE"]
    on_hand_delta: int
    held_delta: int
    warehouse: str | None
    order_id: UUID | None
    reason: str
    actor_id: UUID | None
    created_at: datetime

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        return cls(
            kind=row["kind"],
            on_hand_delta=row["on_hand_delta"],
            held_delta=row["held_delta"],
            warehouse=row["warehouse_id"],
            order_id=row["order_id"],
            reason=row["reason"],
            actor_id=row["actor_id"],
            created_at=row["created_at"],
        )
