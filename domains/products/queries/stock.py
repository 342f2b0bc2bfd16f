"""What is for sale and what is left of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from domains.products.errors import VariantNotFound
from domains.products.models import Reservation, StockItem, StockMovement
from domains.products.rules.stock import HoldState
from infrastructure.database.contexts import connection_of
from infrastructure.money import Money


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A SKU with its price. available: how many can be promised, backorders included.

    active: whether its product is in the catalogue.
    """

    variant_id: UUID
    sku: str
    name: str
    unit_price: Money
    available: int
    active: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class WarehouseLevel:
    warehouse: str
    on_hand: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Inventory:
    """Totals over all warehouses. available: what can still be promised; below zero by what is
    missing."""

    sku: str
    variant_id: UUID
    on_hand: int
    held: int
    available: int
    backorder_limit: int
    warehouses: tuple[WarehouseLevel, ...]


_OFFERS = """
SELECT v.id, v.sku, p.name, v.name, pr.amount_minor,
    s.on_hand + s.backorder_limit - s.held, p.status = 'active'
FROM products_variant v
JOIN products_product p ON p.id = v.product_id
JOIN products_price pr ON pr.variant_id = v.id AND pr.currency = %s
JOIN products_stockitem s ON s.variant_id = v.id
WHERE v.sku = ANY(%s::text[])
"""


def offers(skus: Sequence[str], *, currency: str) -> dict[str, Offer]:
    """What these SKUs cost now and how many are left. A SKU that does not exist, or has no price
    in the currency, is not in the answer."""
    rows = connection_of("products").fetch(_OFFERS, [currency, list(skus)])
    return {
        sku: Offer(
            variant_id=variant_id,
            sku=sku,
            name=f"{name}, {variant}" if variant else name,
            unit_price=Money(amount_minor, currency),
            available=max(available, 0),
            active=active,
        )
        for variant_id, sku, name, variant, amount_minor, available, active in rows
    }


def hold_states(order_ids: Iterable[UUID]) -> dict[UUID, HoldState]:
    """What became of these orders' holds; one that never held anything is not in the answer."""
    found = Reservation.objects.filter(pk__in=list(order_ids))
    return {order_id: HoldState(status) for order_id, status in found.values_list("pk", "status")}


def inventory_of(sku: str) -> Inventory:
    """Raises VariantNotFound."""
    item = StockItem.objects.filter(sku=sku).prefetch_related("level_rows").first()
    if item is None:
        raise VariantNotFound(f"There is no SKU {sku}.")
    return Inventory(
        sku=item.sku,
        variant_id=item.pk,
        on_hand=item.on_hand,
        held=item.held,
        available=item.left,
        backorder_limit=item.backorder_limit,
        warehouses=tuple(
            WarehouseLevel(warehouse=level.warehouse_id, on_hand=level.on_hand)
            for level in sorted(item.levels, key=lambda level: level.warehouse_id)
        ),
    )


def movements_of(sku: str) -> QuerySet[StockMovement, Any]:
    """The ledger of a SKU, to be read in pages, newest first. Raises VariantNotFound."""
    variant_id = StockItem.objects.filter(sku=sku).values_list("pk", flat=True).first()
    if variant_id is None:
        raise VariantNotFound(f"There is no SKU {sku}.")
    return StockMovement.objects.filter(stock_item_id=variant_id).values(
        "id",
        "kind",
        "warehouse_id",
        "on_hand_delta",
        "held_delta",
        "order_id",
        "reason",
        "actor_id",
        "created_at",
    )
