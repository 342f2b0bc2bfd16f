"""Commands of the stock: what staff correct and decide, and what is held for orders and carts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from domains.products.errors import InvalidQuantity, StockChanged, VariantNotFound
from domains.products.models import MAIN_WAREHOUSE, Reservation, StockItem, Warehouse
from domains.products.models.freeing import EXPIRY_BATCH
from domains.products.queries import stock as stock_queries
from domains.products.rules import tags
from domains.products.rules.stock import Holder, HoldLine, HoldOutcome, HoldRequest, Refused
from domains.products.services import shown
from domains.products.services.listing import list_availability
from infrastructure.database.contexts import atomic
from infrastructure.errors import FieldError
from infrastructure.http.idempotency import IdempotencyKey, duplicates

BATCH = 500
# Statements of one run of the job that frees expired holds; what is left waits for the next.
EXPIRY_ROUNDS = 50


def adjust_stock(
    *,
    sku: str,
    delta: int,
    reason: str,
    actor_id: UUID | None,
    now: datetime,
    warehouse: str = MAIN_WAREHOUSE,
    idempotency: IdempotencyKey | None = None,
) -> StockItem:
    """Goods came, went or broke: add to the stock of a warehouse or take away.

    Raises VariantNotFound, NegativeStock, InvalidQuantity, UnknownWarehouse, WarehouseInactive;
    Duplicate for a key used before.
    """
    with atomic("products"), duplicates():
        Warehouse.objects.keep_open([warehouse])
        item = _locked(sku)
        item.adjust(delta=delta, reason=reason, actor_id=actor_id, now=now, warehouse=warehouse)
        item.save(also=[idempotency.record(item.pk, now)] if idempotency else ())
        show_turned([item])
    return item


def count_stock(
    *,
    sku: str,
    on_hand: int,
    change_from: int,
    reason: str,
    actor_id: UUID | None,
    now: datetime,
    warehouse: str | None = None,
) -> StockItem:
    """Somebody counted, in a warehouse or all there is. `change_from`: what they thought it was.

    Raises VariantNotFound, StockChanged, SeveralWarehouses, InvalidQuantity, UnknownWarehouse,
    WarehouseInactive.
    """
    with atomic("products"):
        if warehouse is not None:
            Warehouse.objects.keep_open([warehouse])
        item = _locked(sku)
        if item.count(
            on_hand=on_hand,
            change_from=change_from,
            reason=reason,
            actor_id=actor_id,
            now=now,
            warehouse=warehouse,
        ):
            item.save()
            show_turned([item])
    return item


def transfer_stock(
    *,
    sku: str,
    quantity: int,
    from_warehouse: str,
    to_warehouse: str,
    reason: str,
    actor_id: UUID | None,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
) -> StockItem:
    """Carry goods from one warehouse to another.

    Raises VariantNotFound, NegativeStock, InvalidQuantity, SameWarehouse, UnknownWarehouse,
    WarehouseInactive; Duplicate for a key used before.
    """
    with atomic("products"), duplicates():
        Warehouse.objects.keep_open([from_warehouse, to_warehouse])
        item = _locked(sku)
        item.transfer(
            quantity=quantity,
            from_warehouse=from_warehouse,
            to_warehouse=to_warehouse,
            reason=reason,
            actor_id=actor_id,
            now=now,
        )
        item.save(also=[idempotency.record(item.pk, now)] if idempotency else ())
    return item


def configure_stock(
    *,
    sku: str,
    settings: Mapping[str, int | None],
    change_from: Mapping[str, int | None],
    reason: str,
    actor_id: UUID | None,
    now: datetime,
) -> StockItem:
    """Set `backorder_limit`, `low_stock_threshold` or both, each only from what it was believed.

    Holds change a stock item all the time, so its version would refuse staff for nothing; what
    they set is compared itself. Raises VariantNotFound, StockChanged, InvalidQuantity.
    """
    with atomic("products"):
        item = _locked(sku)
        before: dict[str, int | None] = {
            "backorder_limit": item.backorder_limit,
            "low_stock_threshold": item.low_stock_threshold,
        }
        wrong = [
            FieldError(
                f"/change_from/{name}",
                "stock_changed",
                f"It is {before[name]}, not {change_from.get(name)}.",
                before[name],
            )
            for name in sorted(settings)
            if before[name] != change_from.get(name)
        ]
        if wrong:
            raise StockChanged(f"The settings of {sku} are not what was believed.", errors=wrong)
        after = before | dict(settings)
        if after != before:
            item.configure(**after, reason=reason, actor_id=actor_id, now=now)  # type: ignore[arg-type]
            item.save()
            show_turned([item])
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
            moved = [
                item
                for item in items
                if item.count(
                    on_hand=batch[item.sku],
                    change_from=None,
                    reason=reason,
                    actor_id=actor_id,
                    now=now,
                )
            ]
            StockItem.objects.save_all(moved)
            show_turned(moved)


def hold_stock(
    *,
    order_id: UUID,
    lines: Sequence[HoldLine],
    now: datetime,
    instead_of: UUID | None = None,
) -> HoldOutcome:
    """Hold all lines of an order or none. Repeatable under the order's id."""
    request = HoldRequest(order_id=order_id, lines=tuple(lines), instead_of=instead_of)
    with showing() as turned:
        return Reservation.objects.hold([request], now=now, turned=turned)[order_id]


