"""The goods of orders: they leave, they come back, and what is held for an order changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domains.products.errors import NotHeld, UnknownWarehouse, WarehouseInactive
from domains.products.models import Reservation, StockItem, Warehouse
from domains.products.models.barred_changes import fate_of, has_moved
from domains.products.rules import stock as rules
from domains.products.rules.stock import HoldChange, Holder, HoldLine, HoldOutcome
from domains.products.services.inventory import show_turned, showing
from infrastructure.database.contexts import atomic


def take_out(
    *,
    order_id: UUID,
    fulfilment_id: UUID,
    lines: Sequence[HoldLine],
    warehouse: str,
    now: datetime,
) -> bool:
    """Goods held for an order leave the warehouse. True if this call took them out.

    Repeatable under the fulfilment's id. All lines or none. Raises NotHeld, NegativeStock,
    InvalidQuantity, UnknownWarehouse, WarehouseInactive, and ChangeBarred where it was barred.
    """
    lines = rules.summed(lines)
    with atomic("products"):
        if not _is_open(warehouse, unless_moved_for=fulfilment_id):
            return False
        items = {item.pk: item for item in StockItem.objects.locked(line.sku for line in lines)}
        # Whoever does the same, or bars it, has either finished by now or not begun.
        reservation = _locked_hold(order_id)
        if has_moved(fulfilment_id):
            return False
        if reservation is None:
            raise NotHeld(f"Nothing is held for order {order_id}.")
        reservation.fulfil({line.variant_id: line.quantity for line in lines})
        for line in lines:
            items[line.variant_id].take_out(
                quantity=line.quantity,
                warehouse=warehouse,
                order_id=order_id,
                fulfilment_id=fulfilment_id,
                now=now,
            )
        StockItem.objects.save_all([items[line.variant_id] for line in lines])
        reservation.save()
    return True


def change_hold(
    *, order_id: UUID, change_id: UUID, changes: Sequence[HoldChange], now: datetime
) -> HoldOutcome:
    """Hold more of this and less of that for an order: all of it or nothing. Raises NotHeld, and
    ChangeBarred where it was barred."""
    with showing() as turned:
        return Reservation.objects.change(
            order_id, changes, change_id=change_id, now=now, turned=turned
        )


def restock(
    *,
    order_id: UUID,
    change_id: UUID,
    lines: Sequence[HoldLine],
    warehouse: str,
    now: datetime,
) -> bool:
    """Goods of an order came back and can be sold again. True if this call put them there.

    Repeatable under `change_id`. Raises InvalidQuantity, UnknownWarehouse, WarehouseInactive, and
    ChangeBarred where it was barred.
    """
    lines = rules.summed(lines)
    with atomic("products"):
        if not _is_open(warehouse, unless_moved_for=change_id):
            return False
        items = {item.pk: item for item in StockItem.objects.locked(line.sku for line in lines)}
        # As above; for an order without a hold the stock rows are locked.
        _locked_hold(order_id)
        if has_moved(change_id):
            return False
        for line in lines:
            items[line.variant_id].take_back(
                quantity=line.quantity,
                warehouse=warehouse,
                order_id=order_id,
                change_id=change_id,
                now=now,
            )
        changed = [items[line.variant_id] for line in lines]
        StockItem.objects.save_all(changed)
        show_turned(changed)
    return True


def bar_change(*, order_id: UUID, change_id: UUID, refusal: str, now: datetime) -> str | None:
    """See to it that no goods of an order move under this id any more. Returns what it was barred
    for, the first time; None where they have moved.

    Repeatable. An order that never held anything has nothing to move.
    """
    with atomic("products"):
        reservation = _locked_hold(order_id)
        moved, earlier = fate_of(change_id)
        if moved:
            return None
        if reservation is not None and earlier is None:
            reservation.bar(change_id, refusal=refusal, now=now)
            reservation.save()
    return earlier or refusal


def _is_open(warehouse: str, *, unless_moved_for: UUID) -> bool:
    """Whether goods may be moved in a warehouse; it stays open until the transaction ends. False
    where they were, before it was closed. Raises UnknownWarehouse, WarehouseInactive."""
    try:
        Warehouse.objects.keep_open([warehouse])
    except (UnknownWarehouse, WarehouseInactive):
        if has_moved(unless_moved_for):
            return False
        raise
    return True


def _locked_hold(order_id: UUID) -> Reservation | None:
    return (
        Reservation.objects.select_for_update(no_key=True)
        .filter(pk=order_id, holder=Holder.ORDER)
        .first()
    )
