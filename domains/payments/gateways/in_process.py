"""A gateway without a network: answers by token, the same for the same key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from domains.payments.errors import InvalidSignature
from domains.payments.gateways.port import (
    Authorise,
    Capabilities,
    Listed,
    NoAnswer,
    Notification,
    Request,
)
from domains.payments.rules.gateways import Reply

REFUSED_TOKENS = {
    "tok_declined": "card_declined",
    "tok_insufficient_funds": "insufficient_funds",
    "tok_expired": "expired_card",
}
SILENT_TOKEN = "tok_timeout"  # noqa: S105 - a test card, not a password


class InProcessGateway:
    """For benchmarks and tests, and for payments that nobody outside has to approve."""

    capabilities = Capabilities()

    def __init__(self) -> None:
        self._withheld: set[UUID] = set()

    def send(self, request: Request) -> Reply:
        if isinstance(request, Authorise):
            if request.token in REFUSED_TOKENS:
                return Reply(refusal=REFUSED_TOKENS[request.token])
            if request.token == SILENT_TOKEN and request.key not in self._withheld:
                self._withheld.add(request.key)
                raise NoAnswer("The gateway keeps its first answer to itself.")
        return Reply(gateway_reference=f"local_{request.key.hex}")

    def lookup(self, request: Request) -> Reply | None:
        key = request.key
        return Reply(gateway_reference=f"local_{key.hex}") if key in self._withheld else None

    def notification(self, *, body: bytes, signature: str, now: float) -> Notification:
        raise InvalidSignature("This gateway never notifies.")

    def listing(self, since: datetime, until: datetime) -> Iterator[Listed]:
        raise NoAnswer("This gateway keeps no books.")

    def forget(self, saved_method: str) -> None:
        """Nothing was kept."""
