"""Goods that come back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from domains.orders.models import Order, OrderStep, Return
from domains.orders.models.commands.returning import Inspected
from domains.orders.rules.history import By
from domains.orders.rules.steps import Money
from domains.orders.services.beginning import Begun, begin, change_order
from infrastructure.database.contexts import alias_of
from infrastructure.errors import DomainError
from infrastructure.http import idempotency
from infrastructure.http.idempotency import IdempotencyKey


def request_return(
    *,
    order_id: UUID,
    lines: Mapping[UUID, int],
    reason: str,
    by: By,
    key: IdempotencyKey | None,
    now: datetime,
) -> tuple[Order, Return, bool]:
    """Announce that units come back. Returns the order, the return, and whether the key had made
    it before. Raises OrderNotFound, OrderNotReturnable, UnknownLine, TooManyUnits."""
    try:
        earlier = None if key is None else idempotency.find(alias_of("orders"), key)
        if earlier is None:
            order, announced = change_order(
                order_id=order_id,
                change=lambda order: order.request_return(lines, reason=reason, actor=by, now=now),
                key=key,
                subject=lambda made: made.id,
                now=now,
            )
            return order, announced, False
    except DomainError:
        # The twin that was faster may show in any refusal: not so many are left.
        if key is None or (earlier := idempotency.find(alias_of("orders"), key)) is None:
            raise
    order = Order.objects.whole(order_id)
    return order, order.returned(earlier), True


def decide_return(
    *,
    order_id: UUID,
    return_id: UUID,
    approve: bool,
    reason: str,
    by: By,
    key: IdempotencyKey | None = None,
    now: datetime,
) -> tuple[Order, Return]:
    """Accept an announced return, or do not; not accepting a received one ends it without money.

    Raises OrderNotFound, ReturnNotFound, ReturnNotOpen, StepInProgress, and Duplicate for a key
    that was used before.
    """
    return change_order(
        order_id=order_id,
        change=lambda order: order.decide_return(
            return_id, approve=approve, reason=reason, actor=by, now=now
        ),
        key=key,
        subject=lambda decided: decided.id,
        now=now,
    )


def receive_return(
    *,
    order_id: UUID,
    return_id: UUID,
    inspected: Mapping[UUID, Inspected] | None,
    warehouse: str,
    reason: str = "",
    note: str = "",
    by: By,
    key: IdempotencyKey | None,
    now: datetime,
) -> Begun:
    """The goods of an approved return are here; what is as good as new goes into the warehouse.

    inspected: by the ids of the order's lines; None: all of it is as good as new. reason: a code,
    which the customer may be told; note: words, for staff.
    Raises OrderNotFound, ReturnNotFound, ReturnNotOpen, StepInProgress, UnknownLine, TooManyUnits,
    StepRefused.
    """

    def make(order: Order, money: Money) -> OrderStep:
        step = order.begin_receipt(
            return_id, inspected, warehouse=warehouse, reason=reason, actor=by, now=now
        )
        order.leave_note(note, actor=by, now=now)
        return step

    return begin(order_id=order_id, make=make, key=key, now=now)
