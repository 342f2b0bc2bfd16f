"""Means of payment that customers leave with the gateway, and take back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog

from domains.payments import gateways
from domains.payments.errors import PaymentsUnavailable, SavedMethodNotFound
from domains.payments.gateways.port import NoAnswer
from domains.payments.models import Payment, SavedMethod
from domains.payments.rules.gateways import Reply

log = structlog.get_logger(__name__)


def token_of(saved_method_id: UUID, *, customer_id: UUID | None, gateway: str) -> str:
    """The gateway's token of a customer's own means of payment. Raises SavedMethodNotFound."""
    if customer_id is not None:
        found = SavedMethod.objects.of(customer_id).filter(pk=saved_method_id, gateway=gateway)
        if (token := found.values_list("token", flat=True).first()) is not None:
            return str(token)
    raise SavedMethodNotFound(f"There is no payment method {saved_method_id}.")


def rows_of(payment: Payment, reply: Reply | None, now: datetime) -> Sequence[SavedMethod]:
    """What is to be written of an authorisation whose gateway keeps the means of payment."""
    if reply is None or reply.kept is None or payment.customer_id is None:
        return ()
    return (
        SavedMethod.kept(
            reply.kept, customer_id=payment.customer_id, gateway=payment.gateway, now=now
        ),
    )


def delete_saved_method(*, saved_method_id: UUID, customer_id: UUID, now: datetime) -> None:
    """Never pay with it again. The gateway is told by the task, for as long as it takes.

    Raises SavedMethodNotFound.
    """
    found = SavedMethod.objects.of(customer_id).filter(pk=saved_method_id)
    if not found.update(deleted_at=now):
        raise SavedMethodNotFound(f"There is no payment method {saved_method_id}.")


def forget_deleted_methods(*, limit: int = 100) -> int:
    """Have gateways let go of what customers deleted. Returns how many are gone.

    A gateway that does not answer is asked again the next time; meanwhile the others have their
    turn.
    """
    forgotten, silent = 0, set[str]()
    for method in SavedMethod.objects.to_forget(limit=limit):
        if method.gateway in silent:
            continue
        try:
            gateways.gateway_named(method.gateway).forget(method.token)
        except (NoAnswer, PaymentsUnavailable, KeyError) as reason:
            log.warning(
                "saved_method_not_forgotten",
                gateway=method.gateway,
                reason=type(reason).__name__,
            )
            silent.add(method.gateway)
            continue
        method.delete()
        forgotten += 1
    return forgotten
