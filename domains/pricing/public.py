"""What other contexts may ask of pricing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from domains.pricing.queries import quoting
from domains.pricing.queries import redemptions as redemption_queries
from domains.pricing.queries.audit import (
    RedemptionAudit,
    UseAudit,
    active_redemptions,
    event_counts,
    use_audit,
)
from domains.pricing.queries.quoting import prices_include_tax
from domains.pricing.queries.staff import is_set_up, open_shipping_methods
from domains.pricing.rules import amounts
from domains.pricing.rules.codes import distinct_coupons
from domains.pricing.rules.keeping import kept, to_keep
from domains.pricing.rules.quotes import (
    AppliedDiscount,
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
from domains.pricing.rules.redeeming import (
    Redeemed,
    RedemptionOutcome,
    RedemptionState,
    Refused,
    RefusedUse,
    Returned,
)
from domains.pricing.rules.terms import Conditions, ShippingRate
from domains.pricing.services import redeeming
from domains.pricing.services.coupons import create_coupon
from domains.pricing.services.promotions import create_promotion
from domains.pricing.services.shipping import create_shipping_method
from domains.pricing.services.taxes import create_tax_rate

__all__ = [
    "AppliedDiscount",
    "Conditions",
    "Kept",
    "Quote",
    "QuoteLine",
    "QuoteProblem",
    "QuoteRequest",
    "QuotedLine",
    "QuotedShipping",
    "Redeemed",
    "RedemptionAudit",
    "RedemptionOutcome",
    "RedemptionState",
    "Refused",
    "RefusedUse",
    "Returned",
    "ShippingOption",
    "ShippingRate",
    "Use",
    "UseAudit",
    "active_redemptions",
    "amounts",
    "create_coupon",
    "create_promotion",
    "create_shipping_method",
    "create_tax_rate",
    "distinct_coupons",
    "event_counts",
    "give_back",
    "is_set_up",
    "kept",
    "open_shipping_methods",
    "prices_include_tax",
    "quote",
    "redeem",
    "redemption_states",
    "shipping_options",
    "to_keep",
    "use_audit",
]


def quote(request: QuoteRequest, *, now: datetime) -> Quote:
    """What these lines come to, with shipping, tax, promotions and coupons.

    It never fails: what was asked for and cannot be had is in `problems`, and the quote is without
    it. No statement while the process knows the terms (5 s at most); one for coupons, and for
    promotions that are limited per customer; one of products where a condition names categories.
    What has a limit is promised only by `redeem`, to which `uses` go.
    """
    return quoting.quote(request, now=now)


def shipping_options(request: QuoteRequest, *, now: datetime) -> tuple[ShippingOption, ...]:
    """The methods that could be chosen for this request, each with what it would cost."""
    return quoting.shipping_options(request, now=now)


def redeem(
    *, order_id: UUID, uses: Sequence[Use], customer_key: str | None, now: datetime
) -> RedemptionOutcome:
    """Use all of these for an order, or none of them, in one statement; none for no uses.

    customer_key: what tells customers apart, an id or the blind index of an address; None refuses
    what is limited per customer. Repeatable: an order that used them already is answered Redeemed,
    whatever the uses; one that gave them back is answered Returned. Refused leaves nothing behind
    and may be tried again.
    """
    return redeeming.redeem(order_id=order_id, uses=uses, customer_key=customer_key, now=now)


def give_back(*, order_id: UUID, now: datetime) -> bool:
    """Let others use what an order used. True if this call did so.

    Afterwards the order cannot use anything, even if it never did.
    """
    return redeeming.give_back(order_id=order_id, now=now)


def redemption_states(order_ids: Iterable[UUID]) -> dict[UUID, RedemptionState]:
    """REDEEMED or RETURNED per order; one that never used anything is not in the answer."""
    return redemption_queries.redemption_states(order_ids)
