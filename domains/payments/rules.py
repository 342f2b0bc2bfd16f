"""What follows from a payment's operations, and what a payment method promises."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, Self, TypeVar
from uuid import UUID

from domains.payments.errors import (
    GatewayRefused,
    NotSupportedByGateway,
    UnknownPaymentMethod,
)
from infrastructure.money import minor_digits

# Units of a currency above which a refund takes a second person, unless a setting says otherwise.
APPROVAL_ABOVE_UNITS = 500


class OperationKind(StrEnum):
    """RECEIPT is money that came to our bank account; the others are asked of a gateway."""

    AUTHORISE = "AUTHORISE"
    CAPTURE = "CAPTURE"
    VOID = "VOID"
    REFUND = "REFUND"
    RECEIPT = "RECEIPT"


class OperationState(StrEnum):
    """SENT is written before the first byte leaves; UNKNOWN is a SENT that nobody answered.

    ACTION_REQUIRED: the customer has to confirm it (3-D Secure). AWAITING_MONEY: they have to send
    it. ABANDONED: we gave up an authorisation that waited for the customer.
    """

    SENT = "SENT"
    ACTION_REQUIRED = "ACTION_REQUIRED"
    AWAITING_MONEY = "AWAITING_MONEY"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    ABANDONED = "ABANDONED"


# The gateway has it, and only the gateway can tell.
UNFINISHED = (OperationState.SENT, OperationState.UNKNOWN)
# The customer has it; until a deadline.
WAITING = (OperationState.ACTION_REQUIRED, OperationState.AWAITING_MONEY)


class PaymentStatus(StrEnum):
    PENDING = "PENDING"
    ACTION_REQUIRED = "ACTION_REQUIRED"
    UNKNOWN = "UNKNOWN"
    AUTHORISED = "AUTHORISED"
    PARTIALLY_CAPTURED = "PARTIALLY_CAPTURED"
    CAPTURED = "CAPTURED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"
    DECLINED = "DECLINED"
    VOIDED = "VOIDED"


# No money is held, and none ever will be.
RELEASED = frozenset({PaymentStatus.DECLINED, PaymentStatus.VOIDED})


class Guarantee(StrEnum):
    """What must be true of a payment before goods may leave."""

    AUTHORISED = "authorised"
    PREPAID = "prepaid"
    ON_ACCOUNT = "on_account"


@dataclass(frozen=True, slots=True)
class Method:
    """A way to pay. Without a gateway nobody has to be asked: we grant it ourselves.

    takes_receipts: the money comes to our bank account, and is recorded when it is there.
    """

    guarantee: Guarantee
    needs_gateway: bool
    takes_receipts: bool = False


# All that payments were ever taken by. Which are offered is a setting, and may change; what was
# promised to payments of the past may not.
METHODS = {
    "bank_transfer": Method(Guarantee.PREPAID, needs_gateway=False, takes_receipts=True),
    "card": Method(Guarantee.AUTHORISED, needs_gateway=True),
    "free": Method(Guarantee.AUTHORISED, needs_gateway=False),
    "invoice": Method(Guarantee.ON_ACCOUNT, needs_gateway=False, takes_receipts=True),
}


def method_named(name: str) -> Method:
    """A method, offered or not. Raises UnknownPaymentMethod."""
    check_offered(name, METHODS)
    return METHODS[name]


TAKING_RECEIPTS = sorted(name for name, method in METHODS.items() if method.takes_receipts)

# Why a payment was let go whose customer neither confirmed nor paid it in time.
NOT_COMPLETED = "payment_not_completed"
# Why a payment was declined whose customer would have to confirm it and could not come back.
CANNOT_BE_CONFIRMED = "authentication_required"


def first_state(method: str, *, amount_minor: int) -> OperationState:
    """How the authorisation of a new payment begins: with the gateway, or with the customer."""
    known = METHODS.get(method)
    is_prepaid = known is not None and known.guarantee == Guarantee.PREPAID and amount_minor > 0
    return OperationState.AWAITING_MONEY if is_prepaid else OperationState.SENT


def check_offered(name: str, offered: Collection[str]) -> None:
    """Raises UnknownPaymentMethod unless the name is one of those offered."""
    if name not in offered:
        raise UnknownPaymentMethod(f"{name!r} is none of: {', '.join(sorted(offered))}.")


# By these money becomes ours.
TAKING = (OperationKind.CAPTURE, OperationKind.RECEIPT)


class OperationFacts(Protocol):
    kind: str
    state: str
    amount_minor: int


class FinishedOperation(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def decline_code(self) -> str: ...


AnyOperation = TypeVar("AnyOperation", bound=FinishedOperation)


def status_of(
    operations: Iterable[OperationFacts], *, is_void_requested: bool = False
) -> PaymentStatus:
    """The status of a payment, told by its operations alone.

    It says what is certain. While a capture has no outcome the money is still held or already
    ours, so the payment stays AUTHORISED; while a void has none nobody may rely on it any more.
    Once money was given back that shows, whatever else could still be taken; a refund without an
    outcome does not show, since the money is still ours or on its way back.
    Money that came by bank counts once it is the whole amount, or where it was owed on account.
    """
    operations = list(operations)
    authorisation = next((o for o in operations if o.kind == OperationKind.AUTHORISE), None)
    if authorisation is None:
        # Voided before it began: the row only keeps a late authorisation from starting.
        return PaymentStatus.VOIDED if is_void_requested else PaymentStatus.PENDING
    if authorisation.state == OperationState.FAILED:
        return PaymentStatus.DECLINED

    # A void with an amount lets go of that only, beside what was taken.
    voids = {o.state for o in operations if o.kind == OperationKind.VOID and not o.amount_minor}
    if OperationState.SUCCEEDED in voids or authorisation.state == OperationState.ABANDONED:
        return PaymentStatus.VOIDED
    if authorisation.state == OperationState.SUCCEEDED and captured_by(operations):
        return _status_of_taken(operations, authorisation.amount_minor)
    if OperationState.UNKNOWN in voids:
        return PaymentStatus.UNKNOWN
    if OperationState.SENT in voids or (is_void_requested and not voids):
        is_known = authorisation.state != OperationState.UNKNOWN
        return PaymentStatus.PENDING if is_known else PaymentStatus.UNKNOWN
    return _STATUS_OF_AUTHORISATION[OperationState(authorisation.state)]


_STATUS_OF_AUTHORISATION = {
    OperationState.SENT: PaymentStatus.PENDING,
    OperationState.AWAITING_MONEY: PaymentStatus.PENDING,
    OperationState.ACTION_REQUIRED: PaymentStatus.ACTION_REQUIRED,
    OperationState.UNKNOWN: PaymentStatus.UNKNOWN,
    OperationState.SUCCEEDED: PaymentStatus.AUTHORISED,
}


def _status_of_taken(operations: Sequence[OperationFacts], amount_minor: int) -> PaymentStatus:
    captured, refunded = captured_by(operations), refunded_by(operations)
    if captured - refunded >= amount_minor:
        return PaymentStatus.CAPTURED  # whatever was given back had been paid too much
    if refunded:
        is_whole = refunded >= captured
        return PaymentStatus.REFUNDED if is_whole else PaymentStatus.PARTIALLY_REFUNDED
    return PaymentStatus.PARTIALLY_CAPTURED


def captured_by(operations: Iterable[OperationFacts]) -> int:
    """Minor units that succeeded captures have taken, or that came by bank."""
    return _moved_by(TAKING, operations)


def refunded_by(operations: Iterable[OperationFacts]) -> int:
    """Minor units that succeeded refunds have given back."""
    return _moved_by((OperationKind.REFUND,), operations)


def _moved_by(kinds: Collection[str], operations: Iterable[OperationFacts]) -> int:
    return sum(
        o.amount_minor
        for o in operations
        if o.kind in kinds and o.state == OperationState.SUCCEEDED
    )


def refuse_failed(operation: FinishedOperation) -> None:
    """Raises GatewayRefused if the gateway said no."""
    if operation.state == OperationState.FAILED:
        raise GatewayRefused(f"The gateway refused: {operation.decline_code}.")


def last_void(operations: Sequence[AnyOperation]) -> AnyOperation | None:
    return next((o for o in reversed(operations) if o.kind == OperationKind.VOID), None)


def refuse_failed_void(operations: Sequence[FinishedOperation]) -> None:
    """Raises GatewayRefused if the gateway said no to the last void."""
    if (void := last_void(operations)) is not None:
        refuse_failed(void)


# A live request has its answer, or has given up, well before this.
FIRST_RETRY = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=5)
# Gateways remember keys for 24 hours. Later the same request could be carried out a second time.
KEY_LIFETIME = timedelta(hours=23)


def pause_before_retry(attempts: int) -> timedelta:
    """How long to wait after this many unanswered attempts: 5 s, doubling, at most 5 minutes."""
    doublings = min(max(attempts - 1, 0), 10)
    return min(timedelta(seconds=5 << doublings), LONGEST_PAUSE)


def may_send_again(*, sent_at: datetime, now: datetime) -> bool:
    """Whether the gateway still recognises the key of a request first sent at `sent_at`."""
    return now - sent_at < KEY_LIFETIME


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptMethod:
    """Means of payment that a gateway keeps for a customer: its token for them, and what it tells
    of the card. The card itself never comes here."""

    token: str = field(repr=False)
    brand: str
    last4: str
    expiry_month: int
    expiry_year: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a gateway says of one operation: its own reference, or why it refused.

    With an `action_url` it is no outcome yet: the customer has to go there first (3-D Secure).
    """

    gateway_reference: str = ""
    refusal: str = ""
    action_url: str = ""
    # What the gateway keeps for the customer, where that was asked for and it does.
    kept: KeptMethod | None = None

    @property
    def is_success(self) -> bool:
        return not self.refusal and not self.action_url


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What a gateway can do beyond authorising, capturing, voiding and refunding all at once.

    partial_capture: less than is authorised; what is left is given up unless multiple_captures.
    listing: it tells what it did in a window of time, so that the books can be compared.
    """

    partial_capture: bool = True
    multiple_captures: bool = True
    partial_refund: bool = True
    three_d_secure: bool = False
    saved_methods: bool = False
    listing: bool = False

    def check_capture(self, *, is_first: bool, is_all: bool) -> None:
        """Raises NotSupportedByGateway."""
        if not is_all and not self.partial_capture:
            raise NotSupportedByGateway("The gateway captures the whole amount only.")
        if not is_first and not self.multiple_captures:
            raise NotSupportedByGateway("The gateway captures once; the rest was given up.")

    def check_refund(self, *, is_all: bool) -> None:
        """Raises NotSupportedByGateway."""
        if not is_all and not self.partial_refund:
            raise NotSupportedByGateway("The gateway gives back the whole amount only.")


class DifferenceKind(StrEnum):
    """How a gateway's books differ from ours. DISPUTE: somebody asks for captured money back."""

    MISSING_HERE = "MISSING_HERE"
    MISSING_THERE = "MISSING_THERE"
    AMOUNT = "AMOUNT"
    CURRENCY = "CURRENCY"
    STATE = "STATE"
    DISPUTE = "DISPUTE"


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """An operation as one side has it in its books."""

    kind: str
    state: str
    amount_minor: int
    currency: str


