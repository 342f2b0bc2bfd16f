"""Commands of redemptions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domains.pricing.models import Redemption
from domains.pricing.queries import terms
from domains.pricing.rules.quotes import Use
from domains.pricing.rules.redeeming import Redeemed, RedemptionOutcome, Refused


def redeem(
    *, order_id: UUID, uses: Sequence[Use], customer_key: str | None, now: datetime
) -> RedemptionOutcome:
    if not uses:
        return Redeemed()
    outcome = Redemption.objects.redeem(order_id, uses, customer_key=customer_key, now=now)
    if isinstance(outcome, Refused):
        # What this process took for granted is not so any more: the next quote is to know.
        terms.forget()
    return outcome


def give_back(*, order_id: UUID, now: datetime) -> bool:
    return Redemption.objects.give_back(order_id, now=now)
