"""What payments ask of any gateway."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domains.payments.rules.gateways import Capabilities, Reply
from domains.payments.rules.operations import OperationKind, OperationState

__all__ = [
    "Authorise",
    "Capabilities",
    "Capture",
    "Dispute",
    "Gateway",
    "Listed",
    "NoAnswer",
    "Notification",
    "Refund",
    "Request",
    "Void",
]


class NoAnswer(Exception):
    """The gateway did not answer in time, or not in a way that can be understood.

    What was asked for may or may not have been done. is_passing: it answered at once, and asking
    again a moment later is worth a try, such as after a broken connection. is_silence: False where
    it answered well that it has not decided yet, which says nothing against the gateway.
    """

    def __init__(self, reason: str, *, is_passing: bool = False, is_silence: bool = True) -> None:
        super().__init__(reason)
        self.is_passing, self.is_silence = is_passing, is_silence


@dataclass(frozen=True, kw_only=True, slots=True)
class Authorise:
    key: UUID
    amount_minor: int
    currency: str
    reference: str
    token: str = field(repr=False)
    # Where a customer comes back to who has to confirm it (3-D Secure); none: they cannot be asked.
    return_url: str = ""
    # The gateway's name for means of payment that the customer left with it; instead of a token.
    saved_method: str = field(default="", repr=False)
    # Have the gateway keep these means of payment for the customer.
    keep: bool = False
    # The gateway's own name for it, where it has told one before.
    known_as: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Capture:
    """`authorisation` is the gateway's reference of the authorisation."""

    key: UUID
    authorisation: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Void:
    """Let the money go. rest: a part was captured, and stays so; what is held beside it is let go.
    Where a capture gives that up anyway, it is a success.
    """

    key: UUID
    authorisation: str
    rest: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Refund:
    """Give captured money back. `authorisation` as for a capture."""

    key: UUID
    authorisation: str
    amount_minor: int
    currency: str


Request = Authorise | Capture | Void | Refund


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """An operation as the gateway has it in its own books.

    key: ours, or None for what was done without us, such as a refund in the gateway's dashboard.
    reference: the gateway's own name for the operation; authorisation: its name for the
    authorisation that the operation belongs to (for an AUTHORISE its own).
    state: SUCCEEDED, FAILED, or SENT while the gateway has no outcome either.
    is_total: a CAPTURE of a gateway that tells no parts; amount_minor is all that was captured of
    the authorisation by then. One that adds nothing lets go of the rest.
    """

    key: UUID | None
    kind: OperationKind
    reference: str
    authorisation: str
    amount_minor: int
    currency: str
    state: OperationState
    at: datetime
    is_total: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Dispute:
    """The customer's bank asks for the money back. `reason` and `status` are the gateway's."""

    reference: str
    authorisation: str
    reason: str
    status: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Notification:
    """What the gateway tells unasked: what became of one operation, or of a dispute.

    operation: how the gateway has it, where it says so; always where the key is None, but for a
    dispute, which is no operation of ours.
    """

    key: UUID | None
    reply: Reply
    operation: Listed | None = None
    dispute: Dispute | None = None


class Gateway(Protocol):
    """Every request carries its key; a gateway carries out each key once and repeats its reply.

    All methods raise NoAnswer, and return within the configured time-outs.
    """

    capabilities: Capabilities

    def send(self, request: Request) -> Reply: ...

    def lookup(self, request: Request) -> Reply | None:
        """What became of a request, without sending it. None is no outcome: it may still be on its
        way."""
        ...

    def notification(self, *, body: bytes, signature: str, now: float) -> Notification | None:
        """Check and read a notification; None if it is about nothing of ours.

        Raises InvalidSignature, InvalidNotification.
        """
        ...

    def listing(self, since: datetime, until: datetime) -> Iterator[Listed]:
        """What it did from `since` to before `until`, oldest first; for those that can."""
        ...

    def forget(self, saved_method: str) -> None:
        """Let go of means of payment that it keeps; harmless to repeat. For those that keep any."""
        ...
