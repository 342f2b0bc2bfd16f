"""Quotes for those who have no cart: what SKUs come to at this moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domains.pricing.errors import UnknownChannel
from domains.pricing.queries import quoting
from domains.pricing.rules.quotes import Quote, QuoteLine, QuoteProblem, QuoteRequest
from domains.pricing.rules.terms import PromotionTerms
from domains.products import public as products
from infrastructure.errors import FieldError


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    sku: str
    quantity: int


def quote_of(
    wanted: Sequence[Wanted],
    request: QuoteRequest,
    *,
    now: datetime,
    beside: PromotionTerms | None = None,
) -> Quote:
    """A quote of these goods at their prices; the lines' keys are their places.

    request: everything but the lines. What is not sold is left out, and told among the problems.
    beside: a promotion that holds as well, for a preview. Raises UnknownChannel.
    """
    sums: dict[str, int] = {}
    for one in wanted:
        sums[one.sku] = sums.get(one.sku, 0) + one.quantity
    try:
        offers = products.offers(
            sums,
            currency=request.currency,
            channel=request.channel,
            customer_group=request.customer_group,
            now=now,
        )
    except products.UnknownChannel as error:
        fault = FieldError("/channel", error.code, error.detail)
        raise UnknownChannel(error.detail, errors=[fault]) from error
    lines, unsold = [], {}
    for place, one in enumerate(wanted):
        offer = offers.get(one.sku)
        if offer is None or not offer.active:
            unsold[place] = one.sku
            continue
        lines.append(
            QuoteLine(
                key=str(place),
                product_id=offer.product_id,
                sku=one.sku,
                quantity=one.quantity,
                unit_price_minor=offer.unit_price.amount_minor,
                tax_class=offer.tax_class,
                weight_g=offer.weight_g or 0,
                on_sale=offer.on_sale,
            )
        )
    found = quoting.quote(replace(request, lines=tuple(lines)), now=now, beside=beside)
    problems = _not_sold(unsold, currency=request.currency)
    return replace(found, problems=(*problems, *found.problems))


def _not_sold(unsold: Mapping[int, str], *, currency: str) -> list[QuoteProblem]:
    why = products.why_not_offered(unsold.values(), currency=currency)
    return [
        QuoteProblem(code=why[sku].code, pointer=f"/items/{place}/sku", detail=why[sku].detail)
        for place, sku in unsold.items()
    ]
