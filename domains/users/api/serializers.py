"""What the API of this context takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from msgspec import Meta

from domains.users import models, rules, services
from infrastructure.http.types import ONE_LINE, Body, Out, PageQuery

Email = Annotated[
    str,
    Meta(
        pattern=r"^[^\s@\x00-\x1f]+@[^\s@\x00-\x1f]+\.[^\s@.\x00-\x1f]+$(?![\s\S])",
        max_length=rules.EMAIL_MAX_LENGTH,
        examples=["ann@example.com"],
    ),
]
Name = Annotated[
    str, Meta(max_length=rules.NAME_MAX_LENGTH, pattern=ONE_LINE, examples=["Ann Smith"])
]
NewPassword = Annotated[
    str,
    Meta(
        min_length=rules.PASSWORD_MIN_LENGTH,
        max_length=rules.PASSWORD_MAX_LENGTH,
        description="8 to 128 characters, any of them; common ones are refused.",
    ),
]
# What somebody types may be wrong in any way but too long to hash.
Password = Annotated[str, Meta(max_length=rules.PASSWORD_MAX_LENGTH)]
RefreshToken = Annotated[str, Meta(max_length=100, examples=["rt_…"])]


class Register(Body, frozen=True, kw_only=True):
    email: Email
    password: NewPassword
    name: Name = ""


class SignIn(Body, frozen=True, kw_only=True):
    email: Annotated[str, Meta(max_length=rules.EMAIL_MAX_LENGTH)]
    password: Password


class Refresh(Body, frozen=True, kw_only=True):
    refresh_token: RefreshToken


class SignOut(Body, frozen=True, kw_only=True):
    refresh_token: RefreshToken


class ChangeMe(Body, frozen=True, kw_only=True):
    name: Name


class Tokens(Out, frozen=True, kw_only=True):
    """`expires_in` is in seconds and about the access token."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int

    @classmethod
    def of(cls, signed_in: services.SignedIn) -> Self:
        return cls(
            access_token=signed_in.access_token,
            refresh_token=signed_in.refresh_token,
            token_type="Bearer",  # noqa: S106
            expires_in=signed_in.expires_in,
        )


class Me(Out, frozen=True, kw_only=True):
    """An account as its owner sees it."""

    id: UUID
    email: str
    name: str
    created_at: datetime

    @classmethod
    def of(cls, user: models.User) -> Self:
        return cls(id=user.id, email=user.email, name=user.name, created_at=user.created_at)


class UserFilters(PageQuery, frozen=True, kw_only=True):
    is_staff: bool | None = None


class User(Out, frozen=True, kw_only=True):
    """An account as staff see it."""

    id: UUID
    email: str
    name: str
    is_active: bool
    is_staff: bool
    roles: list[str]
    created_at: datetime

    @classmethod
    def of(cls, user: models.User) -> Self:
        return cls(
            id=user.id,
            email=user.email,
            name=user.name,
            is_active=user.is_active,
            is_staff=user.is_staff,
            roles=user.roles,
            created_at=user.created_at,
        )
