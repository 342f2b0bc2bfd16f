"""What other contexts may ask about users."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from domains.users import queries
from domains.users.events import TOPIC


@dataclass(frozen=True, kw_only=True, slots=True)
class Customer:
    """Somebody who may order. group: whose prices hold for them."""

    id: UUID
    group: str | None


def customer_of(user_id: UUID) -> Customer | None:
    """A customer whose account is open; None for anybody else. One statement."""
    found = queries.identity_of(user_id)
    if found is None or not found.is_active:
        return None
    return Customer(id=user_id, group=found.customer_group)


def display_names(user_ids: Iterable[UUID]) -> dict[UUID, str]:
    """What these users are called, for staff to read: by their name, or the address of who gave
    none. Unknown ids are left out. One statement."""
    return queries.display_names(user_ids)


def id_of_email(email: str) -> UUID | None:
    """Whose address this is, however it is written. One statement."""
    return queries.users(email=email).values_list("id", flat=True).first()


def event_counts() -> Iterator[tuple[UUID, str, int]]:
    """(user id, topic, number of events it has recorded), ordered by id, streaming."""
    for user_id, events_recorded in queries.event_counts():
        yield user_id, TOPIC, events_recorded
