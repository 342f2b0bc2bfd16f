"""Which promotions hold, in which order, and how much each takes off which line.

Those of the highest priority come first, of equals those with a coupon. The first that takes
anything off decides: if it cannot be combined it stays alone, else further ones that can be
combined follow, each on what the ones before have left. None is applied twice, however many of its
coupons there are. What an order keeps comes before all that it does not have yet; where it takes
nothing off, it is left out and stays kept.

What goes off several lines is divided by largest remainders, lines in an order of what they are.
Their keys decide only between two that are alike, since they may be places: so it does not matter
in which order lines came. No line ever costs less than nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domains.pricing.rules.quotes import AppliedDiscount, Kept, QuoteLine, QuoteRequest
from domains.pricing.rules.terms import Conditions, PromotionKind, PromotionTerms
from infrastructure.money import allocate, percent_of

Categories = Mapping[UUID, frozenset[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A promotion that may hold; coupon: the code that asked for it. kept: the order has it, so
    none that came later goes before it; lines: as of Kept."""

    promotion: PromotionTerms
    coupon: str | None = None
    kept: bool = False
    lines: frozenset[str] | None = None

    @property
    def rank(self) -> tuple[bool, int, bool, UUID, str]:
        coupon, promotion = self.coupon, self.promotion
        return not self.kept, -promotion.priority, coupon is None, promotion.id, coupon or ""


@dataclass(slots=True)
class Discounts:
    """off: minor units by the key of the line. given: as of Quote. refused: why a coupon brought
    nothing, by code."""

    off: dict[str, int] = field(default_factory=dict)
    off_shipping: int = 0
    applied: list[AppliedDiscount] = field(default_factory=list)
    given: list[Kept] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    def combine_with(self, promotion: PromotionTerms) -> bool:
        """Whether it may follow those that were applied."""
        last = self.applied[-1].terms if self.applied else None
        return last is None or (last.combinable and promotion.combinable)


# What shipping costs for goods of so much; the method's code with it. None where nothing is shipped
# or nobody knows yet.
ShippingPrice = Callable[[int], tuple[str, int] | None]


def discounts_of(
    request: QuoteRequest,
    candidates: Iterable[Candidate],
    *,
    categories: Categories,
    shipping: ShippingPrice,
    now: datetime,
) -> Discounts:
    """Goods first, then shipping, whose price may depend on what the goods come to."""
    found = Discounts()
    taken: set[UUID] = set()
    lines = sorted(request.lines, key=_in_order)
    left = {line.key: line.unit_price_minor * line.quantity for line in lines}
    asked = sorted(candidates, key=lambda one: one.rank)
    goods = [c for c in asked if c.promotion.kind != PromotionKind.FREE_SHIPPING]
    freeing = [c for c in asked if c.promotion.kind == PromotionKind.FREE_SHIPPING]
    for candidate in goods:
        promotion = candidate.promotion
        eligible = _eligible(candidate, request, lines, categories, now)
        if eligible is None:
            _refuse(found, candidate, "coupon_not_applicable")
            continue
        if promotion.id in taken or not found.combine_with(promotion):
            _refuse(found, candidate, "coupon_not_combinable")
            continue
        parts = _parts(promotion, request.currency, eligible, left)
        amount = sum(parts.values())
        if not amount:
            _refuse(found, candidate, "coupon_not_applicable")
            continue
        for key, part in parts.items():
            left[key] -= part
            found.off[key] = found.off.get(key, 0) + part
        found.applied.append(_applied(candidate, amount))
        taken.add(promotion.id)
    priced = shipping(sum(left.values())) if freeing else None
    for candidate in freeing:
        promotion = candidate.promotion
        if _eligible(candidate, request, lines, categories, now) is None:
            _refuse(found, candidate, "coupon_not_applicable")
        elif priced is None:
            continue  # it will be free, as soon as anybody knows what it would cost
        elif not found.combine_with(promotion):
            _refuse(found, candidate, "coupon_not_combinable")
        elif not _about(promotion.conditions, priced[0]) or not (
            price := priced[1] - found.off_shipping
        ):
            _refuse(found, candidate, "coupon_not_applicable")
        else:
            found.off_shipping += price
            found.applied.append(_applied(candidate, price))
    applied = {(one.promotion_id, one.coupon) for one in found.applied}
    found.given = [
        _given(candidate, lines, categories)
        for candidate in asked
        if candidate.kept or (candidate.promotion.id, candidate.coupon) in applied
    ]
    return found


