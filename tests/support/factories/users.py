"""People for tests, made through the services."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from django.conf import settings
from django.test import Client

from domains.users import rules, services
from domains.users.models import User
from infrastructure import clock
from infrastructure.auth.tokens import access_tokens
from infrastructure.ids import new_id

PASSWORD = "a lantern on the water"
EVERY_SCOPE = frozenset(rules.SCOPES)
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

_numbers = count(1)


def customer(
    *, email: str | None = None, password: str = PASSWORD, name: str = "Ann Smith"
) -> User:
    return services.register(email=email or _address(), password=password, name=name, now=NOW)


def staff(
    *roles: str,
    email: str | None = None,
    password: str = PASSWORD,
    name: str = "Sam Clerk",
    is_superuser: bool = False,
) -> User:
    """A member of staff with these roles; `admin` where none is named."""
    return services.create_staff(
        email=email or _address(),
        password=password,
        name=name,
        roles=roles or ("admin",),
        is_superuser=is_superuser,
        now=NOW,
    )


def access_token(user: User, *, now: datetime | None = None) -> str:
    """A token as signing in would give it, but without hashing a password or a session row."""
    return access_tokens().issue(
        user_id=user.id,
        session_id=new_id(),
        generation=user.auth_generation,
        scopes=user.scopes,
        now=now or clock.now(),
        lifetime=timedelta(seconds=settings.ACCESS_TOKEN_SECONDS),
    )


def client_of(user: User, **options: Any) -> Client:
    """An HTTP client that is signed in to the API."""
    return Client(headers={"Authorization": f"Bearer {access_token(user)}"}, **options)


def admin_client_of(user: User) -> Client:
    """An HTTP client that is signed in to the admin."""
    client = Client()
    client.force_login(user)
    return client


def _address() -> str:
    return f"person{next(_numbers)}.{new_id().hex[-8:]}@example.com"
