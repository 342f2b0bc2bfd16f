"""Quotes: what is asked for, with the terms that hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.conf import settings

from domains.pricing.queries import terms as terms_queries
from domains.pricing.rules import totals
from domains.pricing.rules.codes import plain_code
from domains.pricing.rules.quotes import Quote, QuoteRequest, ShippingOption
from domains.pricing.rules.terms import CouponTerms, PromotionTerms, Terms
from domains.products import public as products


def quote(request: QuoteRequest, *, now: datetime, beside: PromotionTerms | None = None) -> Quote:
    """beside: a promotion that holds as if everybody had it, for a preview."""
    _, quoted = _quoting(request, now, beside)
    return quoted(request)


def shipping_options(request: QuoteRequest, *, now: datetime) -> tuple[ShippingOption, ...]:
    terms, quoted = _quoting(request, now, None)
    return totals.options(request, terms, quoted)


def prices_include_tax(channel: str | None) -> bool:
    """By setting, the other way round on the channels of PRICES_INCLUDE_TAX_EXCEPT_ON."""
    included: bool = settings.PRICES_INCLUDE_TAX
    return included != (channel in settings.PRICES_INCLUDE_TAX_EXCEPT_ON)


def _quoting(
    request: QuoteRequest, now: datetime, beside: PromotionTerms | None
) -> tuple[Terms, Callable[[QuoteRequest], Quote]]:
    """The terms, and what quotes this request with any shipping method."""
    terms = terms_queries.terms_at(now)
    if beside is not None:
        others = tuple(one for one in terms.promotions if one.id != beside.id)
        terms = Terms(methods=terms.methods, percents=terms.percents, promotions=(*others, beside))
    counts = request.used_by is not None and request.redeemed is None
    limited = terms.limited_per_customer if counts else []
    coupons: dict[str, CouponTerms] = {}
    used: dict[UUID, int] = {}
    kept = {one.coupon for one in request.kept}
    codes = [code for code in map(plain_code, request.coupons) if code not in kept]
    if codes or limited:
        coupons, used = terms_queries.asked_of(
            codes=codes,
            customer_key=request.used_by,
            promotions=limited,
        )
    categories: dict[UUID, frozenset[str]] = {}
    if totals.asks_for_categories(terms, coupons.values(), request.kept):
        categories = products.categories_of({line.product_id for line in request.lines})

    included = request.prices_include_tax
    if included is None:
        included = prices_include_tax(request.channel)

    def quoted(asked: QuoteRequest) -> Quote:
        return totals.quoted(
            asked,
            terms,
            coupons=coupons,
            used_by_customer=used,
            categories=categories,
            prices_include_tax=included,
            now=now,
        )

    return terms, quoted
