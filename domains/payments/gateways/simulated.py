"""The client of the simulated gateway, which is an HTTP process of its own."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Iterator
from datetime import datetime
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
from domains.payments.rules import Reply

SIGNATURE_HEADER = "Gateway-Signature"
SIGNATURE_TOLERANCE_SECONDS = 300
_SIGNATURE = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})", re.ASCII)

_PATHS = {
    Authorise: "/authorisations",
    Capture: "/captures",
    Void: "/voids",
    Refund: "/refunds",
}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway says of an operation, as an answer and as a notification."""

    id: str
    key: UUID
    status: Literal["succeeded", "refused"]
    code: str

    def reply(self) -> Reply:
        if self.status == "refused":
            return Reply(refusal=self.code or "refused")
        return Reply(gateway_reference=self.id)


# Made here once: msgspec crashes if two threads decode a type for the first time at once.
_decode = msgspec.json.Decoder(Answer).decode


class SimulatedGateway:
    capabilities = Capabilities()

    def __init__(self) -> None:
        self._secret = settings.PAYMENT_GATEWAY_SECRET.encode()
        self._connections = Connections(
            settings.PAYMENT_GATEWAY_URL,
            connect_timeout=settings.PAYMENT_GATEWAY_CONNECT_TIMEOUT,
            read_timeout=settings.PAYMENT_GATEWAY_READ_TIMEOUT,
        )

    def send(self, request: Request) -> Reply:
        body = msgspec.json.encode(_asked(request))
        headers = {
            "Content-Type": "application/json",
            SIGNATURE_HEADER: signature_of(body, secret=self._secret, at=int(time.time())),
        }
        status, answer = self._connections.request("POST", _PATHS[type(request)], body, headers)
        if status != HTTPStatus.OK:
            raise NoAnswer(f"The gateway answered {status}.")
        return _understood(answer, request.key)

    def lookup(self, request: Request) -> Reply | None:
        key = request.key
        status, answer = self._connections.request("GET", f"/operations/{key}")
        if status == HTTPStatus.NOT_FOUND:
            return None
        if status != HTTPStatus.OK:
            raise NoAnswer(f"The gateway answered {status}.")
        return _understood(answer, key)

    def notification(self, *, body: bytes, signature: str, now: float) -> Notification:
        check_signature(body, signature, secret=self._secret, now=now)
        try:
            answer = _decode(body)
        except msgspec.MsgspecError as error:
            raise InvalidNotification(str(error)) from error
        return Notification(key=answer.key, reply=answer.reply())

    def listing(self, since: datetime, until: datetime) -> Iterator[Listed]:
        raise NoAnswer("This gateway lists nothing.")

    def close(self) -> None:
        """Close the kept connections."""
        self._connections.close()


def signature_of(body: bytes, *, secret: bytes, at: int) -> str:
    digest = hmac.new(secret, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def check_signature(body: bytes, signature: str, *, secret: bytes, now: float) -> None:
    """Raises InvalidSignature unless the body was signed with the secret not long ago."""
    shape = _SIGNATURE.fullmatch(signature)
    if shape is None:
        raise InvalidSignature(f"Send {SIGNATURE_HEADER}: t=<unix seconds>,v1=<hex>.")
    at = int(shape[1])
    if not hmac.compare_digest(signature, signature_of(body, secret=secret, at=at)):
        raise InvalidSignature("The signature does not fit the body.")
    if abs(now - at) > SIGNATURE_TOLERANCE_SECONDS:
        raise InvalidSignature("The notification was signed too long ago.")


def _asked(request: Request) -> dict[str, object]:
    """The request as this gateway takes it: what it is not told is left out."""
    asked: dict[str, object] = msgspec.to_builtins(request)
    if not isinstance(request, Authorise):
        asked.pop("currency", None)  # that of the authorisation
    return {k: v for k, v in asked.items() if v or k not in ("return_url", "saved_method")}


def _understood(answer: bytes, key: UUID) -> Reply:
    try:
        told = _decode(answer)
    except msgspec.MsgspecError as error:
        raise NoAnswer("The gateway's answer cannot be read.") from error
    if told.key != key:
        raise NoAnswer("The gateway answered another question.")
    return told.reply()
