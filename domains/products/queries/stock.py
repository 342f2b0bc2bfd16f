"""What is for sale and what is left of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from domains.products.errors import VariantNotFound, WarehouseNotFound
from domains.products.models import (
    MAIN_WAREHOUSE,
    Product,
    Reservation,
    ReservationLine,
    StockItem,
    StockLevel,
    StockMovement,
    Variant,
    Warehouse,
)
from domains.products.queries.price_sql import PRICE, PRICES
from domains.products.queries.prices import PricesFor, unit_price_of
from domains.products.rules.stock import Holder, HoldLine, HoldState, Shortage, summed
from infrastructure.database.contexts import connection_of
from infrastructure.money import Money


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A SKU. unit_price: of one of as many as were asked for. available: how many can be promised,
    backorders included. active: whether its product is in the catalogue, and it is not retired.
    weight_g: of one, packed; None where nobody said. on_sale: whether the price of a piece is
    reduced by a sale.
    """

    variant_id: UUID
    product_id: UUID
    sku: str
    name: str
    unit_price: Money
    available: int
    active: bool
    tax_class: str
    weight_g: int | None
    on_sale: bool


@dataclass(frozen=True, slots=True)
class NotOffered:
    """Why a SKU cannot be bought. code: `unknown_sku`, or `not_sold_in_currency` where it is for
    sale and has no price in the currency."""

    code: str
    detail: str


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
    low_stock_threshold: int | None
    low: bool
    warehouses: tuple[WarehouseLevel, ...]

    @classmethod
    def of(cls, item: StockItem) -> Inventory:
        return cls(
            sku=item.sku,
            variant_id=item.pk,
            on_hand=item.on_hand,
            held=item.held,
            available=item.left,
            backorder_limit=item.backorder_limit,
            low_stock_threshold=item.low_stock_threshold,
            low=item.is_low,
            warehouses=tuple(
                WarehouseLevel(warehouse=level.warehouse_id, on_hand=level.on_hand)
                for level in sorted(item.levels, key=lambda level: level.warehouse_id)
            ),
        )


# What a buyer may be promised of stock item `s`. What carts hold beyond their time is free for
# whoever asks, even before the job has come to it: a hold that lacks it frees it. Mostly there is
# none, and then holds are not looked at: connections that began with a handful of them keep a plan
# that would read them all, for every SKU. Takes now.
PROMISABLE = """s.on_hand + s.backorder_limit - s.held + coalesce((
        SELECT sum(l.quantity)
        FROM (SELECT %s::timestamptz AS now) asked
        CROSS JOIN products_reservation r
        JOIN products_reservationline l
            ON l.reservation_id = r.id AND l.stock_item_id = s.variant_id
        WHERE r.status = 'HELD' AND r.expires_at <= asked.now AND asked.now >= (
            SELECT e.expires_at FROM products_reservation e
            WHERE e.status = 'HELD' AND e.expires_at IS NOT NULL
            ORDER BY e.expires_at LIMIT 1
        )
    ), 0)::int"""

_OFFERS = f"""
SELECT v.sku, v.id, v.product_id, p.name, v.name, {PROMISABLE},
    p.status = 'active' AND v.retired_at IS NULL, v.tax_class, v.weight_g, ({PRICE})::text
FROM products_variant v
JOIN products_product p ON p.id = v.product_id
JOIN products_stockitem s ON s.variant_id = v.id
{PRICES}
WHERE v.sku = ANY(%s::text[])
"""


def offers(wanted: Mapping[str, int], *, prices: PricesFor) -> dict[str, Offer]:
    """What one of each SKU costs now for whoever takes so many, and how many are left. A SKU that
    does not exist, or has no price for them, is not in the answer."""
    rows = connection_of("products").fetch(_OFFERS, [prices.now, *prices.params, list(wanted)])
    found: dict[str, tuple[Any, list[Any]]] = {}
    for sku, *rest, price in rows:  # a row per price list
        _, its_prices = found.setdefault(sku, (rest, []))
        its_prices.append(None if price is None else msgspec.json.decode(price))
    priced: dict[str, Offer] = {}
    for sku, (row, its_prices) in found.items():
        price = unit_price_of(its_prices, wanted[sku], prices)
        if price is None:
            continue
        variant_id, product_id, name, variant, available, active, tax_class, weight_g = row
        unit_price, on_sale = price
        priced[sku] = Offer(
            variant_id=variant_id,
            product_id=product_id,
            sku=sku,
            name=f"{name}, {variant}" if variant else name,
            unit_price=unit_price,
            available=max(available, 0),
            active=active,
            tax_class=tax_class,
            weight_g=weight_g,
            on_sale=on_sale,
        )
    return priced


