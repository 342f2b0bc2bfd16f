"""What is asked of a gateway, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol, TypeVar

from domains.payments.errors import GatewayRefused


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