def difference_between(ours: Told, theirs: Told) -> DifferenceKind | None:
    """How two books differ about the same operation; None if they agree, or if theirs says what
    became of one that has no outcome with us.

    What was not done has no amount, and neither has a void.
    """
    if theirs.state == OperationState.SENT:
        return None  # there it has no outcome yet
    is_settled_by_theirs = ours.state in UNFINISHED or ours.state in WAITING
    if theirs.state == OperationState.SUCCEEDED and theirs.kind != OperationKind.VOID:
        if ours.currency != theirs.currency:
            return DifferenceKind.CURRENCY
        if ours.amount_minor != theirs.amount_minor:
            return DifferenceKind.AMOUNT
    # What we abandoned the gateway may have granted before it let it go.
    if is_settled_by_theirs or ours.state in (theirs.state, OperationState.ABANDONED):
        return None
    return DifferenceKind.STATE


def needs_second_person(amount_minor: int, currency: str, limits: Mapping[str, int]) -> bool:
    """Whether so much is given back only if another person agrees. limits: by currency, in minor
    units."""
    units: int = 10 ** minor_digits(currency)
    return amount_minor > limits.get(currency, APPROVAL_ABOVE_UNITS * units)


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What a customer pays with: the gateway's token for it, or what they left there before.

    keep: have the gateway keep it for later. As one text, for whoever stores what was chosen:
    `tok_visa`, `keep:tok_visa`, `saved:<id>`.
    """

    token: str = field(default="", repr=False)
    saved_method: UUID | None = None
    keep: bool = False

    def __str__(self) -> str:
        if self.saved_method is not None:
            return f"{_SAVED}{self.saved_method}"
        return f"{_KEEP}{self.token}" if self.keep else self.token

    @classmethod
    def read(cls, text: str) -> Self:
        if text.startswith(_SAVED):
            try:
                return cls(saved_method=UUID(text.removeprefix(_SAVED)))
            except ValueError:
                return cls(token=text)
        token = text.removeprefix(_KEEP)
        return cls(token=token, keep=token != text)


_SAVED, _KEEP = "saved:", "keep:"
# ISO/IEC 7812: 12 to 19 digits, however they are grouped.
_DIGITS = re.compile(r"\d(?:[-._: ]?\d){11,18}")


def holds_card_number(text: str) -> bool:
    """Whether the digits in it pass the check of card numbers (Luhn, ISO/IEC 7812-1 annex B)."""
    return any(_passes_luhn(re.sub(r"\D", "", run)) for run in _DIGITS.findall(text))


def _passes_luhn(digits: str) -> bool:
    doubled = (int(d) * 2 for d in digits[-2::-2])
    return (sum(int(d) for d in digits[-1::-2]) + sum(d // 10 + d % 10 for d in doubled)) % 10 == 0
