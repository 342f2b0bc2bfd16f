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
# Wants the customer's word first, on a page of the gateway.
CONFIRMED_TOKEN = "tok_3ds"  # noqa: S105 - a test card, not a password
BRANDS = {"tok_mastercard": ("mastercard", "4444")}
ACCEPTED_TOKENS = frozenset({"tok_visa", "tok_mastercard", SILENT_TOKEN, CONFIRMED_TOKEN})

Key = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Amount = Annotated[int, msgspec.Meta(ge=0, le=10**15)]


class Authorise(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    key: Key
    amount_minor: Amount
    currency: str
    reference: str
    token: str = ""
    # Instead of a token: what the gateway kept of an earlier payment.
    saved_method: str = ""
    # Where the customer goes after the page on which they confirm; none: they cannot be asked.
    return_url: str = ""
    # Keep the means of payment for later.
    keep: bool = False


class Capture(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    key: Key
    authorisation: str
    amount_minor: Amount


class Void(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    key: Key
    authorisation: str
    # Let go of what was not captured, beside what was.
    rest: bool = False


class Refund(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    key: Key
    authorisation: str
    amount_minor: Amount


Request = Authorise | Capture | Void | Refund


class Kept(msgspec.Struct, kw_only=True, frozen=True):
    """Means of payment that the gateway keeps, as it tells of them."""

    token: str
    brand: str
    last4: str
    expiry_month: int = 12
    expiry_year: int = 2039


class Operation(msgspec.Struct, kw_only=True, frozen=True):
    """One line of the journal. The token is not in it: only a hash of the whole request is.

    key: empty for what was done in the dashboard. A later line with the same id takes the place of
    an earlier one: a customer has confirmed, or not.
    """

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
    return_url: str = ""
    kept: Kept | None = None

    def answer(self, *, action_url: str = "") -> dict[str, object]:
        return {
            "id": self.id,
            "key": self.key or None,
            "kind": self.kind,
            "status": self.status,
            "code": self.code,
            "authorisation": self.authorisation,
            "amount_minor": self.amount_minor,
            "currency": self.currency,
            "at": self.at,
            "action_url": action_url if self.status == "action_required" else "",
            "kept": self.kept if self.status == "succeeded" else None,
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
        self._by_id: dict[str, Operation] = {}
        self._lines = 0
        self._authorisations: dict[str, Authorisation] = {}
        self._in_order: list[Authorisation] = []
        self._kept: dict[str, Kept] = {}
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
            sequence=self._lines + 1,
            key=request.key,
            fingerprint=fingerprint.hexdigest(),
            at=time.time(),
            **self._decide(request, decline=decline),
        )
        self._write(operation)
        return operation, True

    def waiting(self, authorisation: str) -> Operation | None:
        """The authorisation that waits for its customer; None if it does not, or not any more."""
        operation = self._by_id.get(authorisation)
        if operation is None or operation.status != "action_required":
            return None
        return operation

    def confirm(self, authorisation: str, *, approved: bool) -> Operation | None:
        """What the customer said. Returns the authorisation, or None if it does not wait."""
        operation = self.waiting(authorisation)
        if operation is None:
            return None
        decided = msgspec.structs.replace(
            operation,
            sequence=self._lines + 1,
            status="succeeded" if approved else "refused",
            code="" if approved else "authentication_failed",
            at=time.time(),
        )
        self._write(decided)
        return decided

    def in_dashboard(self, kind: str, authorisation: str, amount_minor: int) -> Operation:
        """Capture, void or refund without the shop: an operation without a key."""
        operation = Operation(
            sequence=self._lines + 1,
            key="",
            fingerprint="",
            at=time.time(),
            **self._follow_up(kind, authorisation, amount_minor, rest=kind == "void"),
        )
        self._write(operation)
        return operation

    def lose(self, key: str) -> bool:
        """Tell nobody of an operation any more, as if it had never come; until a restart."""
        operation = self._by_key.pop(key, None)
        if operation is not None:
            del self._by_id[operation.id]
        return operation is not None

    def operations(self, *, since: float, until: float) -> list[Operation]:
        """Those of this time, in Unix seconds, oldest first, each as it is now."""
        found = [o for o in self._by_id.values() if since <= o.at < until]
        return sorted(found, key=lambda operation: operation.sequence)

    def forget_method(self, token: str) -> None:
        self._write(
            Operation(
                sequence=self._lines + 1,
                key="",
                kind="forget",
                id=token,
                authorisation="",
                status="succeeded",
                code="",
                amount_minor=0,
                currency="",
                reference="",
                fingerprint="",
                at=time.time(),
            )
        )

    def authorisations(self, *, since: int, limit: int) -> Iterator[Authorisation]:
        """Authorisations after the `since`th one, oldest first."""
        yield from self._in_order[since : since + limit]

    def close(self) -> None:
        os.close(self._file)

    def _write(self, operation: Operation) -> None:
        # A write to the file survives the death of this process: the page cache is the kernel's.
        os.write(self._file, msgspec.json.encode(operation) + b"\n")
        self._apply(operation)

    def _decide(self, request: Request, *, decline: bool) -> dict[str, Any]:
        match request:
            case Authorise():
                return self._authorise(request, decline=decline)
            case Capture():
                return self._follow_up("capture", request.authorisation, request.amount_minor)
            case Void():
                return self._follow_up("void", request.authorisation, 0, rest=request.rest)
            case Refund():
                return self._follow_up("refund", request.authorisation, request.amount_minor)

    def _authorise(self, request: Authorise, *, decline: bool) -> dict[str, Any]:
        status, code = "refused", ""
        known = self._kept.get(request.saved_method)
        if request.saved_method and known is None:
            code = "invalid_saved_method"
        elif request.token in DECLINING_TOKENS:
            code = DECLINING_TOKENS[request.token]
        elif not request.saved_method and request.token not in ACCEPTED_TOKENS:
            code = "invalid_token"
        elif decline:
            code = "card_declined"
        elif request.token != CONFIRMED_TOKEN:
            status = "succeeded"
        elif request.return_url:
            status = "action_required"
        else:
            code = "authentication_required"
        digest = hashlib.sha256(request.key.encode()).hexdigest()[:24]
        brand, last4 = BRANDS.get(request.token, ("visa", "4242"))
        return {
            "kind": "authorise",
            "id": f"auth_{digest}",
            "authorisation": f"auth_{digest}",
            "status": status,
            "code": code,
            "amount_minor": request.amount_minor,
            "currency": request.currency,
            "reference": request.reference,
            "return_url": request.return_url,
            "kept": Kept(token=f"kept_{digest}", brand=brand, last4=last4)
            if request.keep
            else None,
        }

    def _follow_up(
        self, kind: str, reference: str, amount_minor: int, *, rest: bool = False
    ) -> dict[str, Any]:
        authorisation = self._authorisations.get(reference)
        waiting = self.waiting(reference)
        of: Authorisation | Operation | None = authorisation or waiting
        if waiting is not None and kind == "void":
            code = ""
        elif authorisation is None:
            code = "unknown_authorisation"
        elif kind != "refund" and authorisation.is_voided:
            code = "already_voided"
        elif kind == "void":
            left = authorisation.amount_minor - authorisation.captured_minor
            is_captured = authorisation.captured_minor and not (rest and left)
            code = "already_captured" if is_captured else ""
        elif kind == "refund":
            left = authorisation.captured_minor - authorisation.refunded_minor
            code = "amount_too_large" if amount_minor > left else ""
        elif amount_minor > authorisation.amount_minor - authorisation.captured_minor:
            code = "amount_too_large"
        else:
            code = ""
        return {
            "kind": kind,
            "id": f"{kind[:3]}_{self._lines + 1}",
            "authorisation": reference,
            "status": "refused" if code else "succeeded",
            "code": code,
            "amount_minor": amount_minor,
            "currency": of.currency if of else "",
            "reference": of.reference if of else "",
        }

    def _apply(self, operation: Operation) -> None:
        self._lines = operation.sequence
        if operation.kind == "forget":
            self._kept.pop(operation.id, None)
            return
        if operation.key:
            self._by_key[operation.key] = operation
        self._by_id[operation.id] = operation
        if operation.status != "succeeded":
            return
        if operation.kept is not None:
            self._kept[operation.kept.token] = operation.kept
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
        elif operation.authorisation in self._authorisations:
            self._authorisations[operation.authorisation].is_voided = True
        else:
            # Let go while the customer was still being asked: there is nothing to confirm now.
            waiting = self._by_id[operation.authorisation]
            ended = msgspec.structs.replace(waiting, status="refused", code="voided")
            self._by_id[waiting.id] = self._by_key[waiting.key] = ended

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
