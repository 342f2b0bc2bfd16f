"""What orders do when something happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import structlog

from domains.orders.errors import OrderNotCancellable, PaymentCaptured, StepInProgress
from domains.orders.events import OrderCreated, OrderStatusUpdated
from domains.orders.queries import orders as queries
from domains.orders.rules.placement import Status
from domains.orders.services import (
    batches,
    invoicing,
    overpaid,
    paying,
    placement,
    refunding,
    unpaid,
)
from domains.payments.events import (
    PaymentAuthorised,
    PaymentDeclined,
    PaymentProcessed,
    PaymentRefunded,
    PaymentRestReleased,
    PaymentVoided,
)
from domains.payments.public import Guarantee, guarantee_of
from infrastructure import clock
from infrastructure.errors import Transient
from infrastructure.events.bus import caused_by
from infrastructure.events.event import Event
from infrastructure.events.subscriptions import subscribe
from infrastructure.observability import correlation
from infrastructure.observability.correlation import Correlation

log = structlog.get_logger(__name__)

Outcome = PaymentAuthorised | PaymentDeclined | PaymentProcessed | PaymentVoided

# An outcome normally has its request waiting for it. Only what nobody decided in this time is
# settled from here, so that the two do not race for every single order.
REQUEST_IS_GONE = timedelta(seconds=2)


@subscribe(OrderCreated, batch=True, idempotent=True)
def settle_asynchronous_orders(events: Sequence[OrderCreated]) -> None:
    """Decide the orders that nobody waits for."""
    causes = {event.order_id: _cause(event) for event in events if event.asynchronous}
    batches.settle_many(causes=causes, now=clock.now())


@subscribe(
    PaymentAuthorised,
    PaymentDeclined,
    PaymentProcessed,
    PaymentVoided,
    batch=True,
    idempotent=True,
)
def settle_orders_with_an_outcome(events: Sequence[Outcome]) -> None:
    """Decide the orders whose payment's outcome came after their request had gone."""
    left = queries.waiting_among(
        {event.reference for event in events}, placed_before=clock.now() - REQUEST_IS_GONE
    )
    _settle({event.reference: event for event in events}, left)


@subscribe(PaymentProcessed, batch=True, idempotent=True)
def complete_orders_that_are_paid(events: Sequence[PaymentProcessed]) -> None:
    """What is sent and paid is complete."""
    sent = queries.sent_among({event.reference for event in events})
    _settle({event.reference: event for event in events}, sent)


@subscribe(PaymentProcessed, batch=True, idempotent=True)
def show_what_came_on_account(events: Sequence[PaymentProcessed]) -> None:
    """An order on account is over once it is sent; the list of orders says whether it is paid."""
    owed = [event for event in events if guarantee_of(event.method) == Guarantee.ON_ACCOUNT]
    if owed:
        paying.see_payments({event.payment_id: event.reference for event in owed})


@subscribe(PaymentVoided, batch=True, idempotent=True)
def cancel_orders_without_their_payment(events: Sequence[PaymentVoided]) -> None:
    """A confirmed order whose payment staff let go has no guarantee left. One whose goods have
    left stands: the audit names it, and staff have to ask for the money in another way."""
    by_payment = {event.payment_id: event for event in events}
    for payment_id, order_id in _standing_on(by_payment).items():
        with caused_by(by_payment[payment_id]):
            try:
                placement.cancel_order(order_id=order_id, reason="payment_voided", now=clock.now())
            except StepInProgress as error:
                raise Transient(error.detail) from error
            except (OrderNotCancellable, PaymentCaptured) as refusal:
                log.warning("order_stands_unpaid", order_id=str(order_id), why=refusal.code)


@subscribe(PaymentRestReleased, batch=True, idempotent=True)
def call_off_what_nothing_is_held_for(events: Sequence[PaymentRestReleased]) -> None:
    """An order whose rest was let go while it stood, by staff or at the gateway, has nothing that
    pays for what was not sent yet, unless it became that much cheaper before."""
    by_payment = {event.payment_id: event for event in events}
    for payment_id, order_id in _standing_on(by_payment).items():
        event = by_payment[payment_id]
        with caused_by(event):
            try:
                unpaid.call_off_unsent(
                    order_id=order_id,
                    payment_id=payment_id,
                    operation_id=event.operation_id,
                    released_minor=event.amount_minor,
                    now=clock.now(),
                )
            except StepInProgress as error:
                raise Transient(error.detail) from error


def _standing_on(lost: Mapping[UUID, PaymentVoided | PaymentRestReleased]) -> dict[UUID, UUID]:
    """The confirmed orders, by these payments, that have no other one. An edit that waits for its
    customer would hold them up for longer than an event is tried, so it ends first."""
    numbers = {payment_id: event.reference for payment_id, event in lost.items()}
    standing = queries.confirmed_among(numbers)
    for payment_id, order_id in standing.items():
        with caused_by(lost[payment_id]):
            unpaid.end_waiting_edit(order_id=order_id, now=clock.now())
    return queries.confirmed_among(numbers) if standing else {}


@subscribe(PaymentRefunded, batch=True, idempotent=True)
def see_refunds_asked_elsewhere(events: Sequence[PaymentRefunded]) -> None:
    """What payments or the gateway gave back without an order asking lowers what is left of it."""
    by_operation = {event.operation_id: event for event in events}
    unknown = queries.refunds_asked_elsewhere(
        {event.operation_id: (event.reference, event.payment_id) for event in events}
    )
    for operation_id, order_id in unknown.items():
        event = by_operation[operation_id]
        with caused_by(event):
            refunding.see_refund(
                order_id=order_id,
                operation_id=operation_id,
                amount_minor=event.amount_minor,
                now=clock.now(),
            )


@subscribe(OrderStatusUpdated, PaymentProcessed, PaymentRefunded, batch=True, idempotent=True)
def mark_what_is_overpaid(
    events: Sequence[OrderStatusUpdated | PaymentProcessed | PaymentRefunded],
) -> None:
    """Money that came after its order got cheaper, or ended, has to go back: staff are told."""
    overpaid.tell_overpaid(
        order_ids={
            event.order_id
            for event in events
            if isinstance(event, OrderStatusUpdated) and _may_cost_less(event)
        },
        paid={event.reference for event in events if not isinstance(event, OrderStatusUpdated)},
        now=clock.now(),
    )


def _may_cost_less(event: OrderStatusUpdated) -> bool:
    """Not of an order that was just confirmed, as most are."""
    return event.status != Status.CONFIRMED or event.previous_status == Status.CONFIRMED


def _settle(events: Mapping[str, Event], orders: Mapping[str, UUID]) -> None:
    """Settle orders, each because of its event; both by the order's number."""
    causes = {order_id: _cause(events[number]) for number, order_id in orders.items()}
    batches.settle_many(causes=causes, now=clock.now())


@subscribe(OrderStatusUpdated, PaymentProcessed, PaymentRefunded, batch=True, idempotent=True)
def issue_invoices_and_credit_notes(
    events: Sequence[OrderStatusUpdated | PaymentProcessed | PaymentRefunded],
) -> None:
    """Make the documents of orders follow what has left, and what was paid and given back."""
    due = queries.to_be_documented(
        order_ids={event.order_id for event in events if isinstance(event, OrderStatusUpdated)},
        paid={event.reference for event in events if not isinstance(event, OrderStatusUpdated)},
    )
    invoicing.issue_due_for(order_ids=due, now=clock.now())


def _cause(event: Event) -> Correlation:
    with caused_by(event):
        return correlation.current()
