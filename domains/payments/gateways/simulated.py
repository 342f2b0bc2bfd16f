"""The client of the simulated gateway, which is an HTTP process of its own."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from typing import Any, Literal
from uuid import UUID

import httpx
import msgspec
from django.conf import settings

from domains.payments.errors import InvalidNotification, InvalidSignature
from domains.payments.gateways.port import (
    Authorise,
    Capture,
    NoAnswer,
    Notification,
    Request,
    Void,
)
from domains.payments.rules import Reply

SIGNATURE_HEADER = "Gateway-Signature"
SIGNATURE_TOLERANCE_SECONDS = 300
_SIGNATURE = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})", re.ASCII)

_PATHS = {Authorise: "/authorisations", Capture: "/captures", Void: "/voids"}
_LARGEST_ANSWER = 64 * 1024


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


class SimulatedGateway:
    def __init__(self) -> None:
        self._secret = settings.PAYMENT_GATEWAY_SECRET.encode()
        self._patience = settings.PAYMENT_GATEWAY_READ_TIMEOUT
        self._client = httpx.Client(
            base_url=settings.PAYMENT_GATEWAY_URL,
            timeout=httpx.Timeout(self._patience, connect=settings.PAYMENT_GATEWAY_CONNECT_TIMEOUT),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=64),
            follow_redirects=False,
            trust_env=False,
        )

    def send(self, request: Request) -> Reply:
        body = msgspec.json.encode(request)
        headers = {
            "Content-Type": "application/json",
            SIGNATURE_HEADER: signature_of(body, secret=self._secret, at=int(time.time())),
        }
        status, answer = self._call("POST", _PATHS[type(request)], content=body, headers=headers)
        if status != httpx.codes.OK:
            raise NoAnswer(f"The gateway answered {status}.")
        return _understood(answer, request.key)

    def lookup(self, key: UUID) -> Reply | None:
        status, answer = self._call("GET", f"/operations/{key}")
        if status == httpx.codes.NOT_FOUND:
            return None
        if status != httpx.codes.OK:
            raise NoAnswer(f"The gateway answered {status}.")
        return _understood(answer, key)

    def notification(self, *, body: bytes, signature: str, now: float) -> Notification:
        check_signature(body, signature, secret=self._secret, now=now)
        try:
            answer = msgspec.json.decode(body, type=Answer)
        except msgspec.MsgspecError as error:
            raise InvalidNotification(str(error)) from error
        return Notification(key=answer.key, reply=answer.reply())

    def close(self) -> None:
        """Close the pooled connections."""
        self._client.close()

    def _call(self, method: str, path: str, **options: Any) -> tuple[int, bytes]:
        try:
            return self._attempt(method, path, **options)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            # A kept-alive connection that the gateway closed meanwhile. Sending again is safe: the
            # key is the same.
            pass
        except httpx.HTTPError as error:
            raise NoAnswer(type(error).__name__) from error
        try:
            return self._attempt(method, path, **options)
        except httpx.HTTPError as error:
            raise NoAnswer(type(error).__name__) from error

    def _attempt(self, method: str, path: str, **options: Any) -> tuple[int, bytes]:
        # The read time-out starts anew with every byte, so the whole answer has a deadline too.
        deadline = time.monotonic() + self._patience
        with self._client.stream(method, path, **options) as response:
            answer = b""
            for chunk in response.iter_bytes():
                if answer and time.monotonic() > deadline:
                    raise NoAnswer("The gateway is too slow.")
                answer += chunk
                if len(answer) > _LARGEST_ANSWER:
                    raise NoAnswer("The gateway's answer is too long.")
            return response.status_code, answer


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


def _understood(answer: bytes, key: UUID) -> Reply:
    try:
        told = msgspec.json.decode(answer, type=Answer)
    except msgspec.MsgspecError as error:
        raise NoAnswer("The gateway's answer cannot be read.") from error
    if told.key != key:
        raise NoAnswer("The gateway answered another question.")
    return told.reply()
