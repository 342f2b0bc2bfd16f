"""Products, prices and stock, made through the services."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from domains.products.models import StockItem
from domains.products.public import Held, HoldLine, NewCategory, NewProduct, NewVariant, hold
from domains.products.services import categories, inventory, products
from infrastructure.ids import new_id
from infrastructure.money import Money


def product(
    *,
    now: datetime,
    name: str = "White metal lantern",
    sku: str = "71053",
    price_minor: int | None = 339,
    currency: str = "GBP",
    stock: int = 0,
    backorder_limit: int = 0,
    **fields: object,
) -> UUID:
    """A product with one variant, on sale unless its status says otherwise."""
    prices = () if price_minor is None else (Money(price_minor, currency),)
    variant = NewVariant(sku=sku, prices=prices, backorder_limit=backorder_limit)
    product_id = products.create_product(
        product=NewProduct(name=name, variants=(variant,), **{"status": "active"} | fields),  # type: ignore[arg-type]
        actor_id=None,
        now=now,
    )
    if stock:
        inventory.set_stock(levels={sku: stock}, reason="delivery", now=now)
    return product_id


def category(*, name: str, now: datetime, parent: str | None = None) -> UUID:
    """parent: a slug."""
    return categories.add_category(category=NewCategory(name=name, parent=parent), now=now)


def stocked(levels: Mapping[str, int], *, now: datetime) -> dict[str, UUID]:
    """Products on sale for these SKUs with so much in stock; the variants' ids by SKU."""
    products.create_products(
        products=[
            NewProduct(
                name=f"Thing {sku}",
                status="active",
                variants=(NewVariant(sku=sku, prices=(Money(1000, "GBP"),)),),
            )
            for sku in levels
        ],
        now=now,
    )
    inventory.set_stock(
        levels={sku: quantity for sku, quantity in levels.items() if quantity},
        reason="delivery",
        now=now,
    )
    return {sku: variant_id(sku) for sku in levels}


def variant_id(sku: str) -> UUID:
    found: UUID = StockItem.objects.get(sku=sku).pk
    return found


def lines(quantities: Mapping[str, int]) -> list[HoldLine]:
    return [
        HoldLine(variant_id=variant_id(sku), sku=sku, quantity=quantity)
        for sku, quantity in quantities.items()
    ]


def held(quantities: Mapping[str, int], *, now: datetime) -> UUID:
    """An order that holds these quantities; its id."""
    order_id = new_id()
    assert hold(order_id=order_id, lines=lines(quantities), now=now) == Held()
    return order_id
