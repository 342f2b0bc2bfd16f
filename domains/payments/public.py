"""What other contexts may ask of payments. Nothing in here raises for what a gateway does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.conf import settings

from domains.payments import services
from domains.payments.errors import (
    CardNumberRefused,
    NotSupportedByGateway,
    PaymentAlreadyCaptured,
    PaymentError,
    PaymentMismatch,
    PaymentNotAuthorisedYet,
    PaymentNotFound,
    PaymentOperationInProgress,
    PaymentsUnavailable,
    PaymentTokenRequired,
    SavedMethodNotFound,
    SecondPersonRequired,
    UnknownPaymentMethod,
)
from domains.payments.gateways import NO_GATEWAY
from domains.payments.models import Operation, Payment
from domains.payments.queries import audit, payments, saved_methods
from domains.payments.queries.audit import JournalDifference, PaymentAudit
from domains.payments.queries.payments import PaymentState, PaymentView
from domains.payments.queries.saved_methods import SavedCard
from domains.payments.rules.declines import DECLINE_REASONS, NOT_COMPLETED, Decline
from domains.payments.rules.means import Means, names_card_number
from domains.payments.rules.methods import Guarantee, method_named
from domains.payments.rules.operations import OperationState
from domains.payments.rules.refunds import needs_second_person
from domains.payments.rules.statuses import RELEASED, PaymentStatus
from domains.payments.services import AuthoriseRequest
from infrastructure.aggregates import ConcurrentModification
from infrastructure.money import Money

__all__ = [
    "DECLINE_REASONS",
    "NOT_COMPLETED",
    "NO_GATEWAY",
    "AuthoriseRequest",
    "Available",
    "CardNumberRefused",
    "Decline",
    "Guarantee",
    "JournalDifference",
    "MoveState",
    "NotSupportedByGateway",
    "OperationOutcome",
    "Outcome",
    "PaymentAudit",
    "PaymentState",
    "PaymentStatus",
    "PaymentTokenRequired",
    "PaymentView",
    "PaymentsUnavailable",
    "SavedCard",
    "SavedMethodNotFound",
    "SecondPersonRequired",
    "Unavailable",
    "UnknownPaymentMethod",
    "authorise",
    "authorise_many",
    "availability",
    "capture",
    "check_method",
    "event_counts",
    "guarantee_of",
    "journal_differences",
    "names_card_number",
    "needs_second_person",
    "note_overpaid",
    "payment_audit",
    "payment_states",
    "payment_view",
    "refresh",
    "refund",
    "release_rest",
    "saved_cards",
    "token_for",
    "void",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a payment stands.

    decline_code: why it is DECLINED; NOT_COMPLETED where it is VOIDED since the customer did not
    confirm or pay it in time. decline: what buyers are told of why it is DECLINED. action_url:
    where the customer has to go while it is ACTION_REQUIRED, until action_deadline. due_at: until
    when a prepaid one that is PENDING has to be paid.
    has_begun: nothing was written where not, since the gateway is not to be called for now.
    is_busy: only by this process, which has enough calls under way; another one may well.
    holds_rest: a part was taken, and the gateway holds more: see `release_rest`. captured_minor:
    what was taken, also what came by bank.
    """

    payment_id: UUID
    status: PaymentStatus
    decline_code: str | None = None
    decline: Decline | None = None
    action_url: str | None = None
    action_deadline: datetime | None = None
    due_at: datetime | None = None
    has_begun: bool = True
    is_busy: bool = False
    holds_rest: bool = False
    captured_minor: int = 0

    @property
    def is_released(self) -> bool:
        """No money is held, and none ever will be under this id.

        Money that comes to the bank account nevertheless is not relied upon: staff give it back.
        """
        return self.status in RELEASED


class MoveState(StrEnum):
    """UNKNOWN: the gateway has not said, and recovery asks on. IN_PROGRESS: nothing was begun,
    since something else has no outcome yet. In both cases: call again with the same key."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    IN_PROGRESS = "IN_PROGRESS"


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationOutcome:
    """What came of a capture or refund. `code` says why it FAILED: ours, or the gateway's."""

    state: MoveState
    code: str | None = None


def check_method(
    *, method: str, amount: Money, token: str, customer_id: UUID | None = None
) -> None:
    """Whether a new payment of this amount may be made by this method, with this token.

    Raises UnknownPaymentMethod if it is not offered (any more), or is `free` for what costs money;
    PaymentTokenRequired where the token is missing; CardNumberRefused for what looks like one;
    SavedMethodNotFound where the token names means of payment that are not the customer's.
    """
    services.check_method(method=method, amount=amount, token=token, customer_id=customer_id)


