"""What orders do when something happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from domains.orders import queries
from domains.orders.events import OrderCreated
from domains.orders.services import placement, settling
from domains.payments.events import PaymentAuthorised, PaymentDeclined, PaymentVoided
from infrastructure import clock
from infrastructure.events.bus import caused_by
from infrastructure.events.event import Event
from infrastructure.events.subscriptions import subscribe
from infrastructure.observability import correlation
from infrastructure.observability.correlation import Correlation

Outcome = PaymentAuthorised | PaymentDeclined | PaymentVoided

# An outcome normally has its request waiting for it. Only what nobody decided in this time is
# settled from here, so that the two do not race for every single order.
REQUEST_IS_GONE = timedelta(seconds=2)


@subscribe(OrderCreated, batch=True, idempotent=True)
def settle_asynchronous_orders(events: Sequence[OrderCreated]) -> None:
    """Decide the orders that nobody waits for."""
    causes = {event.order_id: _cause(event) for event in events if event.asynchronous}
    settling.settle_many(causes=causes, now=clock.now())


@subscribe(PaymentAuthorised, PaymentDeclined, PaymentVoided, batch=True, idempotent=True)
def settle_orders_with_an_outcome(events: Sequence[Outcome]) -> None:
    """Decide the orders whose payment's outcome came after their request had gone."""
    payment_ids = [event.payment_id for event in events]
    left = set(queries.undecided_among(payment_ids, placed_before=clock.now() - REQUEST_IS_GONE))
    causes = {event.payment_id: _cause(event) for event in events if event.payment_id in left}
    settling.settle_many(causes=causes, now=clock.now())


@subscribe(PaymentVoided, batch=True, idempotent=True)
def cancel_orders_without_their_payment(events: Sequence[PaymentVoided]) -> None:
    """A confirmed order whose payment staff let go has no guarantee left."""
    standing = set(queries.confirmed_among([event.payment_id for event in events]))
    for event in events:
        if event.payment_id in standing:
            with caused_by(event):
                placement.cancel_order(
                    order_id=event.payment_id, reason="payment_voided", now=clock.now()
                )


def _cause(event: Event) -> Correlation:
    with caused_by(event):
        return correlation.current()
