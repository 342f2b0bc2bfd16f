"""What staff see of products: also of what is not on sale, with figures and base prices."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import msgspec
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from domains.products.models import (
    Category,
    Price,
    Product,
    ProductCategory,
    StockItem,
    Variant,
)
from domains.products.queries.price_sql import PRICE
from domains.products.queries.prices import PricesFor, ShownPrice
from domains.products.queries.variants import priced
from infrastructure.database.contexts import connection_of
from infrastructure.money import Money


@dataclass(frozen=True, kw_only=True, slots=True)
class StaffVariant:
    """price: of the base. left: what can still be promised; below zero by what is missing."""

    sku: str
    retired: bool
    on_hand: int
    held: int
    left: int
    price: ShownPrice

    @property
    def regular(self) -> Money | None:
        """What it costs apart from a sale."""
        reduction = self.price.reduction
        return self.price.price if reduction is None else reduction.regular_price


@dataclass(frozen=True, kw_only=True, slots=True)
class StaffProduct:
    """categories: their names, the main one first."""

    variants: tuple[StaffVariant, ...]
    categories: tuple[str, ...]

    @property
    def sold(self) -> tuple[StaffVariant, ...]:
        return tuple(variant for variant in self.variants if not variant.retired)

    @property
    def left(self) -> int:
        return sum(variant.left for variant in self.sold)

    @property
    def prices(self) -> tuple[Money, ...]:
        """What its variants cost: the lowest, and the highest if that is another."""
        asked = [variant.price.price for variant in self.sold]
        amounts = {money.amount_minor: money for money in asked if money is not None}
        return (
            tuple(amounts[key] for key in sorted({min(amounts), max(amounts)})) if amounts else ()
        )


# Takes now, the currency and the products.
_SHOWN = f"""
    SELECT p.id, (
        SELECT json_agg(json_build_array(v.sku, v.retired_at IS NOT NULL, s.on_hand, s.held,
            s.on_hand + s.backorder_limit - s.held, {PRICE}) ORDER BY v.position, v.id)::text
        FROM products_variant v
        JOIN products_stockitem s ON s.variant_id = v.id
        LEFT JOIN products_price pr
            ON pr.variant_id = v.id AND pr.currency = %s AND pr.price_list_id IS NULL
        WHERE v.product_id = p.id
    ), (
        SELECT json_agg(c.name ORDER BY l.position, l.id)::text
        FROM products_productcategory l JOIN products_category c ON c.id = l.category_id
        WHERE l.product_id = p.id
    )
    FROM products_product p WHERE p.id = ANY(%s::uuid[])
"""


def staff_products(
    product_ids: Collection[UUID], *, currency: str, now: datetime
) -> dict[UUID, StaffProduct]:
    """One statement for all of them."""
    prices = PricesFor(currency=currency, now=now)
    rows = connection_of("products").fetch(_SHOWN, [now, currency, list(product_ids)])
    found = {}
    for product_id, variants, categories in rows:
        found[UUID(str(product_id))] = StaffProduct(
            variants=tuple(
                StaffVariant(
                    sku=sku, retired=retired, on_hand=on_hand, held=held, left=left, price=price
                )
                for (sku, retired, on_hand, held, left), price in priced(variants, prices)
            ),
            categories=tuple(msgspec.json.decode(categories)) if categories else (),
        )
    return found


def products_found(products: QuerySet[Any], words: str) -> QuerySet[Any]:
    """Products whose name has all the words, or that have this slug, SKU (or its beginning),
    barcode or external id. Also those that are not on sale, so it does not ask the listing."""
    text = words.strip()
    if not text:
        return products
    variants = Variant.objects.filter(
        Q(sku__istartswith=text) | Q(barcode=text) | Q(external_id=text)
    )
    named = Q()
    for word in text.split():
        named &= Q(name__icontains=word)
    return products.filter(
        named | Q(slug=text) | Q(external_id=text) | Q(pk__in=variants.values("product_id"))
    )


def within_category(products: QuerySet[Any], slug: str) -> QuerySet[Any]:
    """Products in a category or below it. One statement for the tree."""
    rows = connection_of("products").fetch(
        """
        WITH RECURSIVE tree AS (
            SELECT id FROM products_category WHERE slug = %s
            UNION ALL
            SELECT c.id FROM products_category c JOIN tree ON c.parent_id = tree.id
        ) SELECT id FROM tree
        """,
        [slug],
    )
    links = ProductCategory.objects.filter(
        product_id=OuterRef("pk"), category_id__in=[row[0] for row in rows]
    )
    return products.filter(Exists(links))


def with_stock(products: QuerySet[Any], kind: str) -> QuerySet[Any]:
    """kind: `some` can be promised, `none` can, `low` is at its threshold, or `short`."""
    left = F("on_hand") + F("backorder_limit") - F("held")
    items = StockItem.objects.filter(
        variant__product_id=OuterRef("pk"), variant__retired_at=None
    ).annotate(left=left)
    match kind:
        case "some":
            return products.filter(Exists(items.filter(left__gt=0)))
        case "none":
            return products.exclude(Exists(items.filter(left__gt=0)))
        case "low":
            return products.filter(Exists(items.filter(low_stock_threshold__gte=F("left"))))
        case _:
            return products.filter(Exists(items.filter(left__lt=0)))


@dataclass(frozen=True, kw_only=True, slots=True)
class CategoryChoices:
    """path: from the top of the tree to the chosen one, with it. below: its children."""

    path: tuple[tuple[str, str], ...]
    below: tuple[tuple[str, str], ...]


def category_choices(slug: str | None) -> CategoryChoices:
    """Slugs and names, to go down the tree a level at a time. Two statements at most."""
    path: list[tuple[str, str]] = []
    parent = None
    if slug:
        rows = connection_of("products").fetch(
            """
            WITH RECURSIVE up AS (
                SELECT id, parent_id, slug, name, 0 AS height FROM products_category WHERE slug = %s
                UNION ALL
                SELECT c.id, c.parent_id, c.slug, c.name, up.height + 1
                FROM products_category c JOIN up ON c.id = up.parent_id
            ) SELECT id, slug, name FROM up ORDER BY height DESC
            """,
            [slug],
        )
        path = [(row[1], row[2]) for row in rows]
        parent = rows[-1][0] if rows else None
    below = Category.objects.filter(parent_id=parent).order_by("position")
    return CategoryChoices(path=tuple(path), below=tuple(below.values_list("slug", "name")))


def prices_of_products(
    product_ids: Sequence[UUID], *, currency: str, price_list: str | None, at_most: int
) -> list[UUID]:
    """The prices of the variants on sale of these products, in the base or in a list."""
    found = Price.objects.filter(
        variant__product_id__in=list(product_ids),
        variant__retired_at=None,
        variant__product__status__in=(Product.Status.DRAFT, Product.Status.ACTIVE),
        currency=currency,
        list_code=price_list or "",
    )
    return cast("list[UUID]", list(found.order_by("pk").values_list("pk", flat=True)[:at_most]))
