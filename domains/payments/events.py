"""What payments tell: facts about money, never a card and never a token."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from infrastructure.events.event import Event, published

TOPIC = "payment-events"


@published("payments.payment_authorised", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentAuthorised(Event):
    """The whole amount is held for us, or owed on account, as the method promises."""

    payment_id: UUID
    reference: str
    method: str
    amount_minor: int
    currency: str


@published("payments.payment_declined", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentDeclined(Event):
    """The gateway refused to hold the amount."""

    payment_id: UUID
    reference: str
    method: str
    amount_minor: int
    currency: str
    decline_code: str


@published("payments.payment_processed", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentProcessed(Event):
    """Money was captured: `amount_minor` now, `captured_minor` in all."""

    payment_id: UUID
    reference: str
    method: str
    operation_id: UUID
    amount_minor: int
    captured_minor: int
    currency: str


@published("payments.payment_refunded", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentRefunded(Event):
    """Captured money was given back: `amount_minor` now, `refunded_minor` in all."""

    payment_id: UUID
    reference: str
    method: str
    operation_id: UUID
    amount_minor: int
    refunded_minor: int
    currency: str


@published("payments.payment_voided", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentVoided(Event):
    """The authorised amount was let go without taking any of it."""

    payment_id: UUID
    reference: str
    method: str
    amount_minor: int
    currency: str


@published("payments.payment_rest_released", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentRestReleased(Event):
    """After a part was taken, the rest of what was authorised was let go: `amount_minor`, by
    whoever asked for it. Nothing more can be taken."""

    payment_id: UUID
    reference: str
    method: str
    operation_id: UUID
    amount_minor: int
    currency: str
