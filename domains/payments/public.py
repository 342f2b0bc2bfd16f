"""What other contexts may ask of payments. Nothing in here raises for what a gateway does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domains.payments import queries, rules, services
from domains.payments.errors import (
    PaymentAlreadyCaptured,
    PaymentOperationInProgress,
    PaymentTokenRequired,
    UnknownPaymentMethod,
)
from domains.payments.gateways import NO_GATEWAY
from domains.payments.models import Payment
from domains.payments.queries import JournalDifference, PaymentAudit, PaymentState
from domains.payments.rules import Guarantee, PaymentStatus
from infrastructure.money import Money

__all__ = [
    "NO_GATEWAY",
    "Guarantee",
    "JournalDifference",
    "Outcome",
    "PaymentAudit",
    "PaymentState",
    "PaymentStatus",
    "PaymentTokenRequired",
    "UnknownPaymentMethod",
    "authorise",
    "check_method",
    "event_counts",
    "guarantee_of",
    "journal_differences",
    "payment_audit",
    "payment_states",
    "void",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a payment stands. `decline_code` is set when it is DECLINED."""

    payment_id: UUID
    status: PaymentStatus
    decline_code: str | None = None

    @property
    def is_released(self) -> bool:
        """No money is held, and none ever will be under this id."""
        return self.status in rules.RELEASED


def check_method(*, method: str, amount: Money, token: str) -> None:
    """Whether a new payment of this amount may be made by this method, with this token.

    Raises UnknownPaymentMethod if it is not offered (any more), or is `free` for what costs money;
    PaymentTokenRequired where the token is missing.
    """
    services.check_method(method=method, amount=amount, token=token)


def authorise(
    *,
    payment_id: UUID,
    reference: str,
    amount: Money,
    method: str,
    token: str,
    now: datetime,
    customer_id: UUID | None = None,
) -> Outcome:
    """Have the amount held, or granted on account; repeatable under `payment_id`.

    Returns AUTHORISED, DECLINED, VOIDED (a void came first, also one for a payment that had not
    begun), or UNKNOWN or PENDING: then call again, or wait for the event. Whatever method is
    named, an amount of 0 asks no gateway; the method `free` is for nothing else. A method that is
    not offered any more is good for what was agreed before: see `check_method`.
    Raises UnknownPaymentMethod, InvalidPaymentAmount, and PaymentMismatch if the id belongs to a
    payment of another amount, method or reference.
    """
    return _outcome(
        services.authorise(
            payment_id=payment_id,
            reference=reference,
            amount=amount,
            method=method,
            token=token,
            now=now,
            customer_id=customer_id,
        )
    )


def void(*, payment_id: UUID, now: datetime) -> Outcome:
    """Let the money go; repeatable, and possible before the payment has begun.

    Returns VOIDED or DECLINED when nothing is held. UNKNOWN or PENDING: the gateway has not
    answered; the void is remembered and carried out by recovery. CAPTURED or PARTIALLY_CAPTURED:
    the money has been taken and is not let go by a void; AUTHORISED: a capture is unfinished, or
    the gateway refused to void. What it refused is not begun again here: that is up to staff.
    """
    try:
        return _outcome(services.void_or_forestall(payment_id=payment_id, now=now))
    except (PaymentAlreadyCaptured, PaymentOperationInProgress):
        state = queries.payment_states([payment_id])[payment_id]
        return Outcome(payment_id=payment_id, status=state.status)


def payment_states(payment_ids: Iterable[UUID]) -> dict[UUID, PaymentState]:
    """The states of these payments in one statement; an id that no payment has is missing."""
    return queries.payment_states(payment_ids)


def guarantee_of(method: str) -> Guarantee:
    """What a payment by this method, offered or not, guarantees once it is AUTHORISED.

    Raises UnknownPaymentMethod.
    """
    return rules.method_named(method).guarantee


def payment_audit() -> Iterator[PaymentAudit]:
    """Every payment, ordered by id, streaming. One that never began has amount 0."""
    return queries.payment_audit()


def event_counts() -> Iterator[tuple[UUID, str, int]]:
    """(payment id, topic, events it has recorded), ordered by id, streaming."""
    return queries.event_counts()


def journal_differences() -> Iterator[JournalDifference]:
    """Payments whose counter, journal and captures disagree. There must be none."""
    return queries.journal_differences()


def _outcome(payment: Payment) -> Outcome:
    return Outcome(
        payment_id=payment.id,
        status=PaymentStatus(payment.status),
        decline_code=payment.decline_code or None,
    )