def why_not_offered(skus: Collection[str], *, currency: str) -> dict[str, NotOffered]:
    """Why nothing is offered for each of these SKUs. One statement; none for no SKUs."""
    if not skus:
        return {}
    unpriced = for_sale(skus)
    return {
        sku: NotOffered("not_sold_in_currency", f"{sku} is not sold in {currency}.")
        if sku in unpriced
        else NotOffered("unknown_sku", f"{sku} is not sold here.")
        for sku in skus
    }


def for_sale(skus: Collection[str]) -> dict[str, UUID]:
    """The variants of those SKUs that are sold at all, whatever they cost. One statement."""
    found = Variant.objects.filter(
        sku__in=list(skus), product__status=Product.Status.ACTIVE, retired_at__isnull=True
    )
    return dict(found.values_list("sku", "pk"))


def hold_states(order_ids: Iterable[UUID]) -> dict[UUID, HoldState]:
    """What became of these orders' holds; one that never held anything is not in the answer."""
    found = Reservation.objects.filter(pk__in=list(order_ids), holder=Holder.ORDER)
    return {order_id: HoldState(status) for order_id, status in found.values_list("pk", "status")}


def held_for_cart(cart_id: UUID, *, now: datetime) -> dict[str, int]:
    """How many of each SKU the cart holds; nothing once its time is over."""
    lines = ReservationLine.objects.filter(
        reservation_id=cart_id,
        reservation__holder=Holder.CART,
        reservation__status=Reservation.Status.HELD,
        reservation__expires_at__gt=now,
    )
    return dict(lines.values_list("stock_item__sku", "quantity"))


def inventory_of(sku: str) -> Inventory:
    """Raises VariantNotFound."""
    item = StockItem.objects.filter(sku=sku).prefetch_related("level_rows").first()
    if item is None:
        raise VariantNotFound(f"There is no SKU {sku}.")
    return Inventory.of(item)


def inventory(
    *,
    prefix: str | None = None,
    warehouse: str | None = None,
    low: bool | None = None,
    short: bool | None = None,
    backordered: bool | None = None,
) -> QuerySet[StockItem]:
    """Stock items to be read in pages by SKU; `Inventory.of` makes the answer of each.

    prefix: what the SKU begins with. warehouse: only what lies there. low: at or below its
    threshold, or not. short: more held than there is, backorders included, or not. backordered:
    more held than there is, also as far as the limit of backorders allows. None: whichever.
    """
    found = StockItem.objects.prefetch_related("level_rows")
    possible = F("on_hand") + F("backorder_limit")
    if prefix:
        found = found.filter(sku__startswith=prefix)
    if warehouse is not None:
        there = StockLevel.objects.filter(stock_item_id=OuterRef("pk"), warehouse_id=warehouse)
        found = found.filter(Exists(there.filter(on_hand__gt=0)))
    if low is not None:
        is_low = Q(low_stock_threshold__isnull=False, held__gte=possible - F("low_stock_threshold"))
        found = found.filter(is_low) if low else found.exclude(is_low)
    if short is not None:
        found = found.filter(held__gt=possible) if short else found.filter(held__lte=possible)
    if backordered is not None:
        on_hand = F("on_hand")
        found = found.filter(held__gt=on_hand) if backordered else found.filter(held__lte=on_hand)
    return found


def warehouses() -> QuerySet[Warehouse]:
    """All of them, to be read in pages by code."""
    return Warehouse.objects.all()


def open_warehouses() -> list[tuple[str, str]]:
    """Code and name, the main one first."""
    found = Warehouse.objects.filter(active=True).order_by("code")
    in_order = sorted(found, key=lambda one: one.code != MAIN_WAREHOUSE)
    return [(one.code, one.name or one.code) for one in in_order]


def warehouse_of(code: str) -> Warehouse:
    """Raises WarehouseNotFound."""
    found: Warehouse | None = Warehouse.objects.filter(pk=code).first()
    if found is None:
        raise WarehouseNotFound(f"There is no warehouse {code}.")
    return found


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
        "backorder_delta",
        "order_id",
        "cart_id",
        "fulfilment_id",
        "transfer_id",
        "reason",
        "actor_id",
        "created_at",
    )


def lacking_in(
    warehouse: str, lines: Iterable[HoldLine], *, fulfilment_id: UUID
) -> tuple[Shortage, ...]:
    """What of these lines is not in the warehouse, unless they were taken out of it before."""
    wanted = summed(lines)
    if StockMovement.objects.filter(fulfilment_id=fulfilment_id).exists():
        return ()
    there = dict(
        StockLevel.objects.filter(
            warehouse_id=warehouse, stock_item_id__in=[line.variant_id for line in wanted]
        ).values_list("stock_item_id", "on_hand")
    )
    return tuple(
        Shortage(
            variant_id=line.variant_id,
            sku=line.sku,
            requested=line.quantity,
            available=there.get(line.variant_id, 0),
        )
        for line in wanted
        if there.get(line.variant_id, 0) < line.quantity
    )
