"""What the cart routes take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from domains.carts.queries import PricedCart, PricedLine
from domains.carts.rules import limits
from domains.carts.rules.changes import Difference
from domains.pricing import public as pricing
from domains.pricing.public import amounts
from infrastructure.errors import FieldError
from infrastructure.http.types import ONE_LINE, Body, CountryCode, Currency, Money, Out

Sku = Annotated[str, Meta(min_length=1, max_length=64, examples=["85123A"])]
Code = Annotated[str, Meta(min_length=1, max_length=40, pattern=ONE_LINE, examples=["web"])]
Quantity = Annotated[int, Meta(ge=1, le=limits.MAX_QUANTITY)]
Note = Annotated[str, Meta(max_length=limits.NOTE_LENGTH)]
LineNote = Annotated[str, Meta(max_length=limits.LINE_NOTE_LENGTH)]
Region = Annotated[str, Meta(max_length=100, pattern=ONE_LINE)]
Postcode = Annotated[str, Meta(max_length=20, pattern=ONE_LINE)]


class MakeCart(Body, frozen=True, kw_only=True):
    """currency: the shop's where it is left out."""

    currency: Currency | UnsetType = UNSET
    channel: Code | UnsetType = UNSET


class NewItem(Body, frozen=True, kw_only=True):
    """Without a note, the line keeps the one that it has."""

    sku: Sku
    quantity: Quantity
    note: LineNote | UnsetType = UNSET


class AddItems(Body, frozen=True, kw_only=True):
    items: Annotated[list[NewItem], Meta(min_length=1, max_length=limits.CHANGES_AT_ONCE)]


class SetItem(Body, frozen=True, kw_only=True):
    quantity: Quantity
    note: LineNote | UnsetType = UNSET


class EditCart(Body, frozen=True, kw_only=True):
    note: Note | UnsetType = UNSET
    coupons: Annotated[list[Code], Meta(max_length=limits.MAX_COUPONS)] | UnsetType = UNSET
    shipping_method: Code | UnsetType | None = UNSET
    country: CountryCode | UnsetType | None = UNSET
    region: Region | UnsetType = UNSET
    postcode: Postcode | UnsetType = UNSET


class Item(Out, frozen=True, kw_only=True):
    """Amounts are null for what cannot be had. discount, subtotal: with tax or without, as
    `prices_include_tax` says. total: what is paid for the line, tax included."""

    sku: str
    name: str | None
    quantity: int
    note: str
    supply: Literal["ENOUGH", "SHORT", "UNAVAILABLE"]
    unit_price: Money | None
    subtotal: Money | None
    discount: Money | None
    tax: Money | None
    tax_rate: str | None
    total: Money | None

    @classmethod
    def of(cls, priced: PricedLine, quoted: pricing.QuotedLine | None, currency: str) -> Self:
        def money(amount_minor: int) -> Money:
            return Money.of_minor(amount_minor, currency)

        return cls(
            sku=priced.line.sku,
            name=None if priced.offer is None else priced.offer.name,
            quantity=priced.line.quantity,
            note=priced.line.note,
            supply=priced.supply.value,
            unit_price=None if priced.offer is None else Money.of(priced.offer.unit_price),
            subtotal=None if quoted is None else money(quoted.subtotal_minor),
            discount=None if quoted is None else money(quoted.discount_minor),
            tax=None if quoted is None else money(quoted.tax_minor),
            tax_rate=None if quoted is None else quoted.tax_rate,
            total=None if quoted is None else money(quoted.total_minor),
        )


class Discount(Out, frozen=True, kw_only=True):
    """coupon: the code that brought it; null for one that everybody gets."""

    name: str
    coupon: str | None
    amount: Money


