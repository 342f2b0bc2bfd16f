"""What follows from a payment's operations, and what a payment method promises."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeVar

from domains.payments.errors import GatewayRefused, UnknownPaymentMethod


class OperationKind(StrEnum):
    AUTHORISE = "AUTHORISE"
    CAPTURE = "CAPTURE"
    VOID = "VOID"
    REFUND = "REFUND"


class OperationState(StrEnum):
    """SENT is written before the first byte leaves; UNKNOWN is a SENT that nobody answered."""

    SENT = "SENT"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


UNFINISHED = (OperationState.SENT, OperationState.UNKNOWN)


class PaymentStatus(StrEnum):
    PENDING = "PENDING"
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
    ON_ACCOUNT = "on_account"


@dataclass(frozen=True, slots=True)
class Method:
    """A way to pay. Without a gateway nobody has to be asked: we grant it ourselves."""

    guarantee: Guarantee
    needs_gateway: bool


# All that payments were ever taken by. Which are offered is a setting, and may change; what was
# promised to payments of the past may not.
METHODS = {
    "card": Method(Guarantee.AUTHORISED, needs_gateway=True),
    "free": Method(Guarantee.AUTHORISED, needs_gateway=False),
    "invoice": Method(Guarantee.ON_ACCOUNT, needs_gateway=False),
}


def method_named(name: str) -> Method:
    """A method, offered or not. Raises UnknownPaymentMethod."""
    check_offered(name, METHODS)
    return METHODS[name]


def check_offered(name: str, offered: Collection[str]) -> None:
    """Raises UnknownPaymentMethod unless the name is one of those offered."""
    if name not in offered:
        raise UnknownPaymentMethod(f"{name!r} is none of: {', '.join(sorted(offered))}.")


class OperationFacts(Protocol):
    kind: str
    state: str
    amount_minor: int


class OperationOutcome(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def decline_code(self) -> str: ...


AnyOperation = TypeVar("AnyOperation", bound=OperationOutcome)


def status_of(
    operations: Iterable[OperationFacts], *, is_void_requested: bool = False
) -> PaymentStatus:
    """The status of a payment, told by its operations alone.

    It says what is certain. While a capture has no outcome the money is still held or already
    ours, so the payment stays AUTHORISED; while a void has none nobody may rely on it any more.
    Once money was given back that shows, whatever else could still be taken; a refund without an
    outcome does not show, since the money is still ours or on its way back.
    """
    operations = list(operations)
    authorisation = next((o for o in operations if o.kind == OperationKind.AUTHORISE), None)
    if authorisation is None:
        # Voided before it began: the row only keeps a late authorisation from starting.
        return PaymentStatus.VOIDED if is_void_requested else PaymentStatus.PENDING
    if authorisation.state == OperationState.SENT:
        return PaymentStatus.PENDING
    if authorisation.state == OperationState.UNKNOWN:
        return PaymentStatus.UNKNOWN
    if authorisation.state == OperationState.FAILED:
        return PaymentStatus.DECLINED

    voids = {o.state for o in operations if o.kind == OperationKind.VOID}
    captured, refunded = captured_by(operations), refunded_by(operations)
    if OperationState.SUCCEEDED in voids:
        return PaymentStatus.VOIDED
    if refunded:
        is_whole = refunded >= captured
        return PaymentStatus.REFUNDED if is_whole else PaymentStatus.PARTIALLY_REFUNDED
    if captured:
        is_whole = captured >= authorisation.amount_minor
        return PaymentStatus.CAPTURED if is_whole else PaymentStatus.PARTIALLY_CAPTURED
    if OperationState.UNKNOWN in voids:
        return PaymentStatus.UNKNOWN
    if OperationState.SENT in voids or (is_void_requested and not voids):
        return PaymentStatus.PENDING
    return PaymentStatus.AUTHORISED


def captured_by(operations: Iterable[OperationFacts]) -> int:
    """Minor units that succeeded captures have taken."""
    return _moved_by(OperationKind.CAPTURE, operations)


def refunded_by(operations: Iterable[OperationFacts]) -> int:
    """Minor units that succeeded refunds have given back."""
    return _moved_by(OperationKind.REFUND, operations)


def _moved_by(kind: OperationKind, operations: Iterable[OperationFacts]) -> int:
    return sum(
        o.amount_minor for o in operations if o.kind == kind and o.state == OperationState.SUCCEEDED
    )


def refuse_failed(operation: OperationOutcome) -> None:
    """Raises GatewayRefused if the gateway said no."""
    if operation.state == OperationState.FAILED:
        raise GatewayRefused(f"The gateway refused: {operation.decline_code}.")


def last_void(operations: Sequence[AnyOperation]) -> AnyOperation | None:
    return next((o for o in reversed(operations) if o.kind == OperationKind.VOID), None)


def refuse_failed_void(operations: Sequence[OperationOutcome]) -> None:
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
class Reply:
    """What a gateway says of one operation: its own reference, or why it refused.

    With an `action_url` it is no outcome yet: the customer has to go there first (3-D Secure).
    """

    gateway_reference: str = ""
    refusal: str = ""
    action_url: str = ""

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