def _in_order(line: QuoteLine) -> tuple[str, int, int, str, int, str]:
    """By what an amount off, or the tax of what is left, may depend on, and what an order keeps for
    good: whether the goods are on sale by now is not of it. Numbers that are keys sort as numbers.
    """
    return (
        line.sku,
        line.quantity,
        line.unit_price_minor,
        line.tax_class,
        len(line.key),
        line.key,
    )


def holds(promotion: PromotionTerms, request: QuoteRequest, now: datetime) -> bool:
    """Whether it holds for this customer, place and time, whatever is bought."""
    asks = promotion.conditions
    return (
        (promotion.valid_from is None or promotion.valid_from <= now)
        and (promotion.valid_until is None or now < promotion.valid_until)
        and (not asks.currencies or request.currency in asks.currencies)
        and (not asks.channels or request.channel in asks.channels)
        and (not asks.countries or request.country in asks.countries)
        and (not asks.customer_groups or request.customer_group in asks.customer_groups)
    )


def _eligible(
    candidate: Candidate,
    request: QuoteRequest,
    lines: Sequence[QuoteLine],
    categories: Categories,
    now: datetime,
) -> list[QuoteLine] | None:
    """The lines that it is for; None where it does not hold."""
    if not holds(candidate.promotion, request, now):
        return None
    asks = candidate.promotion.conditions
    found = [line for line in lines if _is_for(candidate, line, categories)]
    if not found or sum(line.quantity for line in found) < asks.minimum_quantity:
        return None
    if asks.minimum_subtotal_minor:
        minimum = asks.minimum_subtotal_minor.get(request.currency)
        if minimum is None or sum(x.unit_price_minor * x.quantity for x in found) < minimum:
            return None
    return found


def _is_for(candidate: Candidate, line: QuoteLine, categories: Categories) -> bool:
    if line.stays and candidate.lines is not None:
        return line.key in candidate.lines
    asks = candidate.promotion.conditions
    if asks.not_on_sale and line.on_sale:
        return False
    if not (asks.skus or asks.product_ids or asks.categories):
        return True
    return (
        line.sku in asks.skus
        or line.product_id in asks.product_ids
        or not asks.categories.isdisjoint(categories.get(line.product_id, frozenset()))
    )


def _parts(
    promotion: PromotionTerms, currency: str, lines: Sequence[QuoteLine], left: Mapping[str, int]
) -> dict[str, int]:
    """What it takes off each line, never more than is left of it."""
    weights = [left[line.key] for line in lines]
    total = sum(weights)
    if promotion.kind == PromotionKind.FIXED_ITEM:
        each = promotion.amounts_minor.get(currency, 0)
        return {line.key: min(each * line.quantity, left[line.key]) for line in lines}
    if promotion.kind == PromotionKind.FIXED_ORDER:
        amount = min(promotion.amounts_minor.get(currency, 0), total)
    else:
        amount = percent_of(total, promotion.percent)
    if not amount:
        return {}
    shares = allocate(amount, weights)
    return {line.key: share for line, share in zip(lines, shares, strict=True)}


def _about(asks: Conditions, method: str) -> bool:
    return not asks.shipping_methods or method in asks.shipping_methods


def _applied(candidate: Candidate, amount_minor: int) -> AppliedDiscount:
    return AppliedDiscount(
        terms=candidate.promotion,
        coupon=candidate.coupon,
        amount_minor=amount_minor,
    )


def _given(candidate: Candidate, lines: Sequence[QuoteLine], categories: Categories) -> Kept:
    promotion, keys = candidate.promotion, None
    if promotion.conditions.ask_the_catalogue:
        keys = frozenset(line.key for line in lines if _is_for(candidate, line, categories))
    return Kept(terms=promotion, coupon=candidate.coupon, lines=keys)


def _refuse(found: Discounts, candidate: Candidate, code: str) -> None:
    if candidate.coupon is not None:
        found.refused[candidate.coupon] = code
