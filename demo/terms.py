"""How the demo shop ships, taxes and discounts, put into it through the door of pricing."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from domains.pricing.public import (
    Conditions,
    ShippingRate,
    create_coupon,
    create_promotion,
    create_shipping_method,
    create_tax_rate,
    is_set_up,
)
from infrastructure.database.contexts import atomic

# Standard rates of value added tax in per cent, where the customers of Online Retail live.
STANDARD = {
    "AT": "20",
    "BE": "21",
    "CH": "8.1",
    "DE": "19",
    "DK": "25",
    "ES": "21",
    "FI": "25.5",
    "FR": "20",
    "GB": "20",
    "IE": "23",
    "IT": "22",
    "NL": "21",
    "NO": "25",
    "PL": "23",
    "PT": "23",
    "SE": "25",
}
BOOKS = {"DE": "7", "FR": "5.5", "GB": "0", "IE": "0"}


def load_terms(*, now: datetime) -> bool:
    """Set the shop up, all at once, unless somebody has set up anything of it. Whether it did.

    What ships without being asked costs nothing, and nothing is taken off without a coupon.
    """
    with atomic("pricing"):
        if is_set_up():
            return False
        create_shipping_method(
            code="standard",
            name="Standard",
            kind="flat",
            rates={"GBP": ShippingRate(), "EUR": ShippingRate()},
            now=now,
        )
        create_shipping_method(
            code="express",
            name="Express",
            kind="flat",
            rates={
                "GBP": ShippingRate(price_minor=495, free_from_minor=5000),
                "EUR": ShippingRate(price_minor=595, free_from_minor=6000),
            },
            position=1,
            now=now,
        )
        for tax_class, percents in (("standard", STANDARD), ("books", BOOKS)):
            for country, percent in percents.items():
                create_tax_rate(
                    country=country,
                    tax_class=tax_class,
                    name="VAT",
                    percent=Decimal(percent),
                    now=now,
                )
        welcome = create_promotion(
            name="Ten per cent for a welcome",
            kind="percentage",
            automatic=False,
            percent=Decimal(10),
            now=now,
        )
        create_coupon(code="WELCOME10", promotion_id=welcome, now=now)
        early = create_promotion(
            name="Five pounds for the first hundred",
            kind="fixed_order",
            automatic=False,
            amounts_minor={"GBP": 500},
            conditions=Conditions(minimum_subtotal_minor={"GBP": 2000}, not_on_sale=True),
            combinable=False,
            now=now,
        )
        create_coupon(
            code="EARLYBIRD",
            promotion_id=early,
            usage_limit=100,
            usage_limit_per_customer=1,
            now=now,
        )
    return True
