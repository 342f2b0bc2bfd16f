"""The contract of every event as JSON Schema, and what may change within a version."""

from __future__ import annotations

from inspect import getdoc
from typing import Any

import msgspec

from infrastructure.events.event import ENVELOPE_FIELDS, Event

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# Words that describe and do not constrain, and words whose value is not a schema but plain data.
_REMARKS = frozenset({"title", "description", "examples"})
_DATA = frozenset({"default", "enum", "const"})


def file_stem(event_class: type[Event]) -> str:
    """`orders.order_created.v1`."""
    return f"{event_class.name}.v{event_class.version}"


def schema_of(event_class: type[Event]) -> Schema:
    """The payload's schema. Readers take it as open: they ignore what they do not know."""
    generated = msgspec.json.schema(event_class)
    definitions = generated["$defs"]
    own = definitions.pop(event_class.__name__)
    description = " ".join((getdoc(event_class) or "").split())
    schema: Schema = {
        "$schema": DIALECT,
        "$id": f"urn:kontor:events:{event_class.name}:v{event_class.version}",
        "title": event_class.__name__,
        "description": description,
        "type": "object",
        "properties": {
            name: property_
            for name, property_ in own["properties"].items()
            if name not in ENVELOPE_FIELDS
        },
        "required": [name for name in own.get("required", []) if name not in ENVELOPE_FIELDS],
    }
    if definitions:
        schema["$defs"] = definitions
    if not description or description.startswith(f"{event_class.__name__}("):
        del schema["description"]  # the one that dataclasses make up
    # As it is read again: the default of a tuple is a list there.
    written: Schema = msgspec.json.decode(msgspec.json.encode(schema))
    return written


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """Why consumers of the old schema could not live with the new one; empty if they can.

    Within a version optional fields may be added, and nothing else.
    """
    found = []
    before, after = old["properties"], new["properties"]
    for name, property_ in before.items():
        if name not in after:
            found.append(f"the field {name} is gone")
        elif (name in old["required"]) != (name in new["required"]):
            required = "required" if name in new["required"] else "optional"
            found.append(f"the field {name} became {required}")
        elif _resolved(property_, old) != _resolved(after[name], new):
            found.append(f"the field {name} is of another kind, or has another default")
    found += [
        f"the new field {name} is required: give it a default"
        for name in after
        if name not in before and name in new["required"]
    ]
    return found


def example_of(event_class: type[Event]) -> dict[str, Any]:
    """A payload with a value in every field."""
    schema = schema_of(event_class)
    return {
        name: _example(property_, schema, name) for name, property_ in schema["properties"].items()
    }


def _resolved(part: Any, root: Schema) -> Any:
    """The part without references and remarks, for comparison."""
    if isinstance(part, list):
        return [_resolved(one, root) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        beside = {word: value for word, value in part.items() if word != "$ref"}
        return _resolved(_definition(part, root) | beside, root)
    resolved: Schema = {}
    for word, value in part.items():
        if word == "properties":
            resolved[word] = {name: _resolved(field, root) for name, field in value.items()}
        elif word in _DATA:
            resolved[word] = value
        elif word not in _REMARKS:
            resolved[word] = _resolved(value, root)
    return resolved


def _definition(part: Schema, root: Schema) -> Schema:
    definition: Schema = root["$defs"][part["$ref"].removeprefix("#/$defs/")]
    return definition


def _example(part: Schema, root: Schema, name: str) -> Any:
    if "$ref" in part:
        part = _definition(part, root)
    if "enum" in part:
        return part["enum"][0]
    if "anyOf" in part:
        return _example(part["anyOf"][0], root, name)
    kind = part.get("type")
    if kind == "object":
        return {field: _example(value, root, field) for field, value in part["properties"].items()}
    if kind == "array":
        return [_example(part["items"], root, name)] if "items" in part else []
    if kind == "string":
        return _TEXTS.get(part.get("format", ""), "GBP" if name == "currency" else "text")
    return {"integer": 1, "number": 1.5, "boolean": True, "null": None}[kind or "null"]


_TEXTS = {
    "uuid": "0195d2a4-7c00-7000-8000-000000000001",
    "date-time": "2026-03-02T09:30:00Z",
    "date": "2026-03-02",
}
