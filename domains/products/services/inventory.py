"""Commands of the stock: corrections by staff, holds and releases for orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from uuid import UUID

from domains.products.errors import VariantNotFound
from domains.products.models import Reservation, StockItem
from domains.products.rules.stock import HoldLine, HoldOutcome, HoldRequest
from infrastructure.database.contexts import atomic
from infrastructure.http.idempotency import IdempotencyKey, duplicates

BATCH = 500


def adjust_stock(
    *,
    sku: str,
    delta: int,
    reason: str,
    actor_id: UUID | None,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
) -> StockItem:
    """Goods came, went or broke: add to the stock or take away.

    Raises VariantNotFound, NegativeStock, InvalidQuantity; Duplicate for a key used before.
    """
    with atomic("products"), duplicates():
        item = _locked(sku)
        item.adjust(delta=delta, reason=reason, actor_id=actor_id, now=now)
        item.save(also=[idempotency.record(item.pk, now)] if idempotency else ())
    return item


def count_stock(
    *,
    sku: str,
    on_hand: int,
    change_from: int | None,
    reason: str,
    actor_id: UUID | None,
    now: datetime,
) -> StockItem:
    """Somebody counted. `change_from`: what they thought it was, None if that does not matter.

    Raises VariantNotFound, StockChanged, InvalidQuantity.
    """
    with atomic("products"):
        item = _locked(sku)
        if item.count(
            on_hand=on_hand, change_from=change_from, reason=reason, actor_id=actor_id, now=now
        ):
            item.save()
    return item


def set_stock(
    *,
    levels: Mapping[str, int],
    reason: str,
    actor_id: UUID | None = None,
    now: datetime,
) -> None:
    """Counts of many SKUs, in batches of one transaction each. Raises VariantNotFound."""
    rest = iter(sorted(levels.items()))
    while batch := dict(islice(rest, BATCH)):
        with atomic("products"):
            items = StockItem.objects.locked(batch)
            if missing := batch.keys() - {item.sku for item in items}:
                raise VariantNotFound(f"There are no SKUs {', '.join(sorted(missing))}.")
            for item in items:
                if item.count(
                    on_hand=batch[item.sku],
                    change_from=None,
                    reason=reason,
                    actor_id=actor_id,
                    now=now,
                ):
                    item.save()


def hold_stock(*, order_id: UUID, lines: Sequence[HoldLine], now: datetime) -> HoldOutcome:
    """Hold all lines of an order or none. Repeatable under the order's id."""
    request = HoldRequest(order_id=order_id, lines=tuple(lines))
    return Reservation.objects.hold([request], now=now)[order_id]


def hold_stock_of_many(
    *, requests: Sequence[HoldRequest], now: datetime
) -> dict[UUID, HoldOutcome]:
    """Hold for many orders in one statement, each wholly or not at all, the first come first."""
    return Reservation.objects.hold(requests, now=now)


def release_stock(*, order_id: UUID, now: datetime) -> bool:
    """Free what an order holds; afterwards nothing can be held for it. True if this freed it."""
    return Reservation.objects.release(order_id, now=now)


def _locked(sku: str) -> StockItem:
    items = StockItem.objects.locked([sku])
    if not items:
        raise VariantNotFound(f"There is no SKU {sku}.")
    return items[0]
