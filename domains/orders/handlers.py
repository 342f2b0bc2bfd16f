"""What orders do when something happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from domains.orders import queries, services
from domains.orders.events import OrderCreated
from domains.payments.events import PaymentAuthorised, PaymentDeclined, PaymentVoided
from infrastructure import clock
from infrastructure.events.subscriptions import subscribe

# An outcome normally has its request waiting for it. Only what nobody decided in this time is
# settled from here, so that the two do not race for every single order.
REQUEST_IS_GONE = timedelta(seconds=2)


@subscribe(OrderCreated, batch=True, idempotent=True)
def settle_asynchronous_orders(events: Sequence[OrderCreated]) -> None:
    """Decide the orders that nobody waits for."""
    order_ids = [event.order_id for event in events if event.asynchronous]
    services.settle_many(order_ids=order_ids, now=clock.now())


@subscribe(PaymentAuthorised, PaymentDeclined, PaymentVoided, batch=True, idempotent=True)
def settle_orders_with_an_outcome(
    events: Sequence[PaymentAuthorised | PaymentDeclined | PaymentVoided],
) -> None:
    """Decide the orders whose payment's outcome came after their request had gone."""
    now = clock.now()
    payment_ids = [event.payment_id for event in events]
    left = queries.undecided_among(payment_ids, placed_before=now - REQUEST_IS_GONE)
    services.settle_many(order_ids=left, now=now)
