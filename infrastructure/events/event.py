"""Facts that a context publishes, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import ClassVar, TypeVar
from uuid import UUID

import msgspec

from infrastructure.ids import new_id


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened to one aggregate.

    `event_id` and `occurred_at` travel in the envelope; every other field is the payload: flat,
    JSON, ids and amounts, no personal data. A field added to a published version has a default.
    """

    name: ClassVar[str]
    topic: ClassVar[str]
    version: ClassVar[int]
    payload_fields: ClassVar[tuple[str, ...]]

    occurred_at: datetime
    event_id: UUID = field(default_factory=new_id)


EventType = TypeVar("EventType", bound=Event)

ENVELOPE_FIELDS = frozenset({"event_id", "occurred_at"})
_OWN_NAMES = {"name", "topic", "version", "payload_fields"}

PUBLISHED: dict[tuple[str, int], type[Event]] = {}


def published(
    name: str, *, topic: str, version: int = 1
) -> Callable[[type[EventType]], type[EventType]]:
    """Give an event its wire name, `<context>.<fact_in_snake_case>`, its topic and its version.

    The name is written out, never derived from the class: renaming a class changes no contract.
    """

    def register(event_class: type[EventType]) -> type[EventType]:
        if taken := _OWN_NAMES & {f.name for f in fields(event_class)}:
            raise TypeError(
                f"{name}: {sorted(taken)} say what every event has; name them otherwise."
            )
        # msgspec looks at a type when it is first decoded; two threads must not do that at once.
        msgspec.json.Decoder(event_class)
        known = PUBLISHED.setdefault((name, version), event_class)
        if known.__qualname__ != event_class.__qualname__:
            raise ValueError(f"{name} v{version} is published by {known} and {event_class}.")
        event_class.name, event_class.topic, event_class.version = name, topic, version
        event_class.payload_fields = tuple(
            f.name for f in fields(event_class) if f.name not in ENVELOPE_FIELDS
        )
        return event_class

    return register


def wire_type(event_class: type[Event]) -> str:
    """The CloudEvents `type`: `kontor.orders.order_created.v1`."""
    return f"kontor.{event_class.name}.v{event_class.version}"
