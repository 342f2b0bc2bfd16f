"""Commands of the warehouses."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domains.products.errors import WarehouseExists, WarehouseNotFound
from domains.products.models import StockLevel, Warehouse
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import atomic
from infrastructure.http.idempotency import IdempotencyKey, duplicates
from infrastructure.ids import new_id


def open_warehouse(
    *,
    code: str,
    name: str,
    address: str = "",
    now: datetime,
    idempotency: IdempotencyKey | None = None,
) -> UUID:
    """Returns what an Idempotency-Key is remembered with; the warehouse itself goes by its code.

    Raises WarehouseExists; Duplicate for a key used before.
    """
    warehouse = Warehouse.open(code=code, name=name, address=address)
    remembered_as = new_id()
    with duplicates():
        try:
            warehouse.save(
                unless_exists=True,
                also=[idempotency.record(remembered_as, now)] if idempotency else (),
            )
        except ConcurrentModification as error:
            raise WarehouseExists(f"There is a warehouse {code} already.") from error
    return remembered_as


def edit_warehouse(
    *,
    code: str,
    version: int | None,
    name: str | None = None,
    address: str | None = None,
    active: bool | None = None,
) -> Warehouse:
    """Correct what is said of it; close it once it is empty, or open it again. None: as it is.

    Raises WarehouseNotFound, MainWarehouseNeeded, WarehouseNotEmpty, ConcurrentModification.
    """
    with atomic("products"):
        # Excludes everybody who moves goods here. What they moved in before is seen below, since
        # that statement comes after the lock.
        warehouse = Warehouse.objects.select_for_update().filter(pk=code).first()
        if warehouse is None:
            raise WarehouseNotFound(f"There is no warehouse {code}.")
        warehouse.require_version(version)
        warehouse.describe(name=name, address=address)
        if active is True:
            warehouse.reopen()
        elif active is False:
            levels = StockLevel.objects.filter(warehouse_id=code, on_hand__gt=0)
            warehouse.close(is_empty=not levels.exists())
        warehouse.save()
    return warehouse
