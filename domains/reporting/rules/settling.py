"""Whether orders are decided and finished in their time, and what they wait for."""

from __future__ import annotations

from datetime import datetime

from domains.reporting.rules.books import (
    Hold,
    Money,
    Order,
    Payment,
    Placement,
    Stage,
    finding_about,
    is_young,
)
from domains.reporting.rules.findings import Finding


def settling_finding(placement: Placement, *, due: datetime) -> Finding | None:
    """Whether an order is decided, and finished once it has ended, in its time.

    Whatever it waits for: a gateway that is silent for longer does not excuse it.
    """
    order = placement.order
    if order is None or order.unsettled_since is None:
        return None
    if order.stage == Stage.UNDECIDED and _is_the_customers_turn(order, placement.payment, due):
        return None
    since = order.placed_at if order.stage == Stage.UNDECIDED else order.unsettled_since
    return finding_about(
        placement,
        f"{order.stage} and unfinished since {since:%Y-%m-%d %H:%M:%S},"
        f" waits for {_awaited(order, placement.hold, placement.payment)}",
        in_flight=since > due,
    )


def _is_the_customers_turn(order: Order, payment: Payment | None, due: datetime) -> bool:
    return is_young(order.waits_until, due) or (
        payment is not None and is_young(payment.waits_until, due)
    )


def _awaited(order: Order, hold: Hold | None, payment: Payment | None) -> str:
    if payment is not None and payment.needs_attention:
        return f"staff: its payment, {payment.status}, needs attention"
    if payment is not None and payment.money == Money.WAITING:
        return f"the gateway {payment.gateway}: its payment is {payment.status}"
    if order.stage == Stage.UNDECIDED:
        if hold is None and payment is None:
            return "its goods to be held"
        return "its payment to begin" if payment is None else "its outcome to be written down"
    if order.stage == Stage.ENDED and hold is not None:
        return "its goods to be released"
    if payment is not None and payment.money == Money.SECURED:
        return f"its payment, {payment.status}, to be let go"
    return "its end to be written down"
