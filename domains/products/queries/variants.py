"""The variants of a product, as lists and details show them."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from infrastructure.money import Money


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedVariant:
    """price: None where the variant has none in the currency that was asked for."""

    sku: str
    name: str
    options: dict[str, str]
    unit: str
    price: Money | None
    available: bool


# One JSON array per product `p`. Takes the currency.
VARIANTS = """
    SELECT json_agg(json_build_array(v.sku, v.name, v.options, v.unit, pr.amount_minor,
        s.on_hand + s.backorder_limit - s.held > 0) ORDER BY v.position)::text
    FROM products_variant v
    JOIN products_stockitem s ON s.variant_id = v.id
    LEFT JOIN products_price pr ON pr.variant_id = v.id AND pr.currency = %s
    WHERE v.product_id = p.id
"""


def variants_of(text: str | None, currency: str) -> tuple[ListedVariant, ...]:
    return tuple(
        ListedVariant(
            sku=sku,
            name=name,
            options=options,
            unit=unit,
            price=None if amount_minor is None else Money(amount_minor, currency),
            available=available,
        )
        for sku, name, options, unit, amount_minor, available in (
            msgspec.json.decode(text) if text else ()
        )
    )
