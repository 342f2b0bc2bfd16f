"""What became of orders' redemptions."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from domains.pricing.models import Redemption
from domains.pricing.rules.redeeming import RedemptionState


def redemption_states(order_ids: Iterable[UUID]) -> dict[UUID, RedemptionState]:
    found = Redemption.objects.filter(pk__in=list(order_ids)).values_list("pk", "status")
    return {order_id: RedemptionState(status) for order_id, status in found}
