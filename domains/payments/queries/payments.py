"""Payments as they are shown, and how they stand: never through the aggregate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domains.payments.errors import PaymentNotFound
from domains.payments.models import Payment
from domains.payments.rules.declines import Decline
from domains.payments.rules.methods import TAKING_RECEIPTS
from domains.payments.rules.operations import (
    OperationKind,
    OperationState,
)
from domains.payments.rules.statuses import RELEASED, Attention, PaymentStatus
from infrastructure.money import Money

_STATE_COLUMNS = (
    "id",
    "status",
    "method",
    "authorised_minor",
    "captured_minor",
    "refunded_minor",
    "released_minor",
    "overpaid_minor",
    "amount_minor",
    "currency",
    "decline_code",
    "action_url",
    "deadline_at",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationView:
    id: UUID
    kind: OperationKind
    state: OperationState
    amount: Money
    reason: str
    actor_id: UUID | None
    decline_code: str
    gateway_reference: str
    attempts: int
    sent_at: datetime
    finished_at: datetime | None

    @property
    def is_succeeded(self) -> bool:
        return self.state == OperationState.SUCCEEDED


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentView:
    id: UUID
    version: int
    reference: str
    customer_id: UUID | None
    status: PaymentStatus
    method: str
    amount: Money
    authorised: Money
    captured: Money
    refunded: Money
    released: Money
    decline_code: str
    decline: Decline | None
    action_url: str | None
    action_deadline: datetime | None
    due_at: datetime | None
    owed_back: Money
    attention: Attention | None
    needs_attention_at: datetime | None
    created_at: datetime
    updated_at: datetime
    operations: tuple[OperationView, ...]
    # The gateway was asked to let go of what it holds by now, and said no: staff's turn.
    is_void_refused: bool

    @property
    def is_released(self) -> bool:
        return self.status in RELEASED

    @property
    def holds_something(self) -> bool:
        """Whether the gateway holds money that can be taken; what comes by bank is not held."""
        rest = self.authorised - self.captured - self.released
        by_bank = self.method in TAKING_RECEIPTS
        return rest.amount_minor > 0 and not (by_bank or self.is_released)

    @property
    def is_let_go(self) -> bool:
        """Nothing is held that could still be taken, since somebody let it go."""
        rest = self.authorised - self.captured - self.released
        return self.is_released or (self.released.amount_minor > 0 and not rest.amount_minor)

    @property
    def given_back_alone(self) -> tuple[OperationView, ...]:
        """Refunds that one person asked for without a second one, done or under way."""
        return tuple(
            operation
            for operation in self.operations
            if operation.kind == OperationKind.REFUND
            and operation.state != OperationState.FAILED
            and operation.actor_id is not None
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentState:
    """How a payment stands; see `public.Outcome`. captured_minor: also what came by bank.
    released_minor: of what was authorised, what was let go after a part was taken. rest_minor:
    what is held beside that part. owed_back_minor: of what is kept, what has to go back."""

    payment_id: UUID
    status: PaymentStatus
    method: str
    authorised_minor: int
    captured_minor: int
    refunded_minor: int
    released_minor: int
    rest_minor: int
    currency: str
    decline_code: str | None
    decline: Decline | None
    action_url: str | None
    action_deadline: datetime | None
    due_at: datetime | None
    owed_back_minor: int = 0

    @property
    def holds_rest(self) -> bool:
        return self.rest_minor > 0


def payment(payment_id: UUID, *, customer_id: UUID | None = None) -> PaymentView:
    """A payment with its operations; with `customer_id` only that customer's.

    Raises PaymentNotFound.
    """
    row = Payment.objects.whole(payment_id)
    # A payment that never began has no amount in any currency: there is nothing to show.
    if row is None or row.authorisation is None or customer_id not in (None, row.customer_id):
        raise PaymentNotFound(f"There is no payment {payment_id}.")
    return view_of(row)


def view_of(row: Payment) -> PaymentView:
    state = state_of(row)
    return PaymentView(
        id=row.id,
        version=row.version,
        reference=row.reference,
        customer_id=row.customer_id,
        status=PaymentStatus(row.status),
        method=row.method,
        amount=Money(row.amount_minor, row.currency),
        authorised=Money(row.authorised_minor, row.currency),
        captured=Money(row.captured_minor, row.currency),
        refunded=Money(row.refunded_minor, row.currency),
        released=Money(row.released_minor, row.currency),
        decline_code=row.decline_code,
        decline=row.decline,
        action_url=state.action_url,
        action_deadline=state.action_deadline,
        due_at=state.due_at,
        owed_back=Money(row.owed_back_minor, row.currency),
        attention=row.attention,
        needs_attention_at=row.needs_attention_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
        operations=tuple(
            OperationView(
                id=o.id,
                kind=OperationKind(o.kind),
                state=OperationState(o.state),
                amount=Money(o.amount_minor, row.currency),
                reason=o.reason,
                actor_id=o.actor_id,
                decline_code=o.decline_code,
                gateway_reference=o.gateway_reference,
                attempts=o.attempts,
                sent_at=o.sent_at,
                finished_at=o.finished_at,
            )
            for o in row.operations
        ),
        is_void_refused=row.is_void_refused,
    )


def payment_states(payment_ids: Iterable[UUID]) -> dict[UUID, PaymentState]:
    """The states of these payments; an id that no payment has is missing."""
    rows = Payment.objects.filter(pk__in=list(payment_ids)).only(*_STATE_COLUMNS)
    return {row.id: state_of(row) for row in rows}


def state_of(row: Payment) -> PaymentState:
    status = PaymentStatus(row.status)
    needs_action = status == PaymentStatus.ACTION_REQUIRED
    is_due = status == PaymentStatus.PENDING and row.is_prepaid
    return PaymentState(
        payment_id=row.id,
        status=status,
        method=row.method,
        authorised_minor=row.authorised_minor,
        captured_minor=row.captured_minor,
        refunded_minor=row.refunded_minor,
        released_minor=row.released_minor,
        rest_minor=row.rest_minor,
        currency=row.currency,
        decline_code=(row.decline_code or None) if status in RELEASED else None,
        decline=row.decline,
        action_url=row.action_url if needs_action else None,
        action_deadline=row.deadline_at if needs_action else None,
        due_at=row.deadline_at if is_due else None,
        owed_back_minor=row.owed_back_minor,
    )
