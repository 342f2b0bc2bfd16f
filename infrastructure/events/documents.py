"""The documents that are generated from the registry: for readers, and for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings

from infrastructure.events.codec import can_read
from infrastructure.events.event import PUBLISHED, Event, wire_type
from infrastructure.events.schemas import (
    Schema,
    breaking_changes,
    example_of,
    file_stem,
    schema_of,
)
from infrastructure.events.subscriptions import Subscription, subscriptions_of

CONTRACTS = Path("tests/contracts/events")
TABLE = Path("docs/events.md")
ASYNCAPI = Path("docs/asyncapi.json")

_ENVELOPE: Schema = {
    "type": "object",
    "description": "CloudEvents 1.0 in Kafka's binary mode. The message key is ce_subject.",
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid", "description": "The same on every delivery."},
        "ce_type": {"type": "string", "examples": ["kontor.orders.order_created.v1"]},
        "ce_source": {"type": "string", "examples": ["/kontor/orders"]},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_subject": {"type": "string", "description": "The id of the aggregate."},
        "ce_dataschema": {"type": "string", "format": "uri"},
        "ce_eventversion": {"type": "string", "pattern": "^[1-9][0-9]*$"},
        "ce_sequence": {
            "type": "string",
            "pattern": "^[1-9][0-9]*$",
            "description": "The event's number among those of its aggregate, from 1, without gaps.",
        },
        "ce_sequencetype": {"type": "string", "const": "Integer"},
        "ce_correlationid": {"type": "string"},
        "ce_causationid": {"type": "string"},
        "traceparent": {"type": "string"},
        "content-type": {"type": "string", "const": "application/json"},
    },
    "required": [
        "ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_subject",
        "ce_dataschema", "ce_eventversion", "ce_sequence", "ce_sequencetype", "content-type",
    ],
}  # fmt: skip


class BreakingChange(Exception):
    """A published version would change in a way that its consumers cannot live with."""


def published_events() -> list[type[Event]]:
    """The events of the installed contexts, by name and version."""
    return [
        event_class
        for (name, _), event_class in sorted(PUBLISHED.items())
        if name.partition(".")[0] in settings.CONTEXTS
    ]


def render(root: Path) -> dict[Path, str]:
    """Every generated file and its content. Examples, once committed, are left as they are: old
    messages look like them for ever. Raises BreakingChange."""
    events = published_events()
    files = {TABLE: _table(events), ASYNCAPI: _json(_asyncapi(events))}
    broken = []
    for event_class in events:
        stem = file_stem(event_class)
        schema_file = CONTRACTS / f"{stem}.schema.json"
        schema = schema_of(event_class)
        if (root / schema_file).exists():
            committed = json.loads((root / schema_file).read_text())
            broken += [f"{stem}: {reason}" for reason in breaking_changes(committed, schema)]
        files[schema_file] = _json(schema)
        example_file = CONTRACTS / f"{stem}.json"
        if (root / example_file).exists():
            files[example_file] = (root / example_file).read_text()
        else:
            files[example_file] = _json(example_of(event_class))
    if broken:
        raise BreakingChange("\n".join([*broken, "Publish it as a new version instead."]))
    return files


def differences(root: Path, files: dict[Path, str]) -> list[Path]:
    """The generated files that are missing or not as they would be written."""
    return [
        path
        for path, content in files.items()
        if not (root / path).exists() or (root / path).read_text() != content
    ]


def left_over(root: Path) -> list[Path]:
    """The schemas of messages that no event of today can read."""
    found = sorted(path.relative_to(root) for path in (root / CONTRACTS).glob("*.schema.json"))
    return [path for path in found if not _read(path)]


def _read(schema_file: Path) -> bool:
    """Whether an event of today reads the messages of this schema, if need be by upcasting."""
    name, _, version = schema_file.name.removesuffix(".schema.json").rpartition(".v")
    return version.isdigit() and any(
        event_class.name == name and can_read(event_class, int(version))
        for event_class in published_events()
    )


def write(root: Path, files: dict[Path, str]) -> None:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)


def _subscribers(event_class: type[Event]) -> list[Subscription]:
    return [s for s in _subscriptions() if s.event_class is event_class]


def _subscriptions() -> list[Subscription]:
    return [s for context in settings.CONTEXTS for s in subscriptions_of(context)]


def _table(events: list[type[Event]]) -> str:
    lines = [
        "# Events",
        "",
        "Generated by `manage.py show_events`; do not edit. How an event travels is in",
        "[messaging.md](messaging.md), the schemas are in `tests/contracts/events/`, and the same",
        "as AsyncAPI 3 is in [asyncapi.json](asyncapi.json).",
    ]
    for topic in sorted({event_class.topic for event_class in events}):
        lines += ["", f"## {topic}"]
        for event_class in events:
            if event_class.topic == topic:
                lines += _entry(event_class)
    lines += ["", "## Subscribers", "", "| handler | listens to | how |", "|---|---|---|"]
    heard: dict[str, list[Subscription]] = {}
    for subscription in _subscriptions():
        heard.setdefault(subscription.label, []).append(subscription)
    for label, subscriptions in sorted(heard.items()):
        names = ", ".join(f"`{file_stem(s.event_class)}`" for s in subscriptions)
        lines.append(f"| `{label}` | {names} | {_manner(subscriptions[0])} |")
    return "\n".join(lines) + "\n"


def _entry(event_class: type[Event]) -> list[str]:
    schema = schema_of(event_class)
    lines = ["", f"### `{wire_type(event_class)}`", ""]
    if "description" in schema:
        lines += [schema["description"], ""]
    lines += ["| field | kind |", "|---|---|"]
    for name, property_ in schema["properties"].items():
        optional = "" if name in schema["required"] else ", optional"
        lines.append(f"| `{name}` | {_kind(property_)}{optional} |")
    heard_by = ", ".join(f"`{s.label}`" for s in _subscribers(event_class)) or "nobody here"
    return [*lines, "", f"Heard by: {heard_by}."]


def _manner(subscription: Subscription) -> str:
    manner = [
        "in batches" if subscription.batch else "one by one",
        "idempotent, outside a transaction" if subscription.idempotent else "in a transaction",
        "keeps the order" if subscription.ordered else "in any order",
    ]
    if subscription.rebuildable:
        manner.append("rebuildable")
    return ", ".join(manner)


def _kind(property_: Schema) -> str:
    if "$ref" in property_:
        return str(property_["$ref"]).rpartition("/")[2]
    if "anyOf" in property_:
        return " or ".join(_kind(one) for one in property_["anyOf"])
    if "enum" in property_:
        return " or ".join(f"`{value}`" for value in property_["enum"])
    if property_.get("type") == "array":
        return f"list of {_kind(property_.get('items', {}))}"
    return str(property_.get("format") or property_.get("type", "anything"))


def _asyncapi(events: Iterable[type[Event]]) -> dict[str, Any]:
    channels: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for event_class in events:
        topic, stem = event_class.topic, file_stem(event_class)
        channel = channels.setdefault(
            topic,
            {
                "address": topic,
                "messages": {},
                "bindings": {"kafka": {"topic": topic, "partitions": 6, "bindingVersion": "0.5.0"}},
            },
        )
        channel["messages"][stem] = {"$ref": f"#/components/messages/{stem}"}
        operations[f"send_{topic}"] = {"action": "send", "channel": _ref("channels", topic)}
        for subscription in _subscribers(event_class):
            operation = operations.setdefault(
                f"receive_{topic}_by_{subscription.context}",
                {
                    "action": "receive",
                    "channel": _ref("channels", topic),
                    "messages": [],
                    "bindings": {
                        "kafka": {
                            "groupId": {
                                "type": "string",
                                "enum": [f"kontor.{subscription.context}"],
                            },
                            "bindingVersion": "0.5.0",
                        }
                    },
                },
            )
            message = {"$ref": f"#/channels/{topic}/messages/{stem}"}
            if message not in operation["messages"]:
                operation["messages"].append(message)
        schema = schema_of(event_class)
        messages[stem] = {
            "name": wire_type(event_class),
            "title": event_class.__name__,
            "summary": schema.get("description", event_class.__name__),
            "contentType": "application/json",
            "headers": {"$ref": "#/components/schemas/envelope"},
            "payload": schema,
            "bindings": {
                "kafka": {
                    "key": {"type": "string", "description": "The id of the aggregate."},
                    "bindingVersion": "0.5.0",
                }
            },
            "examples": [{"payload": example_of(event_class)}],
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Kontor events",
            "version": "1.0.0",
            "description": "Facts that Kontor publishes: at least once, in the order of each key.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": {"envelope": _ENVELOPE}},
    }


def _ref(*parts: str) -> dict[str, str]:
    return {"$ref": "#/" + "/".join(parts)}


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
