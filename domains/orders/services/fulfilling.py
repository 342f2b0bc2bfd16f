"""Sending what was ordered, and taking its money."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from domains.orders.models import Fulfilment, Order, OrderStep
from domains.orders.models.commands.fulfilling import Tracking
from domains.orders.rules.history import By
from domains.orders.rules.steps import Money
from domains.orders.services.beginning import Begun, begin, change_order
from domains.payments import public as payments
from infrastructure.http.idempotency import IdempotencyKey

NO_TRACKING = Tracking()
# The scope of whoever may send goods that are not paid for, where the payment terms do not say so.
SEND_UNPAID = "orders.send_unpaid"


def fulfil(
    *,
    order_id: UUID,
    lines: Mapping[UUID, int] | None,
    warehouse: str,
    tracking: Tracking = NO_TRACKING,
    capture: bool | None = None,
    may_be_unpaid: bool = False,
    reason: str = "",
    note: str = "",
    by: By,
    key: IdempotencyKey | None,
    now: datetime,
    version: int | None = None,
) -> Begun:
    """Send units of an order's lines, by their ids; all that are open unless told which.

    capture: whether the money for them is taken first; so it is, unless told otherwise, where the
    payment method only promises it. What is taken is what all that was sent then costs, with the
    shipping, less what was taken before: the parts add up to the total. may_be_unpaid: whoever
    asks may send what is not paid for; what is owed on account everybody may. reason: a code, which
    the customer may be told; note: words, for staff.
    Raises OrderNotFound, OrderNotFulfillable, StepInProgress, UnknownLine, TooManyUnits,
    NotPaidFor, NotInWarehouse, CaptureRefused, StepRefused, ConcurrentModification.
    """

    def make(order: Order, money: Money) -> OrderStep:
        step = order.begin_fulfilment(
            lines,
            warehouse=warehouse,
            tracking=tracking,
            captures=captures_by_itself(order) if capture is None else capture,
            may_be_unpaid=may_be_unpaid or is_on_account(order),
            reason=reason,
            money=money,
            actor=by,
            now=now,
        )
        order.leave_note(note, actor=by, now=now)
        return step

    return begin(order_id=order_id, make=make, key=key, version=version, now=now)


def capture(
    *,
    order_id: UUID,
    amount_minor: int | None = None,
    reason: str = "",
    note: str = "",
    by: By,
    key: IdempotencyKey | None,
    now: datetime,
    version: int | None = None,
) -> Begun:
    """Take what is left to be paid for an order, or so much of it. reason, note: as of `fulfil`.

    Raises OrderNotFound, OrderNotFulfillable, StepInProgress, NothingToCapture,
    InvalidPaymentAmount, CaptureExceedsTotal, CaptureRefused, ConcurrentModification.
    """

    def make(order: Order, money: Money) -> OrderStep:
        step = order.begin_capture(amount_minor, reason=reason, money=money, actor=by, now=now)
        order.leave_note(note, actor=by, now=now)
        return step

    return begin(order_id=order_id, make=make, key=key, version=version, now=now)


def track(
    *, order_id: UUID, fulfilment_id: UUID, tracking: Tracking, by: By, now: datetime
) -> tuple[Order, Fulfilment]:
    """Say where a parcel is. Raises OrderNotFound, FulfilmentNotFound."""
    return change_order(
        order_id=order_id,
        change=lambda order: order.track(fulfilment_id, tracking, actor=by, now=now),
        now=now,
    )


def captures_by_itself(order: Order) -> bool:
    """Whether sending goods takes their money, unless told otherwise."""
    return payments.guarantee_of(order.payment_method) == payments.Guarantee.AUTHORISED


def is_on_account(order: Order) -> bool:
    """Whether goods are sent before they are paid for, as was agreed."""
    return payments.guarantee_of(order.payment_method) == payments.Guarantee.ON_ACCOUNT
