"""Compares the counters of what has a limit with redemptions, and these with their orders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from domains.reporting.rules.books import Placement, Stage, Used, finding_about, is_young
from domains.reporting.rules.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """How often something with a limit is in use: the counter, and the redemptions in it."""

    subject: str
    counted: int
    kept: int


def use_findings(uses: Iterable[Uses]) -> Iterator[Finding]:
    for one in uses:
        if one.counted != one.kept:
            yield Finding(
                subject=one.subject,
                detail=f"counted {one.counted} uses, of which redemptions keep {one.kept}",
            )


def redemption_finding(placement: Placement, *, due: datetime) -> Finding | None:
    """Whether an order keeps just what it uses, and nobody else anything. While it is undecided it
    may. What is younger than `due` is in flight.
    """
    order, redemption = placement.order, placement.redemption
    if redemption is None:
        if order is None or not order.uses or order.stage != Stage.CONFIRMED:
            return None
        detail = "uses what has a limit, and keeps no redemption"
        return finding_about(placement, detail, in_flight=is_young(order.unsettled_since, due))
    if order is None:
        wrong, in_flight = "no order", redemption.redeemed_at > due
    elif order.stage == Stage.ENDED:
        in_flight = is_young(order.unsettled_since, due)
        wrong = f"order {order.number} has ended"
    elif not order.uses:
        wrong, in_flight = f"order {order.number} uses nothing that has a limit", False
    elif order.uses != redemption.uses:
        wrong = f"{_told(redemption.uses)}, order {order.number} uses {_told(order.uses)}"
        in_flight = False
    else:
        return None
    return Finding(
        subject=f"redemption {redemption.order_id}",
        detail=f"kept since {redemption.redeemed_at:%Y-%m-%d %H:%M:%S}, {wrong}",
        in_flight=in_flight,
    )


def _told(uses: Used) -> str:
    return ", ".join(sorted(coupon or f"promotion {promotion}" for promotion, coupon in uses))
