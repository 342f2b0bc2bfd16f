"""The variants of a product, as lists and details show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

import msgspec

from domains.products.models import Variant
from domains.products.queries.price_sql import PRICE, PRICES
from domains.products.queries.prices import PricesFor, ShownPrice, price_shown


class ListedVariant(msgspec.Struct, frozen=True, kw_only=True):
    sku: str
    name: str
    options: dict[str, str]
    unit: str
    price: ShownPrice
    available: bool


# One JSON array per product `p`, with a variant as often as price lists have a price for it. Takes
# the parameters of PricesFor.
VARIANTS = f"""
    SELECT json_agg(json_build_array(v.sku, v.name, v.options, v.unit,
        s.on_hand + s.backorder_limit - s.held > 0, {PRICE}) ORDER BY v.position, v.id)::text
    FROM products_variant v
    JOIN products_stockitem s ON s.variant_id = v.id
    {PRICES}
    WHERE v.product_id = p.id AND v.retired_at IS NULL
"""


def products_of_variants(variant_ids: Sequence[UUID]) -> list[UUID]:
    """The products that these are variants of, each once."""
    if not variant_ids:
        return []
    found = Variant.objects.filter(pk__in=variant_ids)
    return list(found.order_by().values_list("product_id", flat=True).distinct())


def variants_of(text: str | None, prices: PricesFor) -> tuple[ListedVariant, ...]:
    return tuple(
        ListedVariant(
            sku=sku, name=name, options=options, unit=unit, available=available, price=price
        )
        for (sku, name, options, unit, available), price in priced(text, prices)
    )


def priced(text: str | None, prices: PricesFor) -> Iterator[tuple[list[Any], ShownPrice]]:
    """Each variant once: what it is without its price, and its price."""
    rows = msgspec.json.decode(text) if text else ()
    for _, same in groupby(rows, key=itemgetter(0)):
        (*variant, price), *others = same
        yield variant, price_shown([price, *(row[-1] for row in others)], prices)
