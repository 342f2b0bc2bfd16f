"""A gateway in this process that keeps books of its own and does as the test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domains.payments.errors import InvalidSignature
from domains.payments.gateways.port import (
    Authorise,
    Capabilities,
    Capture,
    Listed,
    NoAnswer,
    Notification,
    Refund,
    Request,
)
from domains.payments.rules.gateways import Reply


class Mood(StrEnum):
    """What it does with whatever it is asked first: carries it out or refuses it, and says so or
    does not. LOST: it never gets to know of it."""

    YES = "yes"
    NO = "no"
    SILENT_YES = "silent yes"
    SILENT_NO = "silent no"
    LOST = "lost"

    @property
    def agrees(self) -> bool:
        """What comes of it, sooner or later."""
        return self not in (Mood.NO, Mood.SILENT_NO)

    @property
    def answers(self) -> bool:
        return self in (Mood.YES, Mood.NO)


@dataclass
class Account:
    """What the bank has of one authorisation, in minor units."""

    authorised: int
    captured: int = 0
    refunded: int = 0
    is_voided: bool = False


class Bank:
    """Decides each key once. What no honest shop would ask for is in `faults`."""

    capabilities = Capabilities()

    def __init__(self) -> None:
        self.mood = Mood.YES
        self.accounts: dict[str, Account] = {}
        self.faults: list[str] = []
        self._replies: dict[UUID, Reply] = {}
        self._lock = threading.Lock()

    def send(self, request: Request) -> Reply:
        with self._lock:
            if self.mood is Mood.LOST:
                raise NoAnswer("It never got here.")
            if request.key not in self._replies:
                self._replies[request.key] = self._decide(request)
            if not self.mood.answers:
                raise NoAnswer("It keeps the answer to itself.")
            return self._replies[request.key]

    def lookup(self, request: Request) -> Reply | None:
        if not self.mood.answers:
            raise NoAnswer("It says nothing.")
        return self._replies.get(request.key)

    def _decide(self, request: Request) -> Reply:
        reference = f"bank_{request.key.hex}"
        if isinstance(request, Authorise):
            if not self.mood.agrees:
                return Reply(refusal="card_declined")
            self.accounts[reference] = Account(request.amount_minor)
            return Reply(gateway_reference=reference)
        account = self.accounts[request.authorisation]
        if isinstance(request, Capture):
            if not self.mood.agrees:
                return Reply(refusal="do_not_honour")
            account.captured += request.amount_minor
            if account.is_voided or account.captured > account.authorised:
                self.faults.append(f"{request}: {account}")
        elif isinstance(request, Refund):
            if not self.mood.agrees:
                return Reply(refusal="account_closed")
            account.refunded += request.amount_minor
            if account.refunded > account.captured:
                self.faults.append(f"{request}: {account}")
        else:
            # The whole is let go where nothing was captured, and the rest where something was.
            if request.rest != bool(account.captured):
                self.faults.append(f"{request}: {account}")
            account.is_voided = True
        return Reply(gateway_reference=reference)

    def notification(self, *, body: bytes, signature: str, now: float) -> Notification:
        raise InvalidSignature("This bank never notifies.")

    def listing(self, since: datetime, until: datetime) -> Iterator[Listed]:
        raise NoAnswer("This bank lists nothing.")

    def forget(self, saved_method: str) -> None:
        """Nothing was kept."""
