"""The client of the simulated gateway, which is an HTTP process of its own."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Literal
from uuid import UUID

import msgspec
from django.conf import settings

from domains.payments.errors import InvalidNotification, InvalidSignature
from domains.payments.gateways.connections import Connections
from domains.payments.gateways.port import (
    Authorise,
    Capabilities,
    Capture,
    Listed,
    NoAnswer,
    Notification,
    Refund,
    Request,
    Void,
)
from domains.payments.rules.gateways import KeptMethod, Reply
from domains.payments.rules.operations import OperationKind, OperationState

SIGNATURE_HEADER = "Gateway-Signature"
SIGNATURE_TOLERANCE_SECONDS = 300
_SIGNATURE = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})", re.ASCII)

_PATHS = {
    Authorise: "/authorisations",
    Capture: "/captures",
    Void: "/voids",
    Refund: "/refunds",
}


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    token: str
    brand: str
    last4: str
    expiry_month: int
    expiry_year: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway says of an operation, as an answer, as a notification and in its list.

    key: None for what was done in the gateway's own screens. at: in Unix seconds.
    """

    id: str
    key: str | None
    kind: Literal["authorise", "capture", "void", "refund"]
    status: Literal["succeeded", "refused", "action_required"]
    code: str
    authorisation: str
    amount_minor: int
    currency: str
    at: float
    action_url: str = ""
    kept: Kept | None = None

    @property
    def our_key(self) -> UUID | None:
        """None, too, for a key that some other client of the account has chosen: a gateway takes
        any text, and one such line must not make the list unreadable."""
        try:
            return UUID(self.key) if self.key else None
        except ValueError:
            return None

    @property
    def is_refused(self) -> bool:
        """What was let go before, by whomever, is not held: that is what a void asks for."""
        is_gone = self.kind == "void" and self.code == "already_voided"
        return self.status == "refused" and not is_gone

    def reply(self) -> Reply:
        if self.is_refused:
            return Reply(gateway_reference=self.id, refusal=self.code or "refused")
        if self.status == "action_required":
            return Reply(gateway_reference=self.id, action_url=self.action_url)
        kept = KeptMethod(**msgspec.structs.asdict(self.kept)) if self.kept else None
        return Reply(gateway_reference=self.id, kept=kept)

    def listed(self) -> Listed:
        return Listed(
            key=self.our_key,
            kind=OperationKind(self.kind.upper()),
            reference=self.id,
            authorisation=self.authorisation,
            amount_minor=self.amount_minor,
            currency=self.currency,
            state=OperationState.FAILED if self.is_refused else _STATES[self.status],
            at=datetime.fromtimestamp(self.at, UTC),
        )


class Page(msgspec.Struct, frozen=True, kw_only=True):
    items: list[Answer]
    next: int | None


_STATES = {
    "succeeded": OperationState.SUCCEEDED,
    "refused": OperationState.SUCCEEDED,  # unless `is_refused`
    "action_required": OperationState.SENT,
}
# It has not come that far, or it cannot cope: another try may find it well.
_PASSING = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})

# Made here once: msgspec crashes if two threads decode a type for the first time at once.
_decode = msgspec.json.Decoder(Answer).decode
_decode_page = msgspec.json.Decoder(Page).decode


class SimulatedGateway:
    capabilities = Capabilities(three_d_secure=True, saved_methods=True, listing=True)

    def __init__(self) -> None:
        self._secret = settings.PAYMENT_GATEWAY_SECRET.encode()
        self._connections = Connections(
            settings.PAYMENT_GATEWAY_URL,
            connect_timeout=settings.PAYMENT_GATEWAY_CONNECT_TIMEOUT,
            read_timeout=settings.PAYMENT_GATEWAY_READ_TIMEOUT,
        )

    def send(self, request: Request) -> Reply:
        return _understood(self._post(_PATHS[type(request)], _asked(request)), request.key)

    def lookup(self, request: Request) -> Reply | None:
        key = request.key
        status, answer = self._connections.request("GET", f"/operations/{key}")
        if status == HTTPStatus.NOT_FOUND:
            return None
        _require_ok(status)
        return _understood(answer, key)

    def notification(self, *, body: bytes, signature: str, now: float) -> Notification:
        check_signature(body, signature, secret=self._secret, now=now)
        try:
            answer = _decode(body)
        except msgspec.MsgspecError as error:
            raise InvalidNotification(str(error)) from error
        if answer.key and answer.our_key is None:
            raise InvalidNotification("The key is none of ours.")
        return Notification(key=answer.our_key, reply=answer.reply(), operation=answer.listed())

    def listing(self, since: datetime, until: datetime) -> Iterator[Listed]:
        window = f"since={since.timestamp()}&until={until.timestamp()}"
        after: int | None = 0
        while after is not None:
            status, answer = self._connections.request("GET", f"/operations?{window}&after={after}")
            _require_ok(status)
            try:
                page = _decode_page(answer)
            except msgspec.MsgspecError as error:
                raise NoAnswer("The gateway's list cannot be read.") from error
            yield from (operation.listed() for operation in page.items)
            after = page.next

    def forget(self, saved_method: str) -> None:
        self._post("/forgotten-methods", {"token": saved_method})

    def close(self) -> None:
        """Close the kept connections."""
        self._connections.close()

    def _post(self, path: str, asked: dict[str, object]) -> bytes:
        body = msgspec.json.encode(asked)
        headers = {
            "Content-Type": "application/json",
            SIGNATURE_HEADER: signature_of(body, secret=self._secret, at=int(time.time())),
        }
        status, answer = self._connections.request("POST", path, body, headers)
        _require_ok(status)
        return answer


def signature_of(body: bytes, *, secret: bytes, at: int) -> str:
    digest = hmac.new(secret, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def check_signature(body: bytes, signature: str, *, secret: bytes, now: float) -> None:
    """Raises InvalidSignature unless the body was signed with the secret not long ago."""
    if not secret:
        raise InvalidSignature("There is no secret that anybody could have signed it with.")
    shape = _SIGNATURE.fullmatch(signature)
    if shape is None:
        raise InvalidSignature(f"Send {SIGNATURE_HEADER}: t=<unix seconds>,v1=<hex>.")
    at = int(shape[1])
    if not hmac.compare_digest(signature, signature_of(body, secret=secret, at=at)):
        raise InvalidSignature("The signature does not fit the body.")
    if abs(now - at) > SIGNATURE_TOLERANCE_SECONDS:
        raise InvalidSignature("The notification was signed too long ago.")


_LEFT_OUT = frozenset({"return_url", "saved_method", "keep", "rest"})


def _asked(request: Request) -> dict[str, object]:
    """The request as this gateway takes it: what it is not told is left out."""
    asked: dict[str, object] = msgspec.to_builtins(request)
    asked.pop("known_as", None)  # the key is enough
    if not isinstance(request, Authorise):
        asked.pop("currency", None)  # that of the authorisation
    return {k: v for k, v in asked.items() if v or k not in _LEFT_OUT}


def _require_ok(status: int) -> None:
    if status != HTTPStatus.OK:
        raise NoAnswer(f"The gateway answered {status}.", is_passing=status in _PASSING)


def _understood(answer: bytes, key: UUID) -> Reply:
    try:
        told = _decode(answer)
    except msgspec.MsgspecError as error:
        raise NoAnswer("The gateway's answer cannot be read.") from error
    if told.our_key != key:
        raise NoAnswer("The gateway answered another question.")
    return told.reply()
