"""Compares stock with its ledger, and orders with what is held for them and what left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domains.reporting.rules.books import Placement, Stage, finding_about, is_young
from domains.reporting.rules.findings import Finding


@dataclass(frozen=True, kw_only=True, slots=True)
class Stock:
    sku: str
    on_hand: int
    held: int
    ledger_on_hand: int
    ledger_held: int
    levels_on_hand: int
    reserved: int
    oversold_holds: int


# The job that frees them comes every few seconds; a worker may be away for some minutes.
EXPIRY_ALLOWED = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True, slots=True)
class OverdueHold:
    """What a cart holds though its time is over."""

    cart_id: UUID
    expired_at: datetime


def overdue_finding(hold: OverdueHold) -> Finding:
    return Finding(
        subject=f"cart {hold.cart_id}",
        detail=f"still holds, though its time was over at {hold.expired_at:%Y-%m-%d %H:%M:%S} UTC",
    )


def stock_findings(stock: Iterable[Stock]) -> Iterator[Finding]:
    """Counters against ledger, levels and reservations; and holds beyond what there was."""
    for item in stock:
        wrong = []
        if not item.on_hand == item.ledger_on_hand == item.levels_on_hand:
            wrong.append(
                f"on hand: counter {item.on_hand}, ledger {item.ledger_on_hand},"
                f" warehouses {item.levels_on_hand}"
            )
        if not item.held == item.ledger_held == item.reserved:
            wrong.append(
                f"held: counter {item.held}, ledger {item.ledger_held},"
                f" reservations {item.reserved}"
            )
        if item.oversold_holds:
            wrong.append(f"oversold: {item.oversold_holds} holds took more than there was")
        if wrong:
            yield Finding(subject=f"SKU {item.sku}", detail="; ".join(wrong))


def hold_finding(placement: Placement, *, due: datetime) -> Finding | None:
    """Whether exactly the right goods are held. What is younger than `due` is in flight."""
    order, hold = placement.order, placement.hold
    if order is None:
        if hold is None:
            return None
        return finding_about(
            placement,
            f"{_goods(hold.lines)} held without an order",
            in_flight=hold.created_at > due,
        )
    if order.stage == Stage.ENDED:
        if hold is None:
            return None
        return finding_about(
            placement,
            f"{_goods(hold.lines)} held for an order that has ended",
            in_flight=is_young(order.unsettled_since, due),
        )
    if order.is_completed and order.lines:
        detail = f"completed, and {_goods(order.lines)} not sent"
        return finding_about(placement, detail, in_flight=False)
    if hold is None:
        if order.stage == Stage.UNDECIDED:
            return None
        if not order.lines:
            return None  # everything was sent, or called off
        return finding_about(
            placement,
            "confirmed, and nothing is held",
            in_flight=is_young(order.unsettled_since, due),
        )
    if dict(hold.lines) != dict(order.lines):
        wrong = [
            f"{variant_id}: to be sent {order.lines.get(variant_id, 0)},"
            f" held {hold.lines.get(variant_id, 0)}"
            for variant_id in sorted({*order.lines, *hold.lines})
            if order.lines.get(variant_id, 0) != hold.lines.get(variant_id, 0)
        ]
        # Goods move before the order says so.
        return finding_about(
            placement, "; ".join(wrong), in_flight=is_young(order.unsettled_since, due)
        )
    return None


def moved_finding(placement: Placement, *, due: datetime) -> Finding | None:
    """Whether the ledger moved just what the order sent, and what came back to be sold again. What
    is younger than `due` is in flight: goods move before the order says so."""
    order, moved = placement.order, placement.moved
    if order is None:
        if moved is None:
            return None
        detail = f"{_goods(moved.sent)} sent, {sum(moved.put_back.values())} put back, no order"
        return finding_about(placement, detail, in_flight=False)
    wrong = [
        f"{variant_id}: {what} {said.get(variant_id, 0)}, ledger {booked.get(variant_id, 0)}"
        for what, said, booked in (
            ("sent", order.sent, {} if moved is None else moved.sent),
            ("put back", order.put_back, {} if moved is None else moved.put_back),
        )
        for variant_id in sorted({*said, *booked})
        if said.get(variant_id, 0) != booked.get(variant_id, 0)
    ]
    if not wrong:
        return None
    return finding_about(
        placement, "; ".join(wrong), in_flight=is_young(order.unsettled_since, due)
    )


def _goods(lines: Mapping[UUID, int]) -> str:
    return f"{sum(lines.values())} pieces of {len(lines)} variants"
