"""What payments ask of any gateway."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from domains.payments.rules import Reply


class NoAnswer(Exception):
    """The gateway did not answer in time, or not in a way that can be understood.

    What was asked for may or may not have been done.
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class Authorise:
    key: UUID
    amount_minor: int
    currency: str
    reference: str
    token: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Capture:
    """`authorisation` is the gateway's reference of the authorisation."""

    key: UUID
    authorisation: str
    amount_minor: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Void:
    key: UUID
    authorisation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Refund:
    """Give captured money back. `authorisation` as for a capture."""

    key: UUID
    authorisation: str
    amount_minor: int


Request = Authorise | Capture | Void | Refund


@dataclass(frozen=True, kw_only=True, slots=True)
class Notification:
    """An outcome that the gateway tells unasked."""

    key: UUID
    reply: Reply


class Gateway(Protocol):
    """Every request carries its key; a gateway carries out each key once and repeats its reply.

    All methods raise NoAnswer, and return within the configured time-outs.
    """

    def send(self, request: Request) -> Reply: ...

    def lookup(self, key: UUID) -> Reply | None:
        """What became of a request. None is no outcome: it may still be on its way."""
        ...

    def notification(self, *, body: bytes, signature: str, now: float) -> Notification:
        """Check and read a notification. Raises InvalidSignature, InvalidNotification."""
        ...
