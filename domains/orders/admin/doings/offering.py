"""All doings by name, and which of them an order offers to whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse

from domains.orders.admin.doings.base import Doing, may
from domains.orders.admin.doings.changing import Cancel, Edit
from domains.orders.admin.doings.money import Approve, Capture, Disapprove, Refund
from domains.orders.admin.doings.noting import Note
from domains.orders.admin.doings.paying import Ask, PayAgain
from domains.orders.admin.doings.returning import (
    DecideReturn,
    EndReturn,
    ReceiveReturn,
    RequestReturn,
)
from domains.orders.admin.doings.sending import Fulfil, Track
from domains.orders.models import Order, Return
from domains.orders.rules.steps import ReturnState
from domains.orders.services import paying
from domains.payments import public as payments

_ALL: tuple[type[Doing], ...] = (
    *(PayAgain, Fulfil, Capture, Edit, Cancel, RequestReturn, Refund),
    *(Ask, Track, DecideReturn, ReceiveReturn, EndReturn, Approve, Disapprove, Note),
)
KINDS: dict[str, type[Doing]] = {kind.what: kind for kind in _ALL}


@dataclass(frozen=True, kw_only=True, slots=True)
class Offered:
    title: str
    address: str


def offered(
    user: Any,
    order: Order,
    payment: payments.PaymentView | None,
    *,
    waits_for_bank: bool = False,
    now: datetime,
) -> list[Offered]:
    """What this person can do to the order as it is; while something is under way, nothing but to
    ask after it. waits_for_bank: its customer has to confirm a payment there."""
    asks = [_offer(Ask, order)] if waits_for_bank and may(user, Ask) else []
    if order.step_id is not None:
        return asks
    captured = payment.captured.amount_minor if payment else 0
    kept = captured - (payment.refunded.amount_minor if payment else 0)
    holds_some = payment is not None and payment.holds_something
    standing = order.status in ("CONFIRMED", "COMPLETED")
    is_open = any(line.open for line in order.lines)
    possible: list[tuple[type[Doing], bool]] = [
        (PayAgain, paying.can_pay_again(order, now=now)),
        (Fulfil, order.status == "CONFIRMED" and is_open),
        (Capture, standing and holds_some and captured < order.total_minor),
        (Edit, order.status == "CONFIRMED" and not any(line.fulfilled for line in order.lines)),
        (Cancel, order.status == "PENDING" or (order.status == "CONFIRMED" and is_open)),
        (RequestReturn, standing and any(order.units_to_return().values())),
        (Refund, kept > 0),
    ]
    return [*asks, *(_offer(kind, order) for kind, can in possible if can and may(user, kind))]


def of_return(user: Any, order: Order, announced: Return) -> list[Offered]:
    if order.step_id is not None:
        return []
    kinds = _OF_RETURNS.get(ReturnState(announced.state), ())
    return [_offer(kind, order, announced.id) for kind in kinds if may(user, kind)]


_OF_RETURNS: dict[ReturnState, tuple[type[Doing], ...]] = {
    ReturnState.REQUESTED: (DecideReturn,),
    ReturnState.APPROVED: (ReceiveReturn,),
    ReturnState.RECEIVED: (Refund, EndReturn),
}


def _offer(kind: type[Doing], order: Order, part_id: UUID | None = None) -> Offered:
    if part_id is None:
        address = reverse("admin:orders_order_do", args=[order.id, kind.what])
    else:
        address = reverse("admin:orders_order_do_part", args=[order.id, kind.what, part_id])
    return Offered(title=kind.title, address=address)
