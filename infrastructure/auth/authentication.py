"""From the Authorization header of a request to the Actor."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest

from infrastructure import clock
from infrastructure.auth import identities
from infrastructure.auth.actor import Actor
from infrastructure.auth.errors import InvalidToken
from infrastructure.auth.identities import Identity
from infrastructure.auth.tokens import Claims, access_tokens

# No token of ours comes near it, and nothing longer deserves a base64 decoding.
LONGEST_TOKEN = 4_096


def authenticate(request: HttpRequest) -> Actor | None:
    """The caller of a request; None where it carries no Authorization header.

    Raises InvalidToken for a header that is not a valid access token of an active account: a caller
    who believes to be signed in is never treated as a stranger.
    """
    header = request.META.get("HTTP_AUTHORIZATION")
    if not header:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.casefold() != "bearer" or not token:
        raise InvalidToken("Send the access token as: Authorization: Bearer <token>.")
    return actor_of(token.strip(), now=clock.now())


def actor_of(token: str, *, now: datetime) -> Actor:
    """The holder of an access token, with the scopes held now. Raises InvalidToken."""
    if len(token) > LONGEST_TOKEN:
        raise InvalidToken
    claims = access_tokens().verify(token, now=now)
    actor = _actor(claims, identities.identity_of(claims.user_id))
    if actor is None:
        raise InvalidToken("The session has ended.")
    return actor


def known_actor(header: str) -> Actor | None:
    """The caller of a request with this Authorization header, if this process has verified the
    token and looked the person up so lately that `authenticate` would ask nobody either.

    None says nothing about the header: ask `authenticate`.
    """
    scheme, _, token = header.partition(" ")
    if scheme != "Bearer":
        return None
    claims = access_tokens().known(token, now=clock.now())
    return None if claims is None else _actor(claims, identities.known_identity_of(claims.user_id))


def _actor(claims: Claims, identity: Identity | None) -> Actor | None:
    if identity is None or not identity.is_active or identity.generation != claims.generation:
        return None
    return Actor(
        id=identity.id,
        scopes=identity.scopes,
        is_staff=identity.is_staff,
        session_id=claims.session_id,
        customer_group=identity.customer_group,
    )
