from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from infrastructure.apps import ContextConfig
from infrastructure.auth import identities

if TYPE_CHECKING:
    from domains.users.models import User


class UsersConfig(ContextConfig):
    name = "domains.users"
    label = "users"
    verbose_name = "Users"

    def ready(self) -> None:
        super().ready()
        identities.provide(_People())


class _People:
    """Answers what authentication asks. Models cannot be imported before the apps are loaded."""

    def identity_of(self, user_id: UUID) -> identities.Identity | None:
        from domains.users import queries

        return queries.identity_of(user_id)

    def staff_with_password(self, *, email: str, password: str, now: datetime) -> User | None:
        from domains.users import services

        return services.staff_with_password(email=email, password=password, now=now)
