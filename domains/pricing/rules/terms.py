"""What quotes are made from: how a shop ships, taxes and discounts. All of it is data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

STANDARD_TAX_CLASS = "standard"


class ShippingKind(StrEnum):
    FLAT = "flat"
    WEIGHT = "weight"


class PromotionKind(StrEnum):
    PERCENTAGE = "percentage"
    FIXED_ORDER = "fixed_order"
    FIXED_ITEM = "fixed_item"
    FREE_SHIPPING = "free_shipping"


@dataclass(frozen=True, kw_only=True, slots=True)
class ShippingRate:
    """What a method costs in one currency, in the terms of its prices (with tax or without).

    price_minor: of a flat one. tiers: of one by weight, (up to so many grams, price), ascending;
    what is heavier than the last is not sent by it. free_from_minor: it costs nothing from goods of
    so much on, after discounts; None: never.
    """

    price_minor: int = 0
    tiers: tuple[tuple[int, int], ...] = ()
    free_from_minor: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ShippingTerms:
    """A method. rates: by currency; it is not offered in others. countries, channels: where it is
    offered; none: everywhere. not_to: beginnings of postcodes that it does not go to."""

    code: str
    name: str
    kind: ShippingKind
    tax_class: str
    rates: Mapping[str, ShippingRate]
    countries: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    not_to: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class TaxTerms:
    """percent: 20 for 20 %. region: empty for the whole country."""

    country: str
    region: str
    tax_class: str
    percent: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """When a promotion holds, and for which lines. What is empty does not matter.

    minimum_subtotal_minor: by currency; where it says nothing of a currency it does not hold there.
    That and minimum_quantity count the lines that it is for, before any discount.
    skus, product_ids, categories: the lines it is for are in at least one of them.
    shipping_methods: which ones free shipping is about.
    """

    minimum_subtotal_minor: Mapping[str, int] = field(default_factory=dict)
    minimum_quantity: int = 0
    skus: frozenset[str] = frozenset()
    product_ids: frozenset[UUID] = frozenset()
    categories: frozenset[str] = frozenset()
    customer_groups: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    currencies: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    shipping_methods: frozenset[str] = frozenset()
    not_on_sale: bool = False

    @property
    def ask_the_catalogue(self) -> bool:
        """Whether a line that it is for may be one that it is not for tomorrow."""
        return self.not_on_sale or bool(self.categories)


@dataclass(frozen=True, kw_only=True, slots=True)
class PromotionTerms:
    """automatic: without a coupon. percent: of a percentage. amounts_minor: of a fixed amount, by
    currency; it does not hold in others. combinable: with others that are combinable too.
    usage_limit, usage_limit_per_customer: None for none. used: as of when it was read."""

    id: UUID
    name: str
    kind: PromotionKind
    automatic: bool
    percent: Decimal = Decimal(0)
    amounts_minor: Mapping[str, int] = field(default_factory=dict)
    priority: int = 0
    combinable: bool = True
    conditions: Conditions = field(default_factory=Conditions)
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    usage_limit: int | None = None
    usage_limit_per_customer: int | None = None
    used: int = 0

    @property
    def is_limited(self) -> bool:
        return self.usage_limit is not None or self.usage_limit_per_customer is not None

    def is_used_up(self, *, by_customer: int) -> bool:
        return is_used_up(self.used, by_customer, self.usage_limit, self.usage_limit_per_customer)


@dataclass(frozen=True, kw_only=True, slots=True)
class CouponTerms:
    """A code that was asked about, and what it brings. active: both it and its promotion are.
    used_by_customer, promotion_used_by_customer: by the customer that was asked about."""

    code: str
    promotion: PromotionTerms
    active: bool
    usage_limit: int | None
    usage_limit_per_customer: int | None
    used: int
    used_by_customer: int
    promotion_used_by_customer: int

    @property
    def is_used_up(self) -> bool:
        return is_used_up(
            self.used, self.used_by_customer, self.usage_limit, self.usage_limit_per_customer
        ) or self.promotion.is_used_up(by_customer=self.promotion_used_by_customer)


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """All that holds at present for everybody. methods: in their order; the first that goes
    somewhere is the default there. percents: by country, region and tax class. promotions: those
    that need no coupon."""

    methods: tuple[ShippingTerms, ...] = ()
    percents: Mapping[tuple[str, str, str], Decimal] = field(default_factory=dict)
    promotions: tuple[PromotionTerms, ...] = ()

    @property
    def limited_per_customer(self) -> list[UUID]:
        """Promotions that somebody may have had their share of."""
        return [one.id for one in self.promotions if one.usage_limit_per_customer is not None]


def is_used_up(used: int, by_customer: int, limit: int | None, per_customer: int | None) -> bool:
    return (limit is not None and used >= limit) or (
        per_customer is not None and by_customer >= per_customer
    )
