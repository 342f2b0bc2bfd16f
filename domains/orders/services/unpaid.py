"""What becomes of an order whose money was let go before all of it was taken."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from uuid import UUID

import structlog

from domains.orders.errors import OrderNotCancellable, RefundRefused, StepInProgress, StepRefused
from domains.orders.models import Order, OrderStep
from domains.orders.queries.orders import confirmation_of
from domains.orders.rules.history import By
from domains.orders.rules.steps import Money
from domains.orders.services import paying, settling
from domains.orders.services.beginning import approval_limits, begin, change_order
from domains.orders.services.refunding import who_asked
from domains.payments import public as payments
from infrastructure.http.idempotency import Duplicate, IdempotencyKey, fingerprint_of

log = structlog.get_logger(__name__)

PAYMENT_VOIDED = "payment_voided"


def end_waiting_edit(*, order_id: UUID, now: datetime) -> None:
    """What an order stood on is gone while its customer has yet to confirm the payment of an edit:
    unless they did by now, so that the order stands on that one, the edit comes to nothing."""
    step = Order.objects.whole(order_id).open_step
    if step is None or confirmation_of(step) is None:
        return
    with suppress(payments.PaymentsUnavailable):
        step = paying.look(order_id=order_id, now=now).open_step
        if step is not None and confirmation_of(step) is not None:
            payments.void(payment_id=step.id, now=now)
            settling.settle(order_id=order_id, now=now)


class _Stands(Exception):
    """Nothing of the order is to be called off."""


def call_off_unsent(
    *, order_id: UUID, payment_id: UUID, operation_id: UUID, released_minor: int, now: datetime
) -> None:
    """Call off what was not sent of an order, since what was still held for it was let go by this
    operation: its goods are released, and what was taken beyond what was sent is given back.

    Once per operation, however often it is told. What waits for a second person meanwhile is given
    up. An order for which enough was taken stands, and so does what was sent. Raises OrderNotFound,
    and StepInProgress while it, or something else, is being done to the order.
    """
    by = who_asked(payment_id, operation_id)

    def make(order: Order, money: Money) -> OrderStep:
        unsent = {line.id: line.open for line in order.lines if line.open}
        if order.payment_id != payment_id or money.for_goods >= order.total_minor:
            raise _Stands
        if not unsent:
            log.warning("order_stands_unpaid", order_id=str(order.id), why="sent")
            raise _Stands
        step = _begin(order, money, unsent, by, now)
        order.note("rest_let_go", actor=by, at=now, amount_minor=released_minor)
        return step

    key = IdempotencyKey(
        client="payments",
        route="orders.call_off_unsent",
        key=str(operation_id),
        fingerprint=fingerprint_of(str(order_id)),
    )

    def give_up_waiting(order: Order) -> bool:
        return order.give_up_waiting(actor=by, reason=PAYMENT_VOIDED, now=now)

    try:
        try:
            begin(order_id=order_id, make=make, key=key, now=now)
        except StepInProgress:
            # Whoever it waits for may come in days, and nothing pays for the goods any more.
            _, was_waiting = change_order(order_id=order_id, change=give_up_waiting, now=now)
            if not was_waiting:
                raise
            begin(order_id=order_id, make=make, key=key, now=now)
    except _Stands:
        return
    except Duplicate as twin:
        # Told twice at once: how it ends is known to nobody yet.
        raise StepInProgress(twin.detail) from twin
    except (OrderNotCancellable, RefundRefused, StepRefused) as refusal:
        log.warning("order_stands_unpaid", order_id=str(order_id), why=refusal.code)


def _begin(order: Order, money: Money, unsent: dict[UUID, int], by: By, now: datetime) -> OrderStep:
    limits = approval_limits(order, money)
    if order.takes_all(unsent):
        return order.begin_cancel_with_refund(
            reason=PAYMENT_VOIDED, money=money, limits=limits, actor=by, now=now
        )
    return order.begin_cancel_lines(
        unsent,
        refund=True,
        reason=PAYMENT_VOIDED,
        money=money,
        limits=limits,
        actor=by,
        now=now,
    )