def saved_cards(customer_id: UUID) -> list[SavedCard]:
    """What a customer can pay with at the gateway that takes new payments, the newest first. The id
    of each is for `token_for`."""
    return saved_methods.saved_cards(customer_id, gateway=settings.PAYMENT_GATEWAY)


def token_for(*, token: str = "", saved_method: UUID | None = None, keep: bool = False) -> str:
    """What a customer chose to pay with, as the one text that `authorise` takes for a token.

    saved_method: the id of what they left with the gateway before, instead of a token. keep: have
    the gateway keep it for later; it does where it can, and the payment has a customer.
    """
    return str(Means(token=token, saved_method=saved_method, keep=keep))


def authorise(
    *,
    payment_id: UUID,
    reference: str,
    amount: Money,
    method: str,
    token: str,
    now: datetime,
    customer_id: UUID | None = None,
    return_url: str | None = None,
    not_after: datetime | None = None,
) -> Outcome:
    """Have the amount held, or granted on account; repeatable under `payment_id`.

    Returns AUTHORISED, DECLINED, VOIDED (a void came first, also one for a payment that had not
    begun), or UNKNOWN or PENDING: then call again, or wait for the event. ACTION_REQUIRED, and
    PENDING with a `due_at`: it is the customer's turn, and calling again asks nobody before the
    deadline; CAPTURED once a prepaid one is paid. Whatever method is named, an amount of 0 asks no
    gateway; the method `free` is for nothing else. A method that is not offered any more is good
    for what was agreed before: see `check_method`.
    return_url: where the customer comes back to who has to confirm it (3-D Secure), else
    PAYMENT_RETURN_URL. With neither, what has to be confirmed is DECLINED. not_after: the customer
    has no longer than that, whatever is usual.
    While the gateway is not to be called, nothing is written, and a payment that has not begun is
    PENDING: see `availability`.
    Raises UnknownPaymentMethod, InvalidPaymentAmount, NotSupportedByGateway, and PaymentMismatch if
    the id belongs to a payment of another amount, method or reference.
    """
    try:
        payment = services.authorise(
            payment_id=payment_id,
            reference=reference,
            amount=amount,
            method=method,
            token=token,
            now=now,
            customer_id=customer_id,
            return_url=return_url,
            not_after=not_after,
        )
    except PaymentsUnavailable as refused:
        return Outcome(
            payment_id=payment_id,
            status=PaymentStatus.PENDING,
            has_begun=False,
            is_busy=refused.is_busy,
        )
    return _outcome(payment)


@dataclass(frozen=True, slots=True)
class Available:
    """Payments can be taken, as far as is known."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The gateway is left alone, for so many seconds at least."""

    retry_after_s: int

    def refusal(self) -> PaymentsUnavailable:
        """The 503 that says so, with Retry-After."""
        return PaymentsUnavailable.for_seconds(self.retry_after_s)


def availability(method: str) -> Available | Unavailable:
    """Whether an order that is paid by this method should be taken now.

    Costs no call to the gateway and no statement. Available where PAYMENTS_DOWN is `accept`: then
    it is paid later. Raises UnknownPaymentMethod.
    """
    retry_after_s = services.unavailable_for_s(method=method)
    return Unavailable(retry_after_s) if retry_after_s else Available()


def authorise_many(*, requests: Sequence[AuthoriseRequest], now: datetime) -> dict[UUID, Outcome]:
    """`authorise` for many payments that nobody outside this process has to approve: it takes two
    statements, however many they are.

    By their ids, and without those that take more: such as one that has begun before, or whose
    gateway is another process. Those have not been touched; call `authorise` for each.
    """
    found = services.authorise_many(requests=requests, now=now)
    return {payment_id: _outcome(payment) for payment_id, payment in found.items()}


def refresh(*, payment_id: UUID, now: datetime) -> Outcome:
    """Look at the gateway what became of it, as when the customer is back from confirming it.

    Raises PaymentNotFound.
    """
    return _outcome(services.refresh(payment_id=payment_id, now=now))


def capture(*, payment_id: UUID, key: UUID, amount: Money, now: datetime) -> OperationOutcome:
    """Take so much of what is held; repeatable under the key, which is one operation for ever.

    FAILED with the code of what forbids it, such as capture_too_large, payment_already_captured,
    not_supported_by_gateway or paid_by_receipt, begins nothing under the key.
    Raises PaymentMismatch if the key was used for something else.
    """
    return _moved(lambda: services.capture(payment_id=payment_id, key=key, amount=amount, now=now))


