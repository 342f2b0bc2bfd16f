"""What other contexts may ask about users."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

from domains.users import queries
from domains.users.events import TOPIC


def display_names(user_ids: Iterable[UUID]) -> dict[UUID, str]:
    """The names of these users, for people to read; unknown ids are left out. One statement."""
    return queries.display_names(user_ids)


def event_counts() -> Iterator[tuple[UUID, str, int]]:
    """(user id, topic, number of events it has recorded), ordered by id, streaming."""
    for user_id, events_recorded in queries.event_counts():
        yield user_id, TOPIC, events_recorded
