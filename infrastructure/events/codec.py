"""Events to JSON and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from infrastructure.events.envelope import Envelope
from infrastructure.events.event import PUBLISHED, Event

Payload = dict[str, Any]
Upcaster = Callable[[Payload], Payload]

UPCASTERS: dict[tuple[str, int], Upcaster] = {}


class Undecodable(ValueError):
    """The payload is not what its type and version promise."""


class UnknownVersion(Undecodable):
    """Nobody here knows this version of the event, or how to read it as a known one."""


def encode(event: Event) -> str:
    """The payload as it goes onto the wire."""
    payload = {name: getattr(event, name) for name in event.payload_fields}
    return msgspec.json.encode(payload).decode()


def upcaster(name: str, *, version: int) -> Callable[[Upcaster], Upcaster]:
    """The decorated function turns a payload of this version into one of the next version.

    It belongs beside the event in the publishing context's events.py, and takes the place of
    publishing both versions.
    """

    def register(function: Upcaster) -> Upcaster:
        if UPCASTERS.setdefault((name, version), function) is not function:
            raise ValueError(f"{name} v{version} has two upcasters.")
        return function

    return register


def can_read(event_class: type[Event], version: int) -> bool:
    """Whether a message of this version can be read as that class."""
    return version == event_class.version or (
        version < event_class.version
        and all(
            (event_class.name, step) in UPCASTERS for step in range(version, event_class.version)
        )
    )


def is_known(name: str, version: int) -> bool:
    return (name, version) in PUBLISHED or (name, version) in UPCASTERS


def decode(envelope: Envelope, value: bytes, event_class: type[Event]) -> Event:
    """The event in a message. Fields it does not know are ignored, missing ones get their default.

    Raises Undecodable.
    """
    if not can_read(event_class, envelope.version):
        raise UnknownVersion(
            f"{envelope.name} v{envelope.version} cannot be read as v{event_class.version}."
        )
    try:
        payload = msgspec.json.decode(value, type=Payload)
        for version in range(envelope.version, event_class.version):
            payload = UPCASTERS[envelope.name, version](payload)
        payload["event_id"] = envelope.event_id
        payload["occurred_at"] = envelope.occurred_at
        return msgspec.convert(payload, type=event_class)
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise Undecodable(f"{envelope.name} v{envelope.version}: {error}") from error