class Shipping(Out, frozen=True, kw_only=True):
    method: str
    name: str
    price: Annotated[Money, Meta(description=amounts.SHIPPING_PRICE)]
    discount: Annotated[Money, Meta(description=amounts.SHIPPING_DISCOUNT)]
    net: Annotated[Money, Meta(description=amounts.SHIPPING_NET)]
    tax: Annotated[Money, Meta(description=amounts.SHIPPING_TAX)]
    total: Annotated[Money, Meta(description=amounts.SHIPPING_PAID)]

    @classmethod
    def of(cls, quoted: pricing.QuotedShipping, currency: str) -> Self:
        return cls(
            method=quoted.method,
            name=quoted.name,
            price=Money.of_minor(quoted.price_minor, currency),
            discount=Money.of_minor(quoted.discount_minor, currency),
            net=Money.of_minor(quoted.net_minor, currency),
            tax=Money.of_minor(quoted.tax_minor, currency),
            total=Money.of_minor(quoted.total_minor, currency),
        )


class ShippingOptions(Out, frozen=True, kw_only=True):
    items: list[Shipping]


class Change(Out, frozen=True, kw_only=True):
    """Something that is not as the customer was told last. was, now: the price of one."""

    code: Literal["price_changed", "currency_changed", "short", "unavailable", "available_again"]
    sku: str
    was: Money | None
    now: Money | None

    @classmethod
    def of(cls, difference: Difference) -> Self:
        was, now = difference.was_minor, difference.now_minor
        return cls(
            code=difference.code.value,
            sku=difference.sku,
            was=None if was is None else Money.of_minor(was, difference.was_currency),
            now=None if now is None else Money.of_minor(now, difference.now_currency),
        )


class Problem(Out, frozen=True, kw_only=True):
    """What would be refused at checkout. pointer: where in the cart."""

    code: str
    pointer: str
    detail: str

    @classmethod
    def of(cls, fault: FieldError) -> Self:
        return cls(code=fault.code, pointer=fault.pointer, detail=fault.detail)


class Problems(Out, frozen=True, kw_only=True):
    items: list[Problem]


class Cart(Out, frozen=True, kw_only=True):
    """status: FROZEN while it is being checked out, or merged. held_until: until when its goods
    are held, where somebody asked for that."""

    id: UUID
    status: Literal["OPEN", "FROZEN"]
    currency: str
    channel: str | None
    items: list[Item]
    coupons: list[str]
    shipping_method: str | None
    country: str | None
    region: str
    postcode: str
    note: str
    prices_include_tax: bool
    subtotal: Annotated[Money, Meta(description=amounts.SUBTOTAL)]
    discounts: list[Discount]
    discount: Annotated[Money, Meta(description=amounts.DISCOUNT)]
    shipping: Shipping | None
    tax: Annotated[Money, Meta(description=amounts.TAX)]
    total: Annotated[Money, Meta(description=amounts.total("total"))]
    changes: list[Change]
    problems: list[Problem]
    held_until: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, shown: PricedCart, *, now: datetime) -> Self:
        cart, quote = shown.cart, shown.quote
        currency = cart.currency
        quoted = {line.key: line for line in quote.lines}
        held = cart.hold is not None and cart.hold.until > now
        return cls(
            id=cart.id,
            status=cart.status.value,
            currency=currency,
            channel=cart.channel,
            items=[
                Item.of(priced, quoted.get(priced.line.sku), currency) for priced in shown.lines
            ],
            coupons=list(cart.coupons),
            shipping_method=cart.shipping_method,
            country=cart.country,
            region=cart.region,
            postcode=cart.postcode,
            note=cart.note,
            prices_include_tax=quote.prices_include_tax,
            subtotal=Money.of_minor(quote.subtotal_minor, currency),
            discounts=[
                Discount(
                    name=applied.name,
                    coupon=applied.coupon,
                    amount=Money.of_minor(applied.amount_minor, currency),
                )
                for applied in quote.discounts
            ],
            discount=Money.of_minor(quote.discount_minor, currency),
            shipping=None if quote.shipping is None else Shipping.of(quote.shipping, currency),
            tax=Money.of_minor(quote.tax_minor, currency),
            total=Money.of_minor(quote.total_minor, currency),
            changes=[Change.of(difference) for difference in shown.differences],
            problems=[Problem.of(problem) for problem in shown.problems],
            held_until=cart.hold.until if held and cart.hold else None,
            created_at=cart.created_at,
            updated_at=cart.updated_at,
        )
