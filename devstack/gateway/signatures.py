"""How the gateway signs what it sends and checks what it gets."""

from __future__ import annotations

import hashlib
import hmac
import re
import time

HEADER = "Gateway-Signature"
TOLERANCE_SECONDS = 300
_SHAPE = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")


def sign(body: bytes, *, secret: bytes, at: int | None = None) -> str:
    at = int(time.time()) if at is None else at
    return f"t={at},v1={_digest(body, secret=secret, at=at)}"


def is_valid(header: str, body: bytes, *, secret: bytes) -> bool:
    shape = _SHAPE.fullmatch(header)
    if shape is None:
        return False
    at = int(shape[1])
    if abs(time.time() - at) > TOLERANCE_SECONDS:
        return False
    return hmac.compare_digest(shape[2], _digest(body, secret=secret, at=at))


def _digest(body: bytes, *, secret: bytes, at: int) -> str:
    return hmac.new(secret, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
