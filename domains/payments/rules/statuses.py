"""The status of a payment, and what was moved: told by its operations alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum

from domains.payments.rules.operations import TAKING, OperationFacts, OperationKind, OperationState


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


class Attention(StrEnum):
    """Why staff has to look at a payment."""

    DISPUTED = "disputed"
    OWED_BACK = "owed_back"
    NO_OUTCOME = "no_outcome"
    VOID_REFUSED = "void_refused"
    REFUND_REFUSED = "refund_refused"


# No money is held, and none ever will be.
RELEASED = frozenset({PaymentStatus.DECLINED, PaymentStatus.VOIDED})


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
