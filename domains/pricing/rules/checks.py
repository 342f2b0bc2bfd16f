"""What a shipping method, a tax rate, a promotion or a coupon must be like to be kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from domains.pricing.rules.terms import PromotionKind, ShippingKind, ShippingRate
from infrastructure.errors import FieldError
from infrastructure.money import InvalidMoney, minor_digits

MAX_PERCENT = Decimal(100)


def rate_faults(kind: str, rates: Mapping[str, ShippingRate]) -> Iterator[FieldError]:
    """What is wrong with the prices of a shipping method, by currency."""
    if not rates:
        yield FieldError("/rates", "rates_needed", "It needs a price in at least one currency.")
    for currency, rate in rates.items():
        where = f"/rates/{currency}"
        yield from _currency_faults(where, currency)
        if rate.price_minor < 0 or any(price < 0 for _, price in rate.tiers):
            yield FieldError(where, "negative_price", "Nobody is paid for shipping.")
        if kind == ShippingKind.FLAT and rate.tiers:
            yield FieldError(f"{where}/tiers", "tiers_not_wanted", "A flat price has no tiers.")
        if kind == ShippingKind.WEIGHT:
            weights = [up_to_g for up_to_g, _ in rate.tiers]
            if not weights or weights[0] < 0 or weights != sorted(set(weights)):
                yield FieldError(
                    f"{where}/tiers", "tiers_not_ascending", "Tiers ascend by weight, from one on."
                )
        if rate.free_from_minor is not None and rate.free_from_minor < 0:
            yield FieldError(f"{where}/free_from", "negative_price", "It is free from 0 at least.")


def promotion_faults(
    *,
    kind: str,
    percent: Decimal,
    amounts_minor: Mapping[str, int],
    minimums_minor: Mapping[str, int],
    shipping_methods: bool,
    usage_limit: int | None,
    usage_limit_per_customer: int | None,
    valid_from: datetime | None,
    valid_until: datetime | None,
) -> Iterator[FieldError]:
    """What is wrong with a promotion."""
    if kind == PromotionKind.PERCENTAGE:
        if not 0 < percent <= MAX_PERCENT:
            yield FieldError("/percent", "invalid_percentage", "Above 0 and at most 100.")
    elif percent:
        yield FieldError("/percent", "percent_not_wanted", "Only a percentage has one.")
    if kind in (PromotionKind.FIXED_ORDER, PromotionKind.FIXED_ITEM):
        if not amounts_minor:
            yield FieldError("/amounts", "amounts_needed", "An amount in at least one currency.")
    elif amounts_minor:
        yield FieldError("/amounts", "amounts_not_wanted", "Only a fixed amount has them.")
    for pointer, amounts in (
        ("/amounts", amounts_minor),
        ("/conditions/minimum_subtotal", minimums_minor),
    ):
        for currency, amount_minor in amounts.items():
            yield from _currency_faults(f"{pointer}/{currency}", currency)
            if amount_minor <= 0:
                yield FieldError(f"{pointer}/{currency}", "amount_not_positive", "Above 0.")
    if shipping_methods and kind != PromotionKind.FREE_SHIPPING:
        yield FieldError(
            "/conditions/shipping_methods",
            "shipping_methods_not_wanted",
            "Only free shipping is about shipping methods.",
        )
    yield from limit_faults(usage_limit, usage_limit_per_customer)
    if valid_from is not None and valid_until is not None and valid_until <= valid_from:
        yield FieldError("/valid_until", "invalid_validity", "It would end before it begins.")


def limit_faults(
    usage_limit: int | None, usage_limit_per_customer: int | None
) -> Iterator[FieldError]:
    for name, limit in (
        ("usage_limit", usage_limit),
        ("usage_limit_per_customer", usage_limit_per_customer),
    ):
        if limit is not None and limit < 1:
            yield FieldError(f"/{name}", "limit_not_positive", "At least 1; none for no limit.")


def _currency_faults(pointer: str, currency: str) -> Iterator[FieldError]:
    try:
        minor_digits(currency)
    except InvalidMoney as error:
        yield FieldError(pointer, error.code, str(error))
