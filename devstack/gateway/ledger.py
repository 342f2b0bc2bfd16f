"""What the gateway has done: decided once per key, written down before it is told to anyone."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec

DECLINING_TOKENS = {
    "tok_declined": "card_declined",
    "tok_insufficient_funds": "insufficient_funds",
    "tok_expired": "expired_card",
}
SILENT_TOKEN = "tok_timeout"  # noqa: S105 - a test card, not a password
ACCEPTED_TOKENS = frozenset({"tok_visa", "tok_mastercard", SILENT_TOKEN})


Key = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Amount = Annotated[int, msgspec.Meta(ge=0, le=10**15)]


class Authorise(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    key: Key
    amount_minor: Amount
    currency: str
    token: str
    reference: str


class Capture(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    key: Key
    authorisation: str
    amount_minor: Amount


class Void(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    key: Key
    authorisation: str


class Refund(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    key: Key
    authorisation: str
    amount_minor: Amount


Request = Authorise | Capture | Void | Refund


class Operation(msgspec.Struct, kw_only=True, frozen=True):
    """One line of the journal. The token is not in it: only a hash of the whole request is."""

    sequence: int
    key: str
    kind: str
    id: str
    authorisation: str
    status: str
    code: str
    amount_minor: int
    currency: str
    reference: str
    fingerprint: str
    at: float

    def answer(self) -> dict[str, str]:
        return {
            "id": self.id,
            "key": self.key,
            "kind": self.kind,
            "status": self.status,
            "code": self.code,
        }


class Authorisation(msgspec.Struct, kw_only=True):
    """An authorisation and what became of it, for reconciliation."""

    sequence: int
    id: str
    key: str
    reference: str
    amount_minor: int
    currency: str
    captured_minor: int = 0
    refunded_minor: int = 0
    is_voided: bool = False


class KeyReused(Exception):
    """The key came with another request before."""


class Ledger:
    """Decides and remembers. One thread only: the server's event loop."""

    def __init__(self, path: Path) -> None:
        self._by_key: dict[str, Operation] = {}
        self._authorisations: dict[str, Authorisation] = {}
        self._in_order: list[Authorisation] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._load(path)

    def find(self, key: str) -> Operation | None:
        return self._by_key.get(key)

    def carry_out(self, request: Request, *, decline: bool = False) -> tuple[Operation, bool]:
        """The operation under the request's key, and whether this call made it.

        Raises KeyReused.
        """
        fingerprint = hashlib.sha256(msgspec.json.encode([type(request).__name__, request]))
        known = self._by_key.get(request.key)
        if known is not None:
            if known.fingerprint != fingerprint.hexdigest():
                raise KeyReused(request.key)
            return known, False
        operation = Operation(
            sequence=len(self._by_key) + 1,
            key=request.key,
            fingerprint=fingerprint.hexdigest(),
            at=time.time(),
            **self._decide(request, decline=decline),
        )
        # A write to the file survives the death of this process: the page cache is the kernel's.
        os.write(self._file, msgspec.json.encode(operation) + b"\n")
        self._apply(operation)
        return operation, True

    def authorisations(self, *, since: int, limit: int) -> Iterator[Authorisation]:
        """Authorisations after the `since`th one, oldest first."""
        yield from self._in_order[since : since + limit]

    def close(self) -> None:
        os.close(self._file)

    def _decide(self, request: Request, *, decline: bool) -> dict[str, Any]:
        match request:
            case Authorise():
                return _authorisation(request, decline=decline)
            case Capture():
                return self._follow_up("capture", request.authorisation, request.amount_minor)
            case Void():
                return self._follow_up("void", request.authorisation, 0)
            case Refund():
                return self._follow_up("refund", request.authorisation, request.amount_minor)

    def _follow_up(self, kind: str, reference: str, amount_minor: int) -> dict[str, Any]:
        authorisation = self._authorisations.get(reference)
        if authorisation is None:
            code = "unknown_authorisation"
        elif kind == "void":
            code = "already_captured" if authorisation.captured_minor else ""
        elif kind == "refund":
            left = authorisation.captured_minor - authorisation.refunded_minor
            code = "amount_too_large" if amount_minor > left else ""
        elif authorisation.is_voided:
            code = "already_voided"
        elif amount_minor > authorisation.amount_minor - authorisation.captured_minor:
            code = "amount_too_large"
        else:
            code = ""
        return {
            "kind": kind,
            "id": f"{kind[:3]}_{len(self._by_key) + 1}",
            "authorisation": reference,
            "status": "refused" if code else "succeeded",
            "code": code,
            "amount_minor": amount_minor,
            "currency": authorisation.currency if authorisation else "",
            "reference": authorisation.reference if authorisation else "",
        }

    def _apply(self, operation: Operation) -> None:
        self._by_key[operation.key] = operation
        if operation.status != "succeeded":
            return
        if operation.kind == "authorise":
            authorisation = Authorisation(
                sequence=len(self._in_order) + 1,
                id=operation.id,
                key=operation.key,
                reference=operation.reference,
                amount_minor=operation.amount_minor,
                currency=operation.currency,
            )
            self._authorisations[operation.id] = authorisation
            self._in_order.append(authorisation)
        elif operation.kind == "capture":
            self._authorisations[operation.authorisation].captured_minor += operation.amount_minor
        elif operation.kind == "refund":
            self._authorisations[operation.authorisation].refunded_minor += operation.amount_minor
        else:
            self._authorisations[operation.authorisation].is_voided = True

    def _load(self, path: Path) -> None:
        decoder = msgspec.json.Decoder(Operation)
        whole = 0
        with path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                self._apply(decoder.decode(line))
                whole += len(line)
        # A line cut by a crash was never answered; the next one must not be glued to it.
        os.ftruncate(self._file, whole)


def _authorisation(request: Authorise, *, decline: bool) -> dict[str, Any]:
    if request.token in DECLINING_TOKENS:
        code = DECLINING_TOKENS[request.token]
    elif request.token not in ACCEPTED_TOKENS:
        code = "invalid_token"
    else:
        code = "card_declined" if decline else ""
    identity = f"auth_{hashlib.sha256(request.key.encode()).hexdigest()[:24]}"
    return {
        "kind": "authorise",
        "id": identity,
        "authorisation": identity,
        "status": "refused" if code else "succeeded",
        "code": code,
        "amount_minor": request.amount_minor,
        "currency": request.currency,
        "reference": request.reference,
    }
