"""The token that a guest reads their order with."""

from __future__ import annotations

import base64
import hashlib
import hmac
from uuid import UUID

from django.conf import settings


def order_token(order_id: UUID) -> str:
    """256 bits that nobody can tell from the order's id. They are derived, so that a request that
    is sent again is answered with the same; the order keeps their hash only."""
    secret = hmac.digest(settings.ORDER_TOKEN_KEY, order_id.bytes, hashlib.sha256)
    return base64.urlsafe_b64encode(secret).rstrip(b"=").decode()


def token_hash_of(order_id: UUID) -> bytes:
    return hash_of(order_token(order_id))


def hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def opens(token: str, *, token_hash: bytes) -> bool:
    """Whether a token is the one that an order keeps the hash of."""
    return hmac.compare_digest(hash_of(token), token_hash)
