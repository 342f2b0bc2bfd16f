"""The envelope of a fact on Kafka: CloudEvents 1.0 in binary mode, all of it in message headers.

A consumer can route, deduplicate and set aside a message without looking into its payload.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

Headers = list[tuple[str, str | bytes | None]]

_TYPE = re.compile(r"kontor\.(?P<name>[a-z0-9_]+\.[a-z0-9_]+)\.v(?P<version>[1-9][0-9]*)")


class NotAnEvent(ValueError):
    """The message carries no envelope of ours."""


class Message(NamedTuple):
    """One message of a topic as it came. `topic` is without the installation's prefix."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: Headers


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who, what and when. `sequence` is the number of this event among those of its aggregate,
    from 1, without gaps."""

    event_id: UUID
    name: str
    version: int
    occurred_at: datetime
    key: str
    sequence: int
    correlation_id: str
    causation_id: str
    traceparent: str


def event_headers(
    *,
    event_id: str,
    name: str,
    version: int,
    occurred_at: str,
    key: str,
    sequence: int,
    correlation_id: str = "",
    causation_id: str = "",
    traceparent: str = "",
) -> Headers:
    """The headers of an event. `occurred_at` is RFC 3339 in UTC. Empty ids are left out."""
    headers: Headers = [
        *_constant_headers(name, version),
        ("ce_id", event_id),
        ("ce_time", occurred_at),
        ("ce_subject", key),
        ("ce_sequence", str(sequence)),
    ]
    if correlation_id:
        headers.append(("ce_correlationid", correlation_id))
    if causation_id:
        headers.append(("ce_causationid", causation_id))
    if traceparent:
        headers.append(("traceparent", traceparent))
    return headers


def read_envelope(message: Message) -> Envelope:
    """Raises NotAnEvent where a header that every event has is missing or malformed."""
    headers = {name: value for name, value in message.headers if value is not None}
    try:
        name, version = _parse_type(_text(headers["ce_type"]))
        return Envelope(
            event_id=UUID(_text(headers["ce_id"])),
            name=name,
            version=version,
            occurred_at=datetime.fromisoformat(_text(headers["ce_time"])),
            key=message.key.decode(),
            sequence=int(_text(headers["ce_sequence"])),
            correlation_id=_text(headers.get("ce_correlationid", "")),
            causation_id=_text(headers.get("ce_causationid", "")),
            traceparent=_text(headers.get("traceparent", "")),
        )
    except KeyError as missing:
        raise NotAnEvent(f"The header {missing.args[0]} is missing.") from missing
    except (ValueError, AttributeError) as error:
        raise NotAnEvent(str(error)) from error


def claimed_name(message: Message) -> str | None:
    """The event name that a message gives itself, also where the rest of it is broken."""
    for name, value in message.headers:
        if name == "ce_type" and value is not None:
            try:
                return _parse_type(_text(value))[0]
            except ValueError:
                return None
    return None


def id_of(message: Message) -> UUID:
    """The event's id, or one made of the message's place where it has none."""
    try:
        return read_envelope(message).event_id
    except NotAnEvent:
        return uuid5(NAMESPACE_URL, f"{message.topic}/{message.partition}/{message.offset}")


@lru_cache(maxsize=1024)
def _constant_headers(name: str, version: int) -> tuple[tuple[str, bytes], ...]:
    """As bytes, since they are encoded once and sent often."""
    context = name.partition(".")[0]
    headers = {
        "ce_specversion": "1.0",
        "ce_type": f"kontor.{name}.v{version}",
        "ce_source": f"/kontor/{context}",
        "ce_dataschema": f"urn:kontor:events:{name}:v{version}",
        "ce_eventversion": str(version),
        "ce_sequencetype": "Integer",
        "content-type": "application/json",
    }
    return tuple((header, value.encode()) for header, value in headers.items())


@lru_cache(maxsize=1024)
def _parse_type(text: str) -> tuple[str, int]:
    match = _TYPE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no event type.")
    return match["name"], int(match["version"])


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()
