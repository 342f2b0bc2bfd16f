"""Writes of this context: one function per command."""

from __future__ import annotations

import secrets
from collections.abc import Container, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.models import Model

from domains.users import queries, rules
from domains.users.errors import (
    EmailTaken,
    InvalidCredentials,
    InvalidRefreshToken,
    UserNotFound,
    WeakPassword,
)
from domains.users.models import EMAIL_CONSTRAINT, EndReason, Session, User
from infrastructure.aggregates import ConcurrentModification
from infrastructure.auth import identities, passwords
from infrastructure.auth.errors import MissingScope
from infrastructure.auth.tokens import access_tokens
from infrastructure.database.contexts import atomic
from infrastructure.database.violations import constraint_of
from infrastructure.http import idempotency, limits
from infrastructure.http.idempotency import IdempotencyKey
from infrastructure.pii.index import blind_index, normalise_email

# Names of the OWASP logging vocabulary; alerts count them.
log = structlog.get_logger("security")

REFRESH_TOKEN_PREFIX = "rt_"  # noqa: S105  (so that secret scanners recognise one)
EXPIRED_SESSIONS_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a client gets for a password or a refresh token. `expires_in` is in seconds and belongs
    to the access token."""

    user_id: UUID
    session_id: UUID
    access_token: str
    refresh_token: str
    expires_in: int


# Accounts


def register(
    *, email: str, password: str, name: str, now: datetime, key: IdempotencyKey | None = None
) -> User:
    """Open a customer's account. Raises EmailTaken, WeakPassword, and Duplicate for a key that is
    in use."""
    _refuse_weak(password, email=email, name=name)
    user = User.register(email=email, name=name, password_hash=passwords.hash_of(password), now=now)
    _save_new(user, also=[key.record(user.id, now)] if key else [])
    return user


def create_staff(
    *,
    email: str,
    password: str,
    name: str,
    roles: Iterable[str],
    is_superuser: bool = False,
    now: datetime,
) -> User:
    """Open an account for a member of staff. Raises EmailTaken, WeakPassword, UnknownRole."""
    _refuse_weak(password, email=email, name=name)
    user = User.hire(
        email=email,
        name=name,
        password_hash=passwords.hash_of(password),
        roles=roles,
        is_superuser=is_superuser,
        now=now,
    )
    _save_new(user)
    return user


def ensure_staff(
    *,
    email: str,
    password: str,
    name: str,
    roles: Iterable[str],
    is_superuser: bool = False,
    now: datetime,
) -> bool:
    """There is an active member of staff with this address, password and exactly these rights.

    Returns whether anything had to be written. Raises WeakPassword, UnknownRole.
    """
    roles = list(roles)
    user = User.objects.with_email(email).first()
    if user is None:
        create_staff(
            email=email,
            password=password,
            name=name,
            roles=roles,
            is_superuser=is_superuser,
            now=now,
        )
        return True
    changed = user.assign_roles(roles, is_superuser=is_superuser, now=now)
    if not user.is_active:
        user.reactivate(now=now)
        changed = True
    if changed:
        _save_and_forget(user)
    if not passwords.matches(password, user.password):
        set_password(user_id=user.id, password=password, now=now)
        changed = True
    return changed


def rename(*, user_id: UUID, name: str, now: datetime, version: int | None = None) -> User:
    """version: the one that the change is based on, where the caller minds.
    Raises UserNotFound, ConcurrentModification."""
    user = _user(user_id)
    user.require_version(version)
    if user.rename(name, now=now):
        user.save()
    return user


def set_customer_group(
    *, user_id: UUID, customer_group: str, scopes: Container[str], now: datetime
) -> User:
    """Put somebody into a group of customers, or with an empty code into none.

    scopes: of who does it; for a member of staff it takes the right to manage them as well.
    Raises MissingScope, UserNotFound, InvalidCustomerGroup.
    """
    _require("users.set_group", scopes)
    user = _user(user_id)
    if user.is_staff:
        _require(rules.scope_to_manage(is_staff=True), scopes)
    if user.join_group(customer_group, now=now):
        _save_and_forget(user)
    return user


def set_password(*, user_id: UUID, password: str, now: datetime) -> None:
    """Ends all sessions too. Raises UserNotFound, WeakPassword."""
    user = _user(user_id)
    _refuse_weak(password, email=user.email, name=user.name)
    user.change_password(passwords.hash_of(password), now=now)
    _save_and_end_sessions(user, reason=EndReason.PASSWORD_CHANGED, now=now)


def deactivate(*, user_id: UUID, scopes: Container[str], now: datetime) -> None:
    """scopes: of who does it. Raises UserNotFound, MissingScope, AlreadyInactive."""
    user = _managed(user_id, scopes)
    user.deactivate(now=now)
    _save_and_end_sessions(user, reason=EndReason.DEACTIVATED, now=now)


def reactivate(*, user_id: UUID, scopes: Container[str], now: datetime) -> None:
    """scopes: of who does it. Raises UserNotFound, MissingScope, AlreadyActive."""
    user = _managed(user_id, scopes)
    user.reactivate(now=now)
    _save_and_forget(user)


# Sessions


def sign_in(*, email: str, password: str, now: datetime) -> SignedIn:
    """Open a session. Raises InvalidCredentials, RateLimited, HashingBusy."""
    user = _with_password(email=email, password=password)
    if user is None:
        raise InvalidCredentials
    token = _new_refresh_token()
    session = Session.objects.open(
        user_id=user.id, generation=user.auth_generation, token=token, now=now
    )
    if session is None:
        log.warning("authn_login_fail", user_id=str(user.id))
        raise InvalidCredentials
    log.info("authn_login_success", user_id=str(user.id), session_id=str(session.id))
    return _signed_in(session, scopes=user.scopes, refresh_token=token, now=now)


def refresh(*, refresh_token: str, now: datetime) -> SignedIn:
    """Trade a refresh token for a new pair; it can be used once.

    A token that comes back was stolen from one of the two who have it, so its session ends for
    both. Raises InvalidRefreshToken.
    """
    successor = _new_refresh_token()
    session = Session.objects.rotate(token=refresh_token, successor=successor, now=now)
    if session is None:
        ended = Session.objects.end_where_reused(token=refresh_token, now=now)
        if ended is not None:
            log.warning("authn_token_reuse", user_id=str(ended.user_id), session_id=str(ended.id))
        raise InvalidRefreshToken
    user = _user(session.user_id)
    if user.auth_generation != session.auth_generation:
        raise InvalidRefreshToken
    return _signed_in(session, scopes=user.scopes, refresh_token=successor, now=now)


def sign_out(*, refresh_token: str, now: datetime) -> None:
    """End the session of a refresh token. One that is unknown or ended already changes nothing."""
    Session.objects.of_token(refresh_token).end(reason=EndReason.SIGNED_OUT, now=now)


def end_sessions(*, user_id: UUID, scopes: Container[str], now: datetime) -> int:
    """End all sessions of a user, access tokens and the admin's included. Returns how many could
    still have been refreshed. scopes: of who does it. Raises UserNotFound, MissingScope."""
    user = _managed(user_id, scopes)
    user.end_sessions()
    return _save_and_end_sessions(user, reason=EndReason.ENDED_BY_STAFF, now=now)


def purge_sessions(*, now: datetime, at_most: int = 10_000) -> int:
    """Forget sessions 30 days after the last day they could have had. Returns how many went; call
    it again while that is `at_most`."""
    return Session.objects.forget(expired_before=now - EXPIRED_SESSIONS_KEPT, at_most=at_most)


def staff_with_password(*, email: str, password: str, now: datetime) -> User | None:
    """The active member of staff whose credentials these are, for the admin's sign-in.

    What is returned has the generation that the password was checked for, and a session of the
    admin is bound to it. Raises RateLimited, HashingBusy.
    """
    checked = _with_password(email=email, password=password)
    if checked is None or not checked.is_staff:
        return None
    user = _user(checked.id)
    if not user.is_active or user.auth_generation != checked.auth_generation:
        log.warning("authn_login_fail", user_id=str(user.id))
        return None
    log.info("authn_login_success", user_id=str(user.id))
    return user


# Steps


def _user(user_id: UUID) -> User:
    user = queries.user_of(user_id)
    if user is None:
        raise UserNotFound
    return user


def _managed(user_id: UUID, scopes: Container[str]) -> User:
    """Somebody whom a holder of these scopes may manage. Should they be hired or dismissed before
    they are saved, the version tells. Raises UserNotFound, MissingScope."""
    user = _user(user_id)
    _require(rules.scope_to_manage(is_staff=user.is_staff), scopes)
    return user


def _require(scope: str, scopes: Container[str]) -> None:
    if scope not in scopes:
        raise MissingScope(scope)


def _with_password(*, email: str, password: str) -> User | None:
    """The active user with these credentials. An unknown address costs the time of a known one."""
    index = blind_index(normalise_email(email), kind="email")
    limits.charge(f"account:{index.hex()}", "login_account")
    user = User.objects.with_email(email).first()
    right = passwords.matches(password, user.password if user else None)
    if user is None or not right or not user.is_active:
        log.warning("authn_login_fail", user_id=str(user.id) if user else None)
        return None
    if passwords.is_outdated(user.password):
        user.strengthen_password_hash(passwords.hash_of(password))
        # Whoever was faster did the same, or changed the password.
        with suppress(ConcurrentModification):
            user.save()
    return user


def _signed_in(
    session: Session, *, scopes: frozenset[str], refresh_token: str, now: datetime
) -> SignedIn:
    lifetime = timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)
    access_token = access_tokens().issue(
        user_id=session.user_id,
        session_id=session.id,
        generation=session.auth_generation,
        scopes=scopes,
        now=now,
        lifetime=lifetime,
    )
    return SignedIn(
        user_id=session.user_id,
        session_id=session.id,
        access_token=access_token,
        refresh_token=refresh_token,
        expires_in=settings.ACCESS_TOKEN_SECONDS,
    )


def _new_refresh_token() -> str:
    return REFRESH_TOKEN_PREFIX + secrets.token_urlsafe(32)


def _refuse_weak(password: str, *, email: str, name: str) -> None:
    try:
        validate_password(password, User(email=email, name=name))
    except ValidationError as error:
        raise WeakPassword(error.messages) from None


def _save_new(user: User, *, also: Sequence[Model] = ()) -> None:
    try:
        with idempotency.duplicates():
            user.save(also=also)
    except IntegrityError as error:
        if constraint_of(error) == EMAIL_CONSTRAINT:
            raise EmailTaken from None
        raise


def _save_and_forget(user: User) -> None:
    user.save()
    identities.forget(user.id)


def _save_and_end_sessions(user: User, *, reason: EndReason, now: datetime) -> int:
    with atomic("users"):
        user.save()
        ended = Session.objects.filter(user_id=user.id).end(reason=reason, now=now)
    identities.forget(user.id)
    return ended
