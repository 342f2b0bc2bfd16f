"""A batch of counts and changes of stock, each with its line in the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from domains.products.errors import VariantNotFound
from domains.products.models import StockItem, Warehouse
from domains.products.rules.imports.reading import Item
from domains.products.rules.imports.rows import StockRow
from domains.products.services.imports.terms import Refused, Terms, refuse
from domains.products.services.inventory import show_turned
from infrastructure.errors import DomainError


def write(items: Sequence[Item], terms: Terms) -> None:
    """Rows of one SKU are taken in their order. Raises UnknownWarehouse, WarehouseInactive."""
    rows: list[StockRow] = [item.value for item in items]
    Warehouse.objects.keep_open({row.warehouse for row in rows})
    stock = {found.sku: found for found in StockItem.objects.locked({row.sku for row in rows})}
    moved: dict[str, StockItem] = {}
    for item in items:
        row: StockRow = item.value
        try:
            found = stock.get(row.sku)
            if found is None:
                raise Refused(VariantNotFound.code, f"There is no SKU {row.sku}.", "/sku")
            item.id = found.pk
            if _move(found, row, terms):
                moved[row.sku] = found
                item.outcome = "changed"
            else:
                item.outcome = "unchanged"
        except DomainError as refusal:
            refuse(item, refusal)
    StockItem.objects.save_all(list(moved.values()))
    show_turned(moved.values())


def _move(found: StockItem, row: StockRow, terms: Terms) -> bool:
    """Whether anything moved. Raises StockChanged, NegativeStock, InvalidQuantity."""
    if row.delta is not UNSET:
        found.adjust(
            delta=row.delta,
            reason=row.reason,
            actor_id=terms.actor_id,
            now=terms.now,
            warehouse=row.warehouse,
        )
        return True
    assert row.on_hand is not UNSET
    movement = found.count(
        on_hand=row.on_hand,
        change_from=None if row.change_from is UNSET else row.change_from,
        reason=row.reason,
        actor_id=terms.actor_id,
        now=terms.now,
        warehouse=row.warehouse,
    )
    return movement is not None
