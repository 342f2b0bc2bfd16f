"""What the API of this context takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from msgspec import Meta

from domains.payments.queries.payments import OperationView, PaymentView
from domains.payments.rules.declines import DECLINE_REASONS, code_for_customers
from infrastructure.http.types import Body, GivenMoney, Money, Out, ShortText
from infrastructure.money import MAX_AMOUNT_MINOR


class Capture(Body, frozen=True, kw_only=True):
    """Without an amount, all that is authorised and not captured yet."""

    amount: GivenMoney | None = None


class Refund(Body, frozen=True, kw_only=True):
    """Without an amount, all that was captured and not given back yet. reason: in staff's own
    words, for other members of staff; an order's refund takes a code."""

    amount: GivenMoney | None = None
    reason: ShortText


class Receipt(Body, frozen=True, kw_only=True):
    """reference: the bank's own for this transfer."""

    amount: GivenMoney
    reference: ShortText
    received_at: datetime


class Operation(Out, frozen=True, kw_only=True):
    id: UUID
    kind: str
    state: str
    amount: Money
    decline_code: str | None
    sent_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, operation: OperationView, *, for_staff: bool = True) -> Self:
        return cls(
            id=operation.id,
            kind=operation.kind.value,
            state=operation.state.value,
            amount=Money.of(operation.amount),
            decline_code=_told_code(operation.decline_code, for_staff=for_staff),
            sent_at=operation.sent_at,
            finished_at=operation.finished_at,
        )


class Payment(Out, frozen=True, kw_only=True):
    """`owed_back`: what came in and is to be given back, since it is too much, or for what was
    given up. `needs_attention`: for staff, why one has to look at it; null where nobody has.
    `decline_code`: the gateway's, of which customers are told no more than is for them;
    `decline_reason`: ours."""

    id: UUID
    reference: str
    status: str
    method: str
    amount: Money
    authorised: Money
    captured: Money
    refunded: Money
    released: Money
    owed_back: Money
    needs_attention: (
        Literal["disputed", "owed_back", "no_outcome", "void_refused", "refund_refused"] | None
    )
    decline_code: str | None
    decline_reason: Annotated[str | None, Meta(description=DECLINE_REASONS)]
    action_url: str | None
    action_deadline: datetime | None
    due_at: datetime | None
    created_at: datetime
    updated_at: datetime
    operations: list[Operation]

    @classmethod
    def of(cls, payment: PaymentView, *, for_staff: bool = True) -> Self:
        return cls(
            id=payment.id,
            reference=payment.reference,
            status=payment.status.value,
            method=payment.method,
            amount=Money.of(payment.amount),
            authorised=Money.of(payment.authorised),
            captured=Money.of(payment.captured),
            refunded=Money.of(payment.refunded),
            released=Money.of(payment.released),
            owed_back=Money.of(payment.owed_back),
            needs_attention=(
                payment.attention.value if for_staff and payment.attention is not None else None
            ),
            decline_code=_told_code(payment.decline_code, for_staff=for_staff),
            decline_reason=None if payment.decline is None else payment.decline.reason.value,
            action_url=payment.action_url,
            action_deadline=payment.action_deadline,
            due_at=payment.due_at,
            created_at=payment.created_at,
            updated_at=payment.updated_at,
            operations=[
                Operation.of(operation, for_staff=for_staff) for operation in payment.operations
            ],
        )


def _told_code(code: str, *, for_staff: bool) -> str | None:
    return (code if for_staff else code_for_customers(code)) or None


class SimulatedNotification(Body, frozen=True, kw_only=True):
    """What the simulated gateway tells; every gateway has a form of its own."""

    id: Annotated[str, Meta(max_length=255)]
    key: UUID | None
    kind: Literal["authorise", "capture", "void", "refund"]
    status: Literal["succeeded", "refused", "action_required"]
    code: Annotated[str, Meta(max_length=64)]
    authorisation: Annotated[str, Meta(max_length=255)]
    amount_minor: Annotated[int, Meta(ge=0, le=MAX_AMOUNT_MINOR)]
    currency: Annotated[str, Meta(max_length=3)]
    at: Annotated[float, Meta(ge=0, le=2**33, description="Seconds since 1970.")]
