"""What orders do when something happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from domains.orders import queries, services
from domains.orders.events import OrderCreated
from domains.payments.events import PaymentAuthorised, PaymentDeclined, PaymentVoided
from infrastructure import clock
from infrastructure.database.threads import in_threads
from infrastructure.events.bus import caused_by
from infrastructure.events.subscriptions import subscribe

Outcome = PaymentAuthorised | PaymentDeclined | PaymentVoided

# An outcome normally has its request waiting for it. Only what nobody decided in this time is
# settled from here, so that the two do not race for every single order.
REQUEST_IS_GONE = timedelta(seconds=2)


@subscribe(OrderCreated, batch=True, idempotent=True)
def settle_asynchronous_orders(events: Sequence[OrderCreated]) -> None:
    """Decide the orders that nobody waits for."""
    accepted = [event for event in events if event.asynchronous]
    in_threads(_settle_accepted, accepted, threads=services.SETTLING_THREADS)


@subscribe(PaymentAuthorised, PaymentDeclined, PaymentVoided, batch=True, idempotent=True)
def settle_orders_with_an_outcome(events: Sequence[Outcome]) -> None:
    """Decide the orders whose payment's outcome came after their request had gone."""
    left = set(
        queries.undecided_among(
            [event.payment_id for event in events], placed_before=clock.now() - REQUEST_IS_GONE
        )
    )
    late = [event for event in events if event.payment_id in left]
    in_threads(_settle_paid, late, threads=services.SETTLING_THREADS)


def _settle_accepted(event: OrderCreated) -> None:
    with caused_by(event):
        services.settle(order_id=event.order_id, now=clock.now())


def _settle_paid(event: Outcome) -> None:
    with caused_by(event):
        services.settle(order_id=event.payment_id, now=clock.now())
