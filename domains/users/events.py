"""What this context publishes, keyed by the user's id. Never a name or an address."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from infrastructure.events.event import Event, published

TOPIC = "user-events"


@published("users.user_created", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class UserCreated(Event):
    """A customer registered, or a member of staff was given an account."""

    user_id: UUID
    is_staff: bool


@published("users.user_updated", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class UserUpdated(Event):
    """Something about a user changed. `changed` names the fields; their values stay here."""

    user_id: UUID
    changed: tuple[str, ...]
