"""Adjustments of many SKUs by the same, which staff have seen beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domains.products.errors import StockChanged, VariantNotFound
from domains.products.models import StockItem, Warehouse
from domains.products.services.inventory import show_turned
from infrastructure.database.contexts import atomic
from infrastructure.errors import DomainError, FieldError
from infrastructure.http.idempotency import IdempotencyKey, duplicates


@dataclass(frozen=True, kw_only=True, slots=True)
class Adjustment:
    """What an adjustment would come to. there, then: what lies in the warehouse, and would.

    held: what is promised of the SKU. left: what could still be promised then, wherever it lies;
    below zero what would be missing. refusal: why nothing comes of it; empty where something does.
    """

    sku: str
    there: int
    then: int
    held: int
    left: int
    refusal: str = ""

    @property
    def is_short(self) -> bool:
        return not self.refusal and self.left < 0


def preview_adjustments(
    *, skus: Sequence[str], delta: int, warehouse: str, now: datetime
) -> list[Adjustment]:
    """What `adjust_stock_of_many` would come to now, by SKU; nothing is written."""
    items = StockItem.objects.filter(sku__in=list(skus)).order_by("sku")
    found = []
    for item in items.prefetch_related("level_rows"):
        there, refusal = item.in_warehouse(warehouse), ""
        try:
            # In memory only: what is not saved has not happened.
            item.adjust(delta=delta, reason="", actor_id=None, now=now, warehouse=warehouse)
        except DomainError as error:
            refusal = error.detail
        found.append(
            Adjustment(
                sku=item.sku,
                there=there,
                then=item.in_warehouse(warehouse),
                held=item.held,
                left=item.left,
                refusal=refusal,
            )
        )
    return found


def adjust_stock_of_many(
    *,
    believed: Mapping[str, int],
    delta: int,
    reason: str,
    actor_id: UUID | None,
    now: datetime,
    warehouse: str,
    idempotency: IdempotencyKey | None = None,
) -> None:
    """Add the same to what lies of each SKU in a warehouse, or take it away: of all or of none.

    believed: by SKU, what the caller has seen there. Raises StockChanged where it is another number
    by now; VariantNotFound, NegativeStock, InvalidQuantity, UnknownWarehouse, WarehouseInactive;
    Duplicate for a key used before.
    """
    with atomic("products"), duplicates():
        Warehouse.objects.keep_open([warehouse])
        items = StockItem.objects.locked(believed)
        if missing := believed.keys() - {item.sku for item in items}:
            raise VariantNotFound(f"There are no SKUs {', '.join(sorted(missing))}.")
        for item in items:
            there = item.in_warehouse(warehouse)
            if there != believed[item.sku]:
                wrong = f"There are {there} of {item.sku} in {warehouse}, not {believed[item.sku]}."
                raise StockChanged(
                    wrong, errors=[FieldError("/believed", "stock_changed", wrong, there)]
                )
            item.adjust(delta=delta, reason=reason, actor_id=actor_id, now=now, warehouse=warehouse)
        if items and idempotency is not None:
            items[0].write_along(idempotency.record(items[0].pk, now))
        StockItem.objects.save_all(items)
        show_turned(items)
