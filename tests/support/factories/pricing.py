"""Promotions, coupons, taxes and shipping methods, made through the services."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from domains.pricing.public import QuoteLine, QuoteRequest, Use
from domains.pricing.rules.terms import ShippingRate
from domains.pricing.services import coupons, promotions, shipping, taxes

PRODUCT = UUID("01900000-0000-7000-8000-000000000001")


def line(key: str = "0", **changes: Any) -> QuoteLine:
    """Two lanterns of 10.00 each, unless said otherwise."""
    wanted: dict[str, Any] = {
        "product_id": PRODUCT,
        "sku": "LANTERN",
        "quantity": 2,
        "unit_price_minor": 1000,
        "tax_class": "standard",
        "weight_g": 500,
    } | changes
    return QuoteLine(key=key, **wanted)


def request(*lines: QuoteLine, **changes: Any) -> QuoteRequest:
    wanted: dict[str, Any] = {"currency": "GBP", "country": "GB"} | changes
    return QuoteRequest(lines=lines or (line(),), **wanted)


def shipping_method(
    code: str = "standard", *, now: datetime, price_minor: int = 0, **changes: Any
) -> UUID:
    """Flat, everywhere, in pounds."""
    free_from_minor = changes.pop("free_from_minor", None)
    wanted = {
        "name": code.title(),
        "kind": "flat",
        "rates": {"GBP": ShippingRate(price_minor=price_minor, free_from_minor=free_from_minor)},
    } | changes
    return shipping.create_shipping_method(code=code, now=now, **wanted)


def tax_rate(percent: str = "20", *, now: datetime, **changes: Any) -> UUID:
    wanted = {"country": "GB", "tax_class": "standard", "name": "VAT"} | changes
    return taxes.create_tax_rate(percent=Decimal(percent), now=now, **wanted)


def promotion(
    *, now: datetime, kind: str = "percentage", automatic: bool = True, **changes: Any
) -> UUID:
    """Ten per cent for everybody, unless said otherwise."""
    wanted: dict[str, Any] = {"name": "Ten off"}
    if kind == "percentage":
        wanted["percent"] = Decimal(10)
    return promotions.create_promotion(kind=kind, automatic=automatic, now=now, **wanted | changes)


def coupon(code: str = "TEN", *, now: datetime, **limits: Any) -> Use:
    """A code of a promotion of its own; how an order uses it."""
    promotion_id = promotion(now=now, automatic=False, **limits.pop("promotion", {}))
    coupons.create_coupon(code=code, promotion_id=promotion_id, now=now, **limits)
    return Use(promotion_id=promotion_id, coupon=code)
