"""Calling off an order, or parts of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from domains.orders.models import Order, OrderStep
from domains.orders.rules.history import By
from domains.orders.rules.steps import Money
from domains.orders.services import placement, settling
from domains.orders.services.beginning import Begun, approval_limits, begin
from domains.orders.services.cases import money_of
from infrastructure.database.contexts import alias_of
from infrastructure.http import idempotency
from infrastructure.http.idempotency import IdempotencyKey


def cancel(
    *,
    order_id: UUID,
    reason: str,
    lines: Mapping[UUID, int] | None = None,
    refund: bool = False,
    by: By,
    key: IdempotencyKey | None,
    now: datetime,
    version: int | None = None,
) -> tuple[Order, Begun | None]:
    """Call off an order, or so many units of its lines.

    refund: whether money that was taken may be given back. Without it an order, or a part of it,
    that is paid stands. Cancelling the last units cancels the order. Returns the order, and the
    step if it took one: an order whose money was only promised takes none.
    version: what the caller has seen. Raises OrderNotFound, OrderNotCancellable, PaymentCaptured,
    StepInProgress, UnknownLine, TooManyUnits, RefundRefused, ConcurrentModification.
    """
    order = Order.objects.whole(order_id)
    earlier = None if key is None else idempotency.find(alias_of("orders"), key)
    if earlier is not None and earlier != order_id:
        begun = begin(order_id=order_id, make=_unreachable, key=key, now=now)
        return begun.order, begun
    if lines is not None and not order.takes_all(lines):
        begun = begin(
            order_id=order_id,
            make=lambda order, money: order.begin_cancel_lines(
                lines,
                refund=refund,
                reason=reason,
                money=money,
                limits=approval_limits(order, money),
                actor=by,
                now=now,
            ),
            key=key,
            version=version,
            now=now,
        )
        return begun.order, begun
    if refund and not earlier and money_of(order).kept:
        if order.is_undecided:
            order.require_version(version)
            version = None
            # What is paid already is confirmed first. A part of it is owed back.
            order = settling.settle(order_id=order_id, now=now)
        if not order.is_undecided:
            begun = begin(
                order_id=order_id,
                make=lambda order, money: order.begin_cancel_with_refund(
                    reason=reason,
                    money=money,
                    limits=approval_limits(order, money),
                    actor=by,
                    now=now,
                ),
                key=key,
                version=version,
                now=now,
            )
            return begun.order, begun
    order = placement.cancel_order(
        order_id=order_id, reason=reason, actor=by, key=key, version=version, now=now
    )
    return order, None


def _unreachable(order: Order, money: Money) -> OrderStep:
    raise AssertionError("The key was found a moment ago.")
