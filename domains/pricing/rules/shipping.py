"""Which shipping methods go where, and what they cost before any discount."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from domains.pricing.rules.quotes import QuoteLine, QuoteRequest
from domains.pricing.rules.terms import ShippingKind, ShippingRate, ShippingTerms


def offered(methods: Iterable[ShippingTerms], request: QuoteRequest) -> Iterator[ShippingTerms]:
    """Those that are offered for this request, in their order.

    While nobody said which country, those that go to some countries only are left out.
    """
    postcode = plain_postcode(request.postcode)
    weight_g = weight_of(request.lines)
    for method in methods:
        rate = method.rates.get(request.currency)
        if (
            rate is not None
            and (not method.countries or request.country in method.countries)
            and (not method.channels or request.channel in method.channels)
            and not (postcode and postcode.startswith(method.not_to))
            and _carries(method, rate, weight_g)
        ):
            yield method


def price_of(method: ShippingTerms, request: QuoteRequest, goods_minor: int) -> int:
    """What an offered method costs for goods of so much, discounts taken off."""
    rate = method.rates[request.currency]
    if rate.free_from_minor is not None and goods_minor >= rate.free_from_minor:
        return 0
    if method.kind == ShippingKind.FLAT:
        return rate.price_minor
    weight_g = weight_of(request.lines)
    return next(price for up_to_g, price in rate.tiers if weight_g <= up_to_g)


def weight_of(lines: Sequence[QuoteLine]) -> int:
    return sum(line.weight_g * line.quantity for line in lines)


def plain_postcode(text: str) -> str:
    """As it is compared: capital, without spaces."""
    return "".join(text.split()).upper()


def _carries(method: ShippingTerms, rate: ShippingRate, weight_g: int) -> bool:
    if method.kind == ShippingKind.FLAT:
        return True
    return bool(rate.tiers) and weight_g <= rate.tiers[-1][0]
