"""What the inventory routes take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from domains.products.api.serializers.fields import Quantity
from domains.products.models import MAIN_WAREHOUSE, StockItem
from domains.products.queries import stock
from domains.products.rules.stock import MAX_QUANTITY
from infrastructure.http.types import Body, Out, PageQuery, ShortText

Delta = Annotated[int, Meta(ge=-MAX_QUANTITY, le=MAX_QUANTITY)]
Threshold = Annotated[int, Meta(ge=-MAX_QUANTITY, le=MAX_QUANTITY, examples=[5])]
Reason = Annotated[ShortText, Meta(examples=["count"])]
WarehouseCode = Annotated[
    str, Meta(min_length=1, max_length=32, pattern=r"^[a-z0-9][a-z0-9-]*$(?!\s)", examples=["main"])
]


class MovementsQuery(PageQuery, frozen=True, kw_only=True):
    pass


class ShortagesQuery(PageQuery, frozen=True, kw_only=True):
    pass


class InventoryQuery(PageQuery, frozen=True, kw_only=True):
    sku: (
        Annotated[str, Meta(min_length=1, max_length=64, description="What the SKU begins with.")]
        | None
    ) = None
    warehouse: WarehouseCode | None = None
    low: bool | None = None
    short: bool | None = None
    backordered: bool | None = None


class AdjustStock(Body, frozen=True, kw_only=True):
    delta: Delta
    reason: Reason
    warehouse: WarehouseCode = MAIN_WAREHOUSE


class CountStock(Body, frozen=True, kw_only=True):
    """change_from: what the caller believes to be there. warehouse: where was counted; without it
    the count is of all there is."""

    on_hand: Quantity
    change_from: Quantity
    reason: Reason = "count"
    warehouse: WarehouseCode | None = None


class TransferStock(Body, frozen=True, kw_only=True):
    quantity: Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]
    from_warehouse: WarehouseCode
    to_warehouse: WarehouseCode
    reason: Reason = "transfer"


class StockSettings(Body, frozen=True, kw_only=True):
    """backorder_limit: how much may be promised beyond what is there. low_stock_threshold: staff
    are told when no more than this can be promised; null for never."""

    backorder_limit: Quantity | UnsetType = UNSET
    low_stock_threshold: Threshold | UnsetType | None = UNSET


class ConfigureStock(StockSettings, frozen=True, kw_only=True):
    """change_from: of every setting that is sent, what the caller believes it to be."""

    change_from: StockSettings
    reason: Reason = "settings"


def settings_of(body: StockSettings) -> dict[str, int | None]:
    """Those that were sent."""
    sent = {
        "backorder_limit": body.backorder_limit,
        "low_stock_threshold": body.low_stock_threshold,
    }
    return {name: value for name, value in sent.items() if value is not UNSET}


class WarehouseLevel(Out, frozen=True, kw_only=True):
    warehouse: str
    on_hand: int


class Inventory(Out, frozen=True, kw_only=True):
    """Totals over all warehouses. `available` is below zero by what is missing. `low`: whether it
    is at its threshold or below."""

    sku: str
    on_hand: int
    held: int
    available: int
    backorder_limit: int
    low_stock_threshold: int | None
    low: bool
    warehouses: list[WarehouseLevel]

    @classmethod
    def of(cls, inventory: stock.Inventory) -> Self:
        return cls(
            sku=inventory.sku,
            on_hand=inventory.on_hand,
            held=inventory.held,
            available=inventory.available,
            backorder_limit=inventory.backorder_limit,
            low_stock_threshold=inventory.low_stock_threshold,
            low=inventory.low,
            warehouses=[
                WarehouseLevel(warehouse=level.warehouse, on_hand=level.on_hand)
                for level in inventory.warehouses
            ],
        )

    @classmethod
    def of_item(cls, item: StockItem) -> Self:
        return cls.of(stock.Inventory.of(item))


class ShortItem(Out, frozen=True, kw_only=True):
    """More is promised than there is. `missing`: by how much, backorders included."""

    sku: str
    on_hand: int
    held: int
    backorder_limit: int
    missing: int

    @classmethod
    def of(cls, item: StockItem) -> Self:
        return cls(
            sku=item.sku,
            on_hand=item.on_hand,
            held=item.held,
            backorder_limit=item.backorder_limit,
            missing=-item.left,
        )


class Movement(Out, frozen=True, kw_only=True):
    """One line of the ledger. Its cause is an order, a cart (both where the order took over the
    cart's hold), a fulfilment, a transfer, or somebody with a reason."""

    kind: Literal[
        "ADJUSTMENT",
        "COUNT",
        "TRANSFER",
        "SHIPMENT",
        "RETURN",
        "LIMIT",
        "HOLD",
        "RELEASE",
        "TAKE_OVER",
    ]
    on_hand_delta: int
    held_delta: int
    backorder_delta: int
    warehouse: str | None
    order_id: UUID | None
    cart_id: UUID | None
    fulfilment_id: UUID | None
    transfer_id: UUID | None
    reason: str
    actor_id: UUID | None
    created_at: datetime

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        return cls(
            kind=row["kind"],
            on_hand_delta=row["on_hand_delta"],
            held_delta=row["held_delta"],
            backorder_delta=row["backorder_delta"],
            warehouse=row["warehouse_id"],
            order_id=row["order_id"],
            cart_id=row["cart_id"],
            fulfilment_id=row["fulfilment_id"],
            transfer_id=row["transfer_id"],
            reason=row["reason"],
            actor_id=row["actor_id"],
            created_at=row["created_at"],
        )
