"""What an order's lines cost, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from domains.orders.errors import (
    NotSoldInCurrency,
    OutOfStock,
    PriceChanged,
    QuoteRefused,
    TotalTooLarge,
    UnknownChannel,
    UnknownSku,
)
from domains.orders.models import Order, OrderLine, Terms
from domains.orders.models.refusals import LINES, lines_at, not_so_many
from domains.orders.services.wishes import WantedLine, Wish
from domains.pricing import public as pricing
from domains.products import public as products
from infrastructure.errors import FieldError
from infrastructure.money import MAX_AMOUNT_MINOR, Money


def offers_for(wish: Wish, *, now: datetime) -> dict[str, products.Offer]:
    """What is offered of what is wanted; the price of one depends on how many of its SKU all lines
    together want. Raises UnknownChannel."""
    try:
        return products.offers(
            _wanted(wish.lines),
            currency=wish.currency,
            channel=wish.channel,
            customer_group=wish.customer_group,
            now=now,
        )
    except products.UnknownChannel as error:
        fault = FieldError("/channel", error.code, error.detail)
        raise UnknownChannel(error.detail, errors=[fault]) from error


def priced(
    wish: Wish, offers: Mapping[str, products.Offer], *, now: datetime
) -> tuple[list[OrderLine], Terms]:
    """The lines of an order and what it costs.

    Raises UnknownSku, NotSoldInCurrency, OutOfStock, QuoteRefused, TotalTooLarge and PriceChanged.
    """
    _refuse_what_cannot_be_had(wish, offers, now=now)
    quote = pricing.quote(_request(wish, offers), now=now)
    if quote.problems:
        raise QuoteRefused(errors=[FieldError(p.pointer, p.code, p.detail) for p in quote.problems])
    refuse_what_is_too_large(quote, currency=wish.currency, at=lines_at(wish.cart_id))
    _refuse_another_total(wish, Money(quote.total_minor, wish.currency))
    lines = _order_lines(wish, offers, quote)
    return lines, _terms(wish, quote, lines)


def _wanted(lines: Sequence[WantedLine]) -> dict[str, int]:
    """How many of each SKU all lines together want."""
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    return wanted


def _refuse_what_cannot_be_had(
    wish: Wish, offers: Mapping[str, products.Offer], *, now: datetime
) -> None:
    unsold = {
        position: line.sku
        for position, line in enumerate(wish.lines)
        if line.sku not in offers or not offers[line.sku].active
    }
    if unsold:
        raise not_sold(unsold, currency=wish.currency, at=lines_at(wish.cart_id))
    wanted = _wanted(wish.lines)
    lacking = {
        sku: quantity - offers[sku].available
        for sku, quantity in wanted.items()
        if quantity > offers[sku].available
    }
    if lacking and wish.cart_id is not None:
        # What the cart holds itself does not count as available.
        own = products.held_for_cart(cart_id=wish.cart_id, now=now)
        lacking = {sku: missing for sku, missing in lacking.items() if missing > own.get(sku, 0)}
    if lacking:
        raise OutOfStock(
            errors=[
                not_so_many(line.sku, wanted[line.sku], at=f"{lines_at(wish.cart_id)}/{position}")
                for position, line in enumerate(wish.lines)
                if line.sku in lacking
            ]
        )


def not_sold(
    unsold: Mapping[int, str], *, currency: str, at: str = LINES
) -> UnknownSku | NotSoldInCurrency:
    """The refusal of lines, by their places, that nothing is offered for. at: where the request
    names them. One statement."""
    why = products.why_not_offered(unsold.values(), currency=currency)
    faults = [
        FieldError(f"{at}/{position}/sku", why[sku].code, why[sku].detail)
        for position, sku in unsold.items()
    ]
    if any(fault.code == UnknownSku.code for fault in faults):
        return UnknownSku(errors=faults)
    return NotSoldInCurrency(errors=faults)


def _request(wish: Wish, offers: Mapping[str, products.Offer]) -> pricing.QuoteRequest:
    address = wish.shipping_address
    return pricing.QuoteRequest(
        lines=tuple(
            pricing.QuoteLine(
                key=str(position),
                product_id=offer.product_id,
                sku=line.sku,
                quantity=line.quantity,
                unit_price_minor=offer.unit_price.amount_minor,
                tax_class=offer.tax_class,
                weight_g=offer.weight_g or 0,
                on_sale=offer.on_sale,
            )
            for position, line in enumerate(wish.lines)
            for offer in (offers[line.sku],)
        ),
        currency=wish.currency,
        country=address["country"],
        region=address.get("region", ""),
        postcode=address.get("postcode", ""),
        shipping_method=wish.shipping_method,
        coupons=tuple(wish.coupons),
        customer_id=wish.customer_id,
        customer_key=wish.customer_key if wish.customer_id is None else None,
        customer_group=wish.customer_group,
        channel=wish.channel,
    )


def _refuse_another_total(wish: Wish, total: Money) -> None:
    if wish.expected_total is not None and wish.expected_total != total:
        fault = FieldError(
            "/expected_total",
            PriceChanged.code,
            f"The total is {total}, and not {wish.expected_total}.",
            current=total.amount_text,
        )
        raise PriceChanged(errors=[fault])


def _order_lines(
    wish: Wish, offers: Mapping[str, products.Offer], quote: pricing.Quote
) -> list[OrderLine]:
    lines = []
    for position, (wanted, quoted) in enumerate(zip(wish.lines, quote.lines, strict=True)):
        offer = offers[wanted.sku]
        lines.append(
            OrderLine(
                position=position,
                product_id=offer.product_id,
                variant_id=offer.variant_id,
                sku=wanted.sku,
                name=offer.name,
                note=wanted.note,
                weight_g=offer.weight_g or 0,
                quantity=wanted.quantity,
                unit_price_minor=quoted.unit_price_minor,
                subtotal_minor=quoted.subtotal_minor,
                discount_minor=quoted.discount_minor,
                tax_class=offer.tax_class,
                tax_rate=quoted.tax_rate,
                tax_minor=quoted.tax_minor,
                amount_minor=quoted.total_minor,
            )
        )
    return lines


def _terms(wish: Wish, quote: pricing.Quote, lines: Sequence[OrderLine]) -> Terms:
    shipping = quote.shipping
    return Terms(
        prices_include_tax=quote.prices_include_tax,
        subtotal_minor=quote.subtotal_minor,
        discount_minor=quote.discount_minor,
        shipping_method="" if shipping is None else shipping.method,
        shipping_name="" if shipping is None else shipping.name,
        shipping_minor=quote.shipping_minor,
        shipping_tax_minor=0 if shipping is None else shipping.tax_minor,
        shipping_tax_rate="0" if shipping is None else shipping.tax_rate,
        tax_minor=quote.tax_minor,
        total_minor=quote.total_minor,
        coupons=pricing.distinct_coupons(wish.coupons),
        uses=[{"promotion_id": str(use.promotion_id), "coupon": use.coupon} for use in quote.uses],
        discounts=discounts_of(quote),
        promotions=promotions_of(quote, [line.id for line in lines]),
    )


def refuse_what_is_too_large(quote: pricing.Quote, *, currency: str, at: str | None) -> None:
    """at: where the request names the lines; None where it names none. Raises TotalTooLarge."""
    if quote.is_too_large:
        most = Money(MAX_AMOUNT_MINOR, currency)
        detail = f"An order may be worth {most}, before discounts as well."
        faults = [] if at is None else [FieldError(at, TotalTooLarge.code, detail)]
        raise TotalTooLarge(detail, errors=faults)


def discounts_of(quote: pricing.Quote) -> list[dict[str, Any]]:
    """What was taken off, as an order says it."""
    return [
        {
            "promotion_id": str(discount.promotion_id),
            "name": discount.name,
            "coupon": discount.coupon,
            "amount_minor": discount.amount_minor,
        }
        for discount in quote.discounts
    ]


def promotions_of(quote: pricing.Quote, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """What an order was given, as it keeps it. ids: of the lines that were quoted, in their order;
    the key of each was its place."""
    written = []
    for given in quote.given:
        one: dict[str, Any] = {"coupon": given.coupon, "terms": pricing.to_keep(given)}
        if given.lines is not None:
            one["lines"] = [str(ids[place]) for place in sorted(map(int, given.lines))]
        written.append(one)
    return written


def kept_by(order: Order, ids: Sequence[UUID]) -> tuple[pricing.Kept, ...]:
    """What `promotions_of` wrote, for a quote of these lines."""
    keys = {str(line_id): str(place) for place, line_id in enumerate(ids)}
    return tuple(
        pricing.kept(
            one["terms"],
            coupon=one["coupon"],
            lines=[keys[each] for each in one["lines"] if each in keys] if "lines" in one else None,
        )
        for one in order.promotions
    )


def redeemed_by(order: Order) -> frozenset[pricing.Use]:
    return frozenset(
        pricing.Use(promotion_id=UUID(use["promotion_id"]), coupon=use["coupon"])
        for use in order.uses
    )
