"""Money that was paid for an order and pays for nothing any more."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from domains.orders.models import Order
from domains.orders.queries.orders import may_be_overpaid
from domains.orders.services.cases import money_in
from domains.orders.services.settling import RETRIES
from domains.payments import public as payments
from infrastructure.aggregates import ConcurrentModification


def tell_overpaid(*, order_ids: Collection[UUID], paid: Collection[str], now: datetime) -> None:
    """Tell payments what of these orders, and of the orders with these numbers, has to go back,
    for staff to see. Two statements where there is nothing.

    An order that got cheaper and money that came for it do not know of each other. Whichever is
    last has an event after it, and what is told then is of both. Raises ConcurrentModification
    where that goes on changing.
    """
    for order_id in may_be_overpaid(order_ids=order_ids, paid=paid):
        _tell(order_id, now)


def _tell(order_id: UUID, now: datetime) -> None:
    seen = None
    for _ in range(RETRIES + 1):
        order = Order.objects.whole(order_id)
        state = payments.payment_states([order.payment_id]).get(order.payment_id)
        if state is None or seen == (order.version, state.captured_minor, state.refunded_minor):
            return
        seen = (order.version, state.captured_minor, state.refunded_minor)
        minor = order.overpaid(money_in(order, state))
        payments.note_overpaid(payment_id=order.payment_id, minor=minor, now=now)
        # Whoever was slow here may have told what was so before: it is looked at once more.
    raise ConcurrentModification(f"Order {order_id} changes all the time.")