def refund(
    *,
    payment_id: UUID,
    key: UUID,
    amount: Money,
    reason: str,
    actor_id: UUID | None = None,
    now: datetime,
) -> OperationOutcome:
    """Give so much of what was taken back; repeatable under the key, as `capture`.

    Of what was paid by bank it says that the money is to be given back: somebody transfers it.
    actor_id: who gives it back without a second person; it counts for what they may give back of
    the payment alone, by whichever door. Is it more than that, it is FAILED with the code of
    SecondPersonRequired: once somebody else agreed, call again with the same key and without an
    actor. Callers know beforehand by `needs_second_person`, but somebody may be faster.
    """
    return _moved(
        lambda: services.refund(
            payment_id=payment_id,
            key=key,
            amount=amount,
            reason=reason,
            actor_id=actor_id,
            now=now,
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
    except (PaymentAlreadyCaptured, PaymentOperationInProgress, PaymentsUnavailable):
        return _as_it_stands(payment_id)


def release_rest(*, payment_id: UUID, now: datetime) -> Outcome:
    """Let go of what is held beside the part that was taken; repeatable. What was taken stays.

    `holds_rest` until the gateway has done it: call again, unless it refused, which is up to staff.
    """
    try:
        return _outcome(services.release_rest(payment_id=payment_id, now=now))
    except (PaymentOperationInProgress, PaymentsUnavailable):
        return _as_it_stands(payment_id)


def note_overpaid(*, payment_id: UUID, minor: int, now: datetime) -> None:
    """What an order that costs less than was paid for it, or is over, says of what is kept: so much
    has to go back, and staff to look until it has. 0 where nothing has; repeatable."""
    with suppress(PaymentNotFound):
        services.note_overpaid(payment_id=payment_id, minor=minor, now=now)


def payment_states(payment_ids: Iterable[UUID]) -> dict[UUID, PaymentState]:
    """The states of these payments in one statement; an id that no payment has is missing."""
    return payments.payment_states(payment_ids)


def payment_view(payment_id: UUID) -> PaymentView | None:
    """A payment with its operations, for staff to look at; None if it never began."""
    try:
        return payments.payment(payment_id)
    except PaymentNotFound:
        return None


def guarantee_of(method: str) -> Guarantee:
    """What a payment by this method, offered or not, guarantees once it is AUTHORISED.

    Raises UnknownPaymentMethod.
    """
    return method_named(method).guarantee


def payment_audit() -> Iterator[PaymentAudit]:
    """Every payment, ordered by id, streaming. One that never began has amount 0."""
    return audit.payment_audit()


def event_counts() -> Iterator[tuple[UUID, str, int]]:
    """(payment id, topic, events it has recorded), ordered by id, streaming."""
    return audit.event_counts()


def journal_differences() -> Iterator[JournalDifference]:
    """Payments whose counter, journal and captures disagree. There must be none."""
    return audit.journal_differences()


def _outcome(payment: Payment) -> Outcome:
    return _told(payments.state_of(payment))


def _as_it_stands(payment_id: UUID) -> Outcome:
    return _told(payments.payment_states([payment_id])[payment_id])


def _told(state: PaymentState) -> Outcome:
    return Outcome(
        payment_id=state.payment_id,
        status=state.status,
        decline_code=state.decline_code,
        decline=state.decline,
        action_url=state.action_url,
        action_deadline=state.action_deadline,
        due_at=state.due_at,
        holds_rest=state.holds_rest,
        captured_minor=state.captured_minor,
    )


def _moved(move: Callable[[], tuple[Payment, Operation]]) -> OperationOutcome:
    try:
        _, operation = move()
    except PaymentMismatch:
        raise
    except (
        PaymentNotAuthorisedYet,
        PaymentOperationInProgress,
        PaymentsUnavailable,
        ConcurrentModification,
    ):
        return OperationOutcome(state=MoveState.IN_PROGRESS)
    except PaymentError as refusal:
        return OperationOutcome(state=MoveState.FAILED, code=refusal.code)
    if operation.is_unfinished:
        return OperationOutcome(state=MoveState.UNKNOWN)
    if operation.state == OperationState.SUCCEEDED:
        return OperationOutcome(state=MoveState.SUCCEEDED)
    return OperationOutcome(state=MoveState.FAILED, code=operation.decline_code)
