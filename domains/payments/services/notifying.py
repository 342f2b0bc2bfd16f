"""What gateways tell unasked."""

from __future__ import annotations

from datetime import datetime

from domains.payments import gateways, queries
from domains.payments.errors import UnknownGateway, UnknownOperation
from domains.payments.models import Payment
from domains.payments.services.outcomes import carry_on, find, record


def receive_notification(*, gateway: str, body: bytes, signature: str, now: datetime) -> Payment:
    """Take an outcome from a gateway's notification; harmless before, after and twice.

    Raises UnknownGateway, InvalidSignature, InvalidNotification, UnknownOperation.
    """
    if gateway not in gateways.ADAPTERS:
        raise UnknownGateway(f"There is no gateway {gateway!r}.")
    told = gateways.gateway_named(gateway).notification(
        body=body, signature=signature, now=now.timestamp()
    )
    payment_id = queries.payment_id_of_operation(told.key) if told.key else None
    payment = find(payment_id) if payment_id else None
    if payment is None or payment.gateway != gateway or told.key is None:
        raise UnknownOperation(f"There is no operation {told.key} at {gateway}.")
    payment = record(payment, told.key, told.reply, now)
    return carry_on(payment, now=now) if payment.is_void_due else payment
