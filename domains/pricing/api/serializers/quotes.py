"""What the route of quotes takes and answers."""

from __future__ import annotations

from typing import Annotated, Self

from msgspec import UNSET, Meta, UnsetType

from domains.pricing.api.serializers.fields import CouponCode, Name, Postcode, Region
from domains.pricing.queries.storefront import Wanted
from domains.pricing.rules import amounts, quotes
from infrastructure.http.types import ONE_LINE, Body, CountryCode, Currency, Money, Out

Sku = Annotated[str, Meta(min_length=1, max_length=64, pattern=ONE_LINE, examples=["85123A"])]


class Item(Body, frozen=True, kw_only=True):
    sku: Sku
    quantity: Annotated[int, Meta(ge=1, le=1_000_000)]


class AskQuote(Body, frozen=True, kw_only=True):
    """currency: the shop's where it is left out. shipping_method: the default one, where it is.
    Without a country there is neither tax nor shipping that goes to some countries only."""

    items: Annotated[list[Item], Meta(min_length=1, max_length=100)]
    currency: Currency | UnsetType = UNSET
    channel: Name | UnsetType = UNSET
    country: CountryCode | UnsetType = UNSET
    region: Region = ""
    postcode: Postcode = ""
    shipping_method: Name | UnsetType = UNSET
    coupons: Annotated[list[CouponCode], Meta(max_length=10)] = []


class Line(Out, frozen=True, kw_only=True):
    """unit_price, subtotal, discount: with tax or without, as `prices_include_tax` says. tax_rate:
    per cent. total: what is paid for the line, tax included."""

    sku: str
    quantity: int
    unit_price: Money
    subtotal: Money
    discount: Money
    tax: Money
    tax_rate: str
    total: Money


class Shipping(Out, frozen=True, kw_only=True):
    method: str
    name: str
    price: Annotated[Money, Meta(description=amounts.SHIPPING_PRICE)]
    discount: Annotated[Money, Meta(description=amounts.SHIPPING_DISCOUNT)]
    net: Annotated[Money, Meta(description=amounts.SHIPPING_NET)]
    tax: Annotated[Money, Meta(description=amounts.SHIPPING_TAX)]
    tax_rate: str
    total: Annotated[Money, Meta(description=amounts.SHIPPING_PAID)]


class Discount(Out, frozen=True, kw_only=True):
    """coupon: the code that brought it; null for one that everybody gets."""

    name: str
    coupon: str | None
    amount: Money


class Problem(Out, frozen=True, kw_only=True):
    """What was asked for and cannot be had; the quote is without it. pointer: where it is asked
    for."""

    code: str
    pointer: str
    detail: str


class Quote(Out, frozen=True, kw_only=True):
    """total is the sum of the totals of lines and shipping, too. shipping: null where nothing is
    shipped, or nobody knows how."""

    lines: list[Line]
    shipping: Shipping | None
    discounts: list[Discount]
    prices_include_tax: bool
    subtotal: Annotated[Money, Meta(description=amounts.SUBTOTAL)]
    discount: Annotated[Money, Meta(description=amounts.DISCOUNT)]
    shipping_total: Annotated[Money, Meta(description=amounts.SHIPPING_PAID)]
    tax: Annotated[Money, Meta(description=amounts.TAX)]
    total: Annotated[Money, Meta(description=amounts.total("total"))]
    problems: list[Problem]

    @classmethod
    def of(cls, quote: quotes.Quote, wanted: list[Wanted], *, currency: str) -> Self:
        def money(amount_minor: int) -> Money:
            return Money.of_minor(amount_minor, currency)

        shipped = quote.shipping
        return cls(
            lines=[
                Line(
                    sku=wanted[int(line.key)].sku,
                    quantity=line.quantity,
                    unit_price=money(line.unit_price_minor),
                    subtotal=money(line.subtotal_minor),
                    discount=money(line.discount_minor),
                    tax=money(line.tax_minor),
                    tax_rate=line.tax_rate,
                    total=money(line.total_minor),
                )
                for line in quote.lines
            ],
            shipping=None
            if shipped is None
            else Shipping(
                method=shipped.method,
                name=shipped.name,
                price=money(shipped.price_minor),
                discount=money(shipped.discount_minor),
                net=money(shipped.net_minor),
                tax=money(shipped.tax_minor),
                tax_rate=shipped.tax_rate,
                total=money(shipped.total_minor),
            ),
            discounts=[
                Discount(name=one.name, coupon=one.coupon, amount=money(one.amount_minor))
                for one in quote.discounts
            ],
            prices_include_tax=quote.prices_include_tax,
            subtotal=money(quote.subtotal_minor),
            discount=money(quote.discount_minor),
            shipping_total=money(quote.shipping_minor),
            tax=money(quote.tax_minor),
            total=money(quote.total_minor),
            problems=[
                Problem(code=one.code, pointer=one.pointer, detail=one.detail)
                for one in quote.problems
            ],
        )
