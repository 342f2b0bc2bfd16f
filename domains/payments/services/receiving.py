"""Money that comes to the bank account, and what of the money that is here is too much."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import models

from domains.payments.models import Payment
from domains.payments.services.outcomes import change, load
from infrastructure.money import Money


def record_receipt(
    *,
    payment_id: UUID,
    amount: Money,
    reference: str,
    received_at: datetime,
    actor_id: UUID | None = None,
    now: datetime,
    also: Callable[[], Sequence[models.Model]] = tuple,
) -> Payment:
    """Write down that money came for a payment; once for each of the bank's references.

    What is prepaid is AUTHORISED once it is whole. Money too much, too late, or for a payment that
    was let go is written down as well, and the payment then needs attention: somebody has to give
    it back. also: rows to write with it, if it is new.
    Raises PaymentNotFound, ReceiptsNotTaken, ReceiptDiffers, InvalidReceipt, InvalidPaymentAmount.
    """
    return change(
        load(payment_id),
        lambda payment: payment.record_receipt(
            amount, reference=reference, received_at=received_at, actor_id=actor_id, now=now
        ),
        also=also,
    )


def note_overpaid(*, payment_id: UUID, minor: int, now: datetime) -> Payment:
    """See `public.note_overpaid`. Raises PaymentNotFound."""
    return change(load(payment_id), lambda payment: payment.note_overpaid(minor, now))
