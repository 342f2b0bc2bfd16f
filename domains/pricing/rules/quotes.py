"""What a quote is asked for, and what it says. Amounts are minor units of its currency."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from domains.pricing.rules.terms import PromotionTerms
from infrastructure.money import MAX_AMOUNT_MINOR


@dataclass(frozen=True, kw_only=True, slots=True)
class QuoteLine:
    """key: what the caller calls the line, each once. weight_g: of one. on_sale: its price is
    reduced already. stays: the order that is changed has the line; what it keeps of promotions is
    for it or not, as it was then."""

    key: str
    product_id: UUID
    sku: str
    quantity: int
    unit_price_minor: int
    tax_class: str
    weight_g: int
    on_sale: bool = False
    stays: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class QuoteRequest:
    """country: where it goes to, None while nobody said. shipping_method: None for the default.
    customer_key: who uses limited promotions; the customer's id where it is None.
    kept: what the order that is changed was given of promotions. They are not looked up, and hold
    whatever became of them since, while what they ask of goods, place and customer is met; their
    codes are no problem while it is not. redeemed: what that order has used of what has a limit:
    that is not counted again, and no other such promotion comes to it. None of a new order.
    prices_include_tax: whether the prices of the lines are with tax, and amounts that are quoted;
    None for what the shop's are at the moment."""

    lines: tuple[QuoteLine, ...]
    currency: str
    country: str | None = None
    region: str = ""
    postcode: str = ""
    shipping_method: str | None = None
    coupons: tuple[str, ...] = ()
    customer_id: UUID | None = None
    customer_key: str | None = None
    customer_group: str | None = None
    channel: str | None = None
    kept: tuple[Kept, ...] = ()
    redeemed: frozenset[Use] | None = None
    prices_include_tax: bool | None = None

    @property
    def used_by(self) -> str | None:
        if self.customer_key is None and self.customer_id is not None:
            return str(self.customer_id)
        return self.customer_key


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotedLine:
    """unit_price, subtotal and discount are with tax or without, as the quote's prices are.
    tax_rate: per cent, as decimal text. total: what is paid for the line, tax included."""

    key: str
    quantity: int
    unit_price_minor: int
    subtotal_minor: int
    discount_minor: int
    tax_minor: int
    tax_rate: str
    total_minor: int


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotedShipping:
    """As a line. total: what is paid for shipping, tax included."""

    method: str
    name: str
    price_minor: int
    discount_minor: int
    tax_minor: int
    tax_rate: str
    total_minor: int

    @property
    def net_minor(self) -> int:
        return self.total_minor - self.tax_minor


@dataclass(frozen=True, kw_only=True, slots=True)
class ShippingOption:
    code: str
    name: str
    price: QuotedShipping


@dataclass(frozen=True, kw_only=True, slots=True)
class AppliedDiscount:
    """terms: by which it was taken off. coupon: the code that brought it; None for one that
    everybody gets."""

    terms: PromotionTerms
    coupon: str | None
    amount_minor: int

    @property
    def promotion_id(self) -> UUID:
        return self.terms.id

    @property
    def name(self) -> str:
        return self.terms.name


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A promotion that an order was given, by the terms as they were then.

    lines: keys of those that it is for; None where that follows from the lines alone.
    """

    terms: PromotionTerms
    coupon: str | None
    lines: frozenset[str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class QuoteProblem:
    """Something that was asked for and could not be had; the quote is without it."""

    code: str
    pointer: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """A coupon, or a promotion with a limit, that an order has to redeem."""

    promotion_id: UUID
    coupon: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """subtotal, discount: of the lines, with tax or without as prices_include_tax says; shipping:
    with tax. tax: of lines and shipping. total is the sum of all totals, always.
    shipping: None where nothing is shipped, or nobody knows yet where to. given: what an order has
    of promotions from then on: all that it keeps, and what takes anything off for the first time.
    """

    lines: tuple[QuotedLine, ...]
    shipping: QuotedShipping | None
    discounts: tuple[AppliedDiscount, ...]
    prices_include_tax: bool
    subtotal_minor: int
    discount_minor: int
    shipping_minor: int
    tax_minor: int
    total_minor: int
    uses: tuple[Use, ...]
    given: tuple[Kept, ...]
    problems: tuple[QuoteProblem, ...]

    @property
    def is_too_large(self) -> bool:
        """Whether any of its amounts is more than anything may cost. No line is worth more than
        all of them, and what is taken off counts as well."""
        return max(self.subtotal_minor, self.total_minor) > MAX_AMOUNT_MINOR
