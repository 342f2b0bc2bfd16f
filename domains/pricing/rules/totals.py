"""The one calculation behind carts, orders and previews: a request and the terms make a quote."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from domains.pricing.rules import shipping
from domains.pricing.rules.codes import plain_code
from domains.pricing.rules.discounts import Candidate, Categories, Discounts, discounts_of
from domains.pricing.rules.quotes import (
    Kept,
    Quote,
    QuotedLine,
    QuotedShipping,
    QuoteLine,
    QuoteProblem,
    QuoteRequest,
    ShippingOption,
    Use,
)
from domains.pricing.rules.taxes import percent_for, rate_text, tax_of
from domains.pricing.rules.terms import CouponTerms, PromotionTerms, ShippingTerms, Terms

_SAID = {
    "coupon_not_applicable": "{code} does not hold for this order.",
    "coupon_not_combinable": "{code} cannot be combined with another discount.",
}


def quoted(
    request: QuoteRequest,
    terms: Terms,
    *,
    coupons: Mapping[str, CouponTerms],
    used_by_customer: Mapping[UUID, int],
    categories: Categories,
    prices_include_tax: bool,
    now: datetime,
) -> Quote:
    """What all of it comes to.

    coupons: those of the request that exist, by code. used_by_customer: how often this customer
    used promotions that are limited for each. categories: of the products, those above included;
    only needed where `asks_for_categories`.
    """
    problems: list[QuoteProblem] = []
    asked = _asked_for(request)
    candidates = [
        *_kept_and_automatic(request, terms, used_by_customer),
        *_with_coupons(request, asked, coupons, problems),
    ]
    method = _method(request, terms, problems)
    found = Discounts()
    if candidates:
        found = discounts_of(
            request,
            candidates,
            categories=categories,
            shipping=lambda goods_minor: (
                None
                if method is None
                else (method.code, shipping.price_of(method, request, goods_minor))
            ),
            now=now,
        )
    problems += [
        _problem(why, asked[code], _SAID[why].format(code=code))
        for code, why in found.refused.items()
        if code in asked
    ]
    lines = tuple(
        _line(line, request, terms, found.off.get(line.key, 0), prices_include_tax)
        for line in request.lines
    )
    shipped = None
    if method is not None:
        goods_minor = sum(line.subtotal_minor - line.discount_minor for line in lines)
        shipped = _shipped(
            method,
            request,
            terms,
            price_minor=shipping.price_of(method, request, goods_minor),
            discount_minor=found.off_shipping,
            included=prices_include_tax,
        )
    return _summed(lines, shipped, found, problems, prices_include_tax=prices_include_tax)


def asks_for_categories(terms: Terms, coupons: Iterable[CouponTerms], kept: Iterable[Kept]) -> bool:
    promotions = (
        *terms.promotions,
        *(coupon.promotion for coupon in coupons),
        *(one.terms for one in kept),
    )
    return any(one.conditions.categories for one in promotions)


def options(
    request: QuoteRequest, terms: Terms, quote: Callable[[QuoteRequest], Quote]
) -> tuple[ShippingOption, ...]:
    """Every method that is offered, in their order, each as it is in the quote that chooses it."""
    found = []
    for method in shipping.offered(terms.methods, request):
        price = quote(replace(request, shipping_method=method.code)).shipping
        assert price is not None
        found.append(ShippingOption(code=method.code, name=method.name, price=price))
    return tuple(found)


def _asked_for(request: QuoteRequest) -> dict[str, int]:
    """The coupons of a request, but for those that are kept: their codes and their places in it."""
    kept = {one.coupon for one in request.kept}
    found: dict[str, int] = {}
    for place, text in enumerate(request.coupons):
        code = plain_code(text)
        if code not in kept:
            found.setdefault(code, place)
    return found


def _kept_and_automatic(
    request: QuoteRequest, terms: Terms, used_by_customer: Mapping[UUID, int]
) -> Iterator[Candidate]:
    for one in request.kept:
        yield Candidate(promotion=one.terms, coupon=one.coupon, kept=True, lines=one.lines)
    for promotion in terms.promotions:
        by_customer = used_by_customer.get(promotion.id, 0)
        if _joins(promotion, request.kept) and _may_be_used(
            promotion, request, by_customer=by_customer
        ):
            yield Candidate(promotion=promotion)


def _with_coupons(
    request: QuoteRequest,
    asked: Mapping[str, int],
    coupons: Mapping[str, CouponTerms],
    problems: list[QuoteProblem],
) -> Iterator[Candidate]:
    """Those of the coupons that may be used. problems: to them is added why another may not."""
    for code, place in asked.items():
        coupon = coupons.get(code)
        if coupon is None or not coupon.active:
            problems.append(_problem("unknown_coupon", place, f"There is no coupon {code}."))
        elif coupon.is_used_up and not _has_redeemed(request, coupon.promotion.id, code):
            problems.append(_problem("coupon_used_up", place, f"{code} has been used up."))
        else:
            yield Candidate(promotion=coupon.promotion, coupon=code)


def _summed(
    lines: tuple[QuotedLine, ...],
    shipped: QuotedShipping | None,
    found: Discounts,
    problems: Iterable[QuoteProblem],
    *,
    prices_include_tax: bool,
) -> Quote:
    shipping_minor = 0 if shipped is None else shipped.total_minor
    shipping_tax_minor = 0 if shipped is None else shipped.tax_minor
    return Quote(
        lines=lines,
        shipping=shipped,
        discounts=tuple(found.applied),
        prices_include_tax=prices_include_tax,
        subtotal_minor=sum(line.subtotal_minor for line in lines),
        discount_minor=sum(line.discount_minor for line in lines),
        shipping_minor=shipping_minor,
        tax_minor=sum(line.tax_minor for line in lines) + shipping_tax_minor,
        total_minor=sum(line.total_minor for line in lines) + shipping_minor,
        uses=tuple(
            Use(promotion_id=one.promotion_id, coupon=one.coupon)
            for one in found.applied
            if one.coupon is not None or one.terms.is_limited
        ),
        given=tuple(found.given),
        problems=tuple(sorted(problems, key=lambda one: (one.pointer, one.code))),
    )


def _joins(promotion: PromotionTerms, kept: Sequence[Kept]) -> bool:
    """Whether a promotion may come to those that an order keeps."""
    return not kept or (
        promotion.combinable
        and all(one.terms.combinable and one.terms.id != promotion.id for one in kept)
    )


def _may_be_used(promotion: PromotionTerms, request: QuoteRequest, *, by_customer: int) -> bool:
    if request.redeemed is None:
        return not promotion.is_used_up(by_customer=by_customer)
    return not promotion.is_limited or _has_redeemed(request, promotion.id, None)


def _has_redeemed(request: QuoteRequest, promotion_id: UUID, coupon: str | None) -> bool:
    return Use(promotion_id=promotion_id, coupon=coupon) in (request.redeemed or ())


def _method(
    request: QuoteRequest, terms: Terms, problems: list[QuoteProblem]
) -> ShippingTerms | None:
    """The one asked for, or the first that is offered. A shop without methods ships for nothing."""
    if not terms.methods:
        return None
    offered = list(shipping.offered(terms.methods, request))
    wanted = request.shipping_method
    if wanted is None:
        if not offered and request.country is not None:
            problems.append(
                QuoteProblem(
                    code="shipping_unavailable",
                    pointer="/country",
                    detail="No shipping method goes there.",
                )
            )
        return offered[0] if offered else None
    for method in offered:
        if method.code == wanted:
            return method
    known = any(method.code == wanted for method in terms.methods)
    problems.append(
        QuoteProblem(
            code="shipping_unavailable" if known else "unknown_shipping_method",
            pointer="/shipping_method",
            detail=f"{wanted} does not go there."
            if known
            else f"There is no shipping method {wanted}.",
        )
    )
    return None


def _line(
    line: QuoteLine, request: QuoteRequest, terms: Terms, discount_minor: int, included: bool
) -> QuotedLine:
    subtotal_minor = line.unit_price_minor * line.quantity
    taxed = _taxed(
        subtotal_minor - discount_minor, line.tax_class, request, terms, included=included
    )
    return QuotedLine(
        key=line.key,
        quantity=line.quantity,
        unit_price_minor=line.unit_price_minor,
        subtotal_minor=subtotal_minor,
        discount_minor=discount_minor,
        tax_minor=taxed.tax_minor,
        tax_rate=taxed.rate,
        total_minor=taxed.total_minor,
    )


def _shipped(
    method: ShippingTerms,
    request: QuoteRequest,
    terms: Terms,
    *,
    price_minor: int,
    discount_minor: int,
    included: bool,
) -> QuotedShipping:
    taxed = _taxed(
        price_minor - discount_minor, method.tax_class, request, terms, included=included
    )
    return QuotedShipping(
        method=method.code,
        name=method.name,
        price_minor=price_minor,
        discount_minor=discount_minor,
        tax_minor=taxed.tax_minor,
        tax_rate=taxed.rate,
        total_minor=taxed.total_minor,
    )


@dataclass(frozen=True, slots=True)
class _Taxed:
    tax_minor: int
    rate: str
    total_minor: int


def _taxed(
    amount_minor: int, tax_class: str, request: QuoteRequest, terms: Terms, *, included: bool
) -> _Taxed:
    """An amount with its tax, as goods of this class have it where the order goes."""
    percent = percent_for(
        terms.percents, country=request.country, region=request.region, tax_class=tax_class
    )
    tax_minor = tax_of(amount_minor, percent, included=included)
    total_minor = amount_minor if included else amount_minor + tax_minor
    return _Taxed(tax_minor, rate_text(percent), total_minor)


def _problem(code: str, place: int, detail: str) -> QuoteProblem:
    return QuoteProblem(code=code, pointer=f"/coupons/{place}", detail=detail)
