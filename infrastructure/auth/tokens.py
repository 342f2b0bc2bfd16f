"""Access tokens: JWTs (RFC 9068) signed with Ed25519, valid for ten minutes at most.

The backend is simplejwt's, with a ring of keys in place of one. A token is verified once per
process: afterwards the text itself is the proof, until it expires.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import jwt
from django.conf import settings
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError

from infrastructure.auth.errors import InvalidToken
from infrastructure.auth.keys import KeyRing
from infrastructure.ids import new_id

ALGORITHM = "EdDSA"
TYPE = "at+jwt"
CLAIMS = ("iss", "aud", "sub", "sid", "gen", "scope", "jti", "iat", "exp")
# Replicas' clocks differ a little: a token from a clock that runs ahead is not from the future.
LEEWAY = timedelta(seconds=10)
REMEMBERED_TOKENS = 10_000


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says. `generation` must still be its owner's when it is used."""

    user_id: UUID
    session_id: UUID
    generation: int
    expires_at: datetime


class KeyRingBackend(TokenBackend):
    """simplejwt's backend, signing with the current key of a ring and verifying with any of it."""

    def __init__(self, ring: KeyRing, *, issuer: str, audience: str) -> None:
        super().__init__(ALGORITHM, issuer=issuer, audience=audience)
        self.ring = ring

    def encode(self, payload: dict[str, Any]) -> str:
        return jwt.encode(
            {**payload, "iss": self.issuer, "aud": self.audience},
            self.ring.private,
            algorithm=self.algorithm,
            headers={"typ": TYPE, "kid": self.ring.current},
        )

    def get_verifying_key(self, token: str) -> Any:  # type: ignore[override]
        header = jwt.get_unverified_header(token)
        # Anything else in a header (jku, jwk, x5u) tells a verifier where to find a key.
        if set(header) != {"typ", "alg", "kid"} or header["typ"] != TYPE:
            raise TokenBackendError("Not an access token of ours.")
        key = self.ring.public.get(header["kid"])
        if key is None:
            raise TokenBackendError("Unknown key.")
        return key

    def decode(self, token: str, verify: bool = True) -> dict[str, Any]:  # type: ignore[override]
        """The claims of a token whose signature, issuer and audience are right.

        Times are left to the caller, who is told what time it is.
        """
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self.get_verifying_key(token),
                algorithms=[self.algorithm],
                audience=self.audience,
                issuer=self.issuer,
                options={
                    "require": list(CLAIMS),
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.InvalidTokenError as error:
            raise TokenBackendError("The token is not valid.") from error
        return claims


class VerifiedTokens:
    """Tokens whose signature was checked, by their whole text. Bounded: the oldest goes first."""

    def __init__(self, limit: int = REMEMBERED_TOKENS) -> None:
        self._claims: dict[str, Claims] = {}
        self._lock = threading.Lock()
        self._limit = limit

    def __len__(self) -> int:
        return len(self._claims)

    def get(self, token: str) -> Claims | None:
        return self._claims.get(token)

    def remember(self, token: str, claims: Claims) -> None:
        with self._lock:
            while len(self._claims) >= self._limit:
                del self._claims[next(iter(self._claims))]
            self._claims[token] = claims

    def forget(self, token: str) -> None:
        with self._lock:
            self._claims.pop(token, None)


class AccessTokens:
    """Issues and verifies access tokens of one issuer."""

    def __init__(self, backend: KeyRingBackend) -> None:
        self.backend = backend
        self.verified = VerifiedTokens()

    def issue(
        self,
        *,
        user_id: UUID,
        session_id: UUID,
        generation: int,
        scopes: Iterable[str],
        now: datetime,
        lifetime: timedelta,
    ) -> str:
        return self.backend.encode(
            {
                "sub": str(user_id),
                "sid": str(session_id),
                "gen": generation,
                "scope": " ".join(sorted(scopes)),
                "jti": new_id().hex,
                "iat": int(now.timestamp()),
                "exp": int((now + lifetime).timestamp()),
            }
        )

    def verify(self, token: str, *, now: datetime) -> Claims:
        """The claims of a valid token. Raises InvalidToken."""
        claims = self.verified.get(token)
        if claims is None:
            claims = self._checked(token, now=now)
            self.verified.remember(token, claims)
        elif claims.expires_at <= now:
            self.verified.forget(token)
            raise InvalidToken("The access token has expired.")
        return claims

    def known(self, token: str, *, now: datetime) -> Claims | None:
        """The claims of a token that was verified here before and has not expired."""
        claims = self.verified.get(token)
        return None if claims is None or claims.expires_at <= now else claims

    def _checked(self, token: str, *, now: datetime) -> Claims:
        try:
            payload = self.backend.decode(token)
            issued_at = datetime.fromtimestamp(int(payload["iat"]), tz=now.tzinfo)
            claims = Claims(
                user_id=UUID(payload["sub"]),
                session_id=UUID(payload["sid"]),
                generation=int(payload["gen"]),
                expires_at=datetime.fromtimestamp(int(payload["exp"]), tz=now.tzinfo),
            )
        except (TokenBackendError, jwt.InvalidTokenError):
            raise InvalidToken from None
        except (AttributeError, OSError, OverflowError, TypeError, ValueError):
            # Claims of another form than ours; the last four are what dates are refused with.
            raise InvalidToken from None
        if claims.expires_at <= now:
            raise InvalidToken("The access token has expired.")
        if issued_at > now + LEEWAY:
            raise InvalidToken
        return claims


def access_tokens() -> AccessTokens:
    """The tokens of this installation."""
    return _access_tokens(
        settings.JWT_PRIVATE_KEY,
        settings.JWT_OTHER_KEYS,
        settings.JWT_ISSUER,
        settings.JWT_AUDIENCE,
    )


@lru_cache(maxsize=4)
def _access_tokens(private_key: str, other_keys: str, issuer: str, audience: str) -> AccessTokens:
    # Keyed by its settings, so that no token stays verified by a key that was taken away.
    ring = KeyRing.from_pem(private_key, other_keys)
    return AccessTokens(KeyRingBackend(ring, issuer=issuer, audience=audience))
