"""Reads of this context, each one statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

from django.db.models import QuerySet

from domains.users import rules
from domains.users.models import User
from infrastructure.auth.identities import Identity

ROWS_FETCHED_AT_ONCE = 2_000


def identity_of(user_id: UUID) -> Identity | None:
    """Who this is now, for authentication."""
    row = (
        User.objects.filter(pk=user_id)
        .values_list(
            "is_active", "is_staff", "is_superuser", "roles", "auth_generation", "customer_group"
        )
        .first()
    )
    if row is None:
        return None
    is_active, is_staff, is_superuser, roles, generation, customer_group = row
    return Identity(
        id=user_id,
        is_active=is_active,
        is_staff=is_staff,
        generation=generation,
        scopes=rules.scopes_of(roles=roles, is_staff=is_staff, is_superuser=is_superuser),
        customer_group=customer_group or None,
    )


def user_of(user_id: UUID) -> User | None:
    return User.objects.filter(pk=user_id).first()


def users(*, is_staff: bool | None = None, email: str | None = None) -> QuerySet[User]:
    """Everybody, or those that match; the newest first when ordered by -id."""
    found = User.objects.all()
    if is_staff is not None:
        found = found.filter(is_staff=is_staff)
    return found if email is None else found.filter(email_index=email)


def display_names(user_ids: Iterable[UUID]) -> dict[UUID, str]:
    rows = User.objects.filter(pk__in=list(user_ids)).only("id", "name", "email")
    return {user.id: user.name or user.email for user in rows}


def event_counts() -> Iterator[tuple[UUID, int]]:
    """Every user with the number of events recorded, by id, streaming."""
    rows = User.objects.order_by("id").values_list("id", "events_recorded")
    return rows.iterator(chunk_size=ROWS_FETCHED_AT_ONCE)