def hold_stock_of_many(
    *, requests: Sequence[HoldRequest], now: datetime
) -> dict[UUID, HoldOutcome]:
    """Hold for many orders in one statement, each wholly or not at all, the first come first."""
    with showing() as turned:
        return Reservation.objects.hold(requests, now=now, turned=turned)


def release_stock(*, order_id: UUID, now: datetime) -> bool:
    """Free what an order holds; afterwards nothing can be held for it. True if this freed it."""
    with showing() as turned:
        return Reservation.objects.release(order_id, holder=Holder.ORDER, now=now, turned=turned)


def hold_stock_for_cart(
    *,
    cart_id: UUID,
    lines: Sequence[HoldLine],
    now: datetime,
    ttl: timedelta,
    instead_of: UUID | None = None,
) -> HoldOutcome:
    """Hold all lines for a cart in place of what it held, and of what the cart `instead_of` holds;
    or leave that. Raises InvalidQuantity."""
    if ttl <= timedelta(0):
        raise InvalidQuantity("A cart's hold has to last for some time.")
    with showing() as turned:
        return Reservation.objects.hold_for_cart(
            cart_id, lines, now=now, expires_at=now + ttl, turned=turned, instead_of=instead_of
        )


def hold_stock_for_cart_again(
    *, cart_id: UUID, quantities: Mapping[str, int], until: datetime, now: datetime
) -> dict[str, int]:
    """Hold for a cart what it held before, of each SKU as many as there are; what it holds by now
    stays. Returns what is held for it."""
    lines = [
        HoldLine(variant_id=variant_id, sku=sku, quantity=quantities[sku])
        for sku, variant_id in stock_queries.for_sale(quantities).items()
    ]
    while lines:
        with showing() as turned:
            outcome = Reservation.objects.hold_for_cart(
                cart_id, lines, now=now, expires_at=until, turned=turned, unless_held=True
            )
        if not isinstance(outcome, Refused):
            break
        # Each time some of them are fewer, so it ends.
        left = {short.sku: short.available for short in outcome.shortages}
        fewer = [replace(one, quantity=left.get(one.sku, one.quantity)) for one in lines]
        lines = [line for line in fewer if line.quantity > 0]
    return stock_queries.held_for_cart(cart_id, now=now)


def release_cart_hold(*, cart_id: UUID, now: datetime) -> bool:
    """Free what a cart holds; it may hold again. True if this freed it."""
    with showing() as turned:
        return Reservation.objects.release(cart_id, holder=Holder.CART, now=now, turned=turned)


def free_expired_holds(*, now: datetime) -> int:
    """Free what carts hold beyond their time, some at a time. Returns how many were freed.

    Whatever dies in it has freed whole holds, each with its movements and facts.
    """
    total = 0
    for _ in range(EXPIRY_ROUNDS):
        with showing() as turned:
            due, freed = Reservation.objects.free_expired(now=now, turned=turned)
        total += freed
        if freed == 0 or due < EXPIRY_BATCH:
            break
    return total


def show_turned(items: Iterable[StockItem]) -> None:
    """Buyers see at once, in lists too, that there is something of these saved items again, or
    nothing any more. Called in the transaction that locked them: products come after stock."""
    turned = sorted(item.pk for item in items if item.turned)
    if turned:
        list_availability(turned)
        shown.hint_of_variants(turned, tags.AVAILABILITY)


@contextmanager
def showing() -> Iterator[set[UUID]]:
    """The same for holds, except that lists that are filtered by it follow with the event: holds
    lock nothing but stock."""
    turned: set[UUID] = set()
    try:
        yield turned
    finally:
        if turned:
            shown.hint_of_variants(sorted(turned), tags.AVAILABILITY)


def _locked(sku: str) -> StockItem:
    items = StockItem.objects.locked([sku])
    if not items:
        raise VariantNotFound(f"There is no SKU {sku}.")
    return items[0]
