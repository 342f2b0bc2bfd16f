"""Puts the demo catalogue into the shop, through the door of products."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from zlib import crc32

from demo.catalogue import Product
from demo.pictures import has_motif, picture_of
from domains.products.public import (
    NewCategory,
    NewPrice,
    NewProduct,
    NewVariant,
    add_category,
    add_media,
    create_price_list,
    create_products,
    offers,
    products_with_pictures,
    set_prices,
    set_stock,
)
from infrastructure.database.contexts import atomic
from infrastructure.money import Money, changed_by_percent

BATCH = 500
PICTURES = 24
CURRENCY = "GBP"

Progress = Callable[[int, int], None]


def load(*, products: Sequence[Product], now: datetime, progress: Progress) -> int:
    """Create those that the shop does not have yet, each with its price and its stock.

    A batch is one transaction, so a load that was interrupted goes on where it stopped, and stock
    that was sold since is never filled up again. Pictures come last, to whatever has none yet.
    Returns how many were created.
    """
    known = _known(products, now)
    missing = [product for product in products if product.sku not in known]
    created = 0
    for batch in _batches(missing):
        with atomic("products"):
            if not known:
                create_price_list(
                    code="trade",
                    name="Trade",
                    currency=CURRENCY,
                    customer_group="trade",
                    priority=10,
                    now=now,
                )
                for name in dict.fromkeys(product.category for product in products):
                    add_category(category=NewCategory(name=name), now=now)
                known |= {product.sku for product in batch}
            create_products(products=[_new(product) for product in batch], now=now)
            special = [price for product in batch for price in _special_prices(product, now)]
            set_prices(prices=special, actor_id=None, now=now)
            set_stock(
                levels={product.sku: product.stock for product in batch},
                reason="demo stock",
                now=now,
            )
        created += len(batch)
        progress(created, len(missing))
    _add_pictures(products, now)
    return created


def slug_of(category: str) -> str:
    """The slug that products give a category of this name, as long as no other has it."""
    return "-".join(category.lower().split())


def _known(products: Sequence[Product], now: datetime) -> set[str]:
    return {
        sku
        for batch in _batches(products)
        for sku in offers({product.sku: 1 for product in batch}, currency=CURRENCY, now=now)
    }


def _add_pictures(products: Sequence[Product], now: datetime) -> None:
    """A few here and there get one, among them the good of the README."""
    fitting = {product.sku: product.name for product in products if has_motif(product.name)}
    in_order = sorted(fitting, key=lambda sku: (sku != "85123A", crc32(sku.encode())))
    wanted = dict.fromkeys(in_order[:PICTURES], 1)
    found = offers(wanted, currency=CURRENCY, now=now).values()
    pictured = products_with_pictures([offer.product_id for offer in found])
    for offer in found:
        if offer.active and offer.product_id not in pictured:
            name = fitting[offer.sku]
            file = io.BytesIO(picture_of(name))
            add_media(product_id=offer.product_id, file=file, alt=name, now=now)


def _new(product: Product) -> NewProduct:
    return NewProduct(
        name=product.name,
        status="active",
        variants=(NewVariant(sku=product.sku, prices=(Money(product.price_minor, CURRENCY),)),),
        categories=(slug_of(product.category),),
    )


def _special_prices(product: Product, now: datetime) -> Iterator[NewPrice]:
    """One product in four has one: less from twelve on, less for the trade, or a sale. That begins
    a minute later, since what never cost more is not reduced."""

    def less(percent: int) -> Money:
        return Money(changed_by_percent(product.price_minor, -percent), CURRENCY)

    match crc32(product.sku.encode()) % 12:
        case 0:
            yield NewPrice(sku=product.sku, money=less(10), min_quantity=12)
        case 1:
            yield NewPrice(sku=product.sku, money=less(15), price_list="trade")
        case 2:
            yield NewPrice(
                sku=product.sku,
                money=less(20),
                kind="sale",
                valid_from=now + timedelta(minutes=1),
                valid_until=now + timedelta(days=14),
            )


def _batches(products: Sequence[Product]) -> Iterator[Sequence[Product]]:
    for start in range(0, len(products), BATCH):
        yield products[start : start + BATCH]
