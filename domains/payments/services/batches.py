"""Many payments that begin at once, and that nobody outside this process has to approve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domains.payments import gateways
from domains.payments.errors import PaymentError
from domains.payments.gateways.in_process import InProcessGateway
from domains.payments.models import Payment
from domains.payments.services.authorising import new_payment
from domains.payments.services.outcomes import ask, load, record
from infrastructure.aggregates import ConcurrentModification
from infrastructure.money import Money
from infrastructure.observability import correlation
from infrastructure.observability.correlation import Correlation


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthoriseRequest:
    """As the parameters of `authorise`. cause: what the payment's events are put down to."""

    payment_id: UUID
    reference: str
    amount: Money
    method: str
    token: str
    customer_id: UUID | None
    return_url: str | None
    not_after: datetime | None
    cause: Correlation


def authorise_many(*, requests: Sequence[AuthoriseRequest], now: datetime) -> dict[UUID, Payment]:
    """Begin these payments, all in one statement, and write their outcomes, all in another.

    Left out of the answer is whatever takes more than that: one that exists already, one that is
    refused, and one whose gateway is another process. `authorise` is for those.
    """
    causes = {request.payment_id: request.cause for request in requests}
    begun = [payment for request in requests if (payment := _begun(request, now)) is not None]
    written = Payment.objects.add_new(begun, causes=causes)
    payments = {payment.id: payment for payment in begun if payment.id in written}
    replies = {
        payment.id: (operation.id, ask(payment, operation, now))
        for payment in payments.values()
        if (operation := payment.unfinished) is not None
    }
    for payment_id, (operation_id, reply) in replies.items():
        payment = payments[payment_id]
        if reply is None:
            payment.record_silence(operation_id, now)
        else:
            payment.record_reply(operation_id, reply, now)
    try:
        Payment.objects.save_all([payments[each] for each in replies], causes=causes)
    except ConcurrentModification:
        # Somebody let one of them go meanwhile, so each is looked at for itself.
        for payment_id, (operation_id, reply) in replies.items():
            with correlation.entered(causes[payment_id]):
                payments[payment_id] = record(load(payment_id), operation_id, reply, now)
    return payments


def _begun(request: AuthoriseRequest, now: datetime) -> Payment | None:
    try:
        payment = new_payment(
            payment_id=request.payment_id,
            reference=request.reference,
            amount=request.amount,
            method=request.method,
            token=request.token,
            customer_id=request.customer_id,
            return_url=request.return_url,
            not_after=request.not_after,
            now=now,
        )
    except PaymentError:
        return None
    is_local = isinstance(gateways.gateway_named(payment.gateway), InProcessGateway)
    return payment if is_local else None
