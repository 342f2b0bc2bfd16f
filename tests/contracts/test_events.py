"""Events are contracts: what was published once can be read for ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from django.core.management import CommandError, call_command
from jsonschema import Draft202012Validator

from infrastructure.events import documents
from infrastructure.events.codec import can_read, decode, encode
from infrastructure.events.envelope import Envelope
from infrastructure.events.event import ENVELOPE_FIELDS, Event, published
from infrastructure.events.schemas import breaking_changes, file_stem, schema_of

FOLDER = Path(__file__).parent / "events"
EVENTS = documents.published_events()
EXAMPLES = sorted(path.name for path in FOLDER.glob("*.v*.json") if "schema" not in path.name)


def test_the_committed_documents_are_those_of_the_code() -> None:
    call_command("show_events", "--check")


@pytest.mark.parametrize("event_class", EVENTS, ids=file_stem)
def test_every_event_is_frozen_flat_and_has_a_schema_that_its_example_keeps(
    event_class: type[Event],
) -> None:
    schema = json.loads((FOLDER / f"{file_stem(event_class)}.schema.json").read_text())
    example = json.loads((FOLDER / f"{file_stem(event_class)}.json").read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(example)
    assert event_class.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert set(schema["properties"]) == {f.name for f in fields(event_class)} - ENVELOPE_FIELDS
    kinds = {property_.get("type") for property_ in schema["properties"].values()}
    assert "object" not in kinds


@pytest.mark.parametrize("file", EXAMPLES)
def test_every_payload_that_was_ever_published_can_be_read(file: str) -> None:
    name, _, version = file.removesuffix(".json").rpartition(".v")
    readers = [e for e in EVENTS if e.name == name and can_read(e, int(version))]
    assert readers
    for event_class in readers:
        event = decode(envelope(name, int(version)), (FOLDER / file).read_bytes(), event_class)
        if event_class.version == int(version):
            written = json.loads(encode(event))
            stored = json.loads((FOLDER / file).read_text())
            assert {key: written[key] for key in stored} == stored


@published("tests.parcel_sent", topic="tests-events")
@dataclass(frozen=True, kw_only=True, slots=True)
class ParcelSent(Event):
    """A parcel left."""

    parcel_id: UUID
    weight_g: int
    note: str = ""


def test_a_schema_names_the_payload_and_not_the_envelope() -> None:
    assert schema_of(ParcelSent) == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:kontor:events:tests.parcel_sent:v1",
        "title": "ParcelSent",
        "description": "A parcel left.",
        "type": "object",
        "properties": {
            "parcel_id": {"type": "string", "format": "uuid"},
            "weight_g": {"type": "integer"},
            "note": {"type": "string", "default": ""},
        },
        "required": ["parcel_id", "weight_g"],
    }


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        (lambda s: s["properties"].pop("note"), ["the field note is gone"]),
        (
            lambda s: s["properties"].update(weight_g={"type": "number"}),
            ["the field weight_g is of another kind, or has another default"],
        ),
        (
            lambda s: s["properties"]["note"].update(default="none"),
            ["the field note is of another kind, or has another default"],
        ),
        (lambda s: s["required"].append("note"), ["the field note became required"]),
        (lambda s: s["required"].remove("weight_g"), ["the field weight_g became optional"]),
        (
            lambda s: (
                s["properties"].update(size={"type": "integer"}),
                s["required"].append("size"),
            ),
            ["the new field size is required: give it a default"],
        ),
        (lambda s: s["properties"].update(size={"type": "integer", "default": 0}), []),
        (lambda s: s.update(description="Put into other words."), []),
    ],
    ids=[
        "removed",
        "retyped",
        "another default",
        "required",
        "optional",
        "new required",
        "new optional",
        "words",
    ],
)
def test_within_a_version_only_optional_fields_are_added(
    change: Callable[[dict[str, Any]], Any], reasons: list[str]
) -> None:
    old = schema_of(ParcelSent)
    new = deepcopy(old)
    change(new)
    assert breaking_changes(old, new) == reasons


class Label(msgspec.Struct):
    title: str
    description: str = ""


@published("tests.parcel_labelled", topic="tests-events")
@dataclass(frozen=True, kw_only=True, slots=True)
class ParcelLabelled(Event):
    label: Label


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda label: label["properties"].pop("title"), True),
        (lambda label: label["properties"].update(title={"type": "integer"}), True),
        (lambda label: label["properties"]["description"].update(default="none"), True),
        (lambda label: label.update(title="Sticker", description="In other words."), False),
    ],
    ids=["removed", "retyped", "another default", "words"],
)
def test_a_nested_field_is_seen_though_it_is_named_like_a_remark(
    change: Callable[[dict[str, Any]], Any], found: bool
) -> None:
    old = schema_of(ParcelLabelled)
    new = deepcopy(old)
    change(new["$defs"]["Label"])
    reasons = ["the field label is of another kind, or has another default"]
    assert breaking_changes(old, new) == (reasons if found else [])


def test_a_breaking_change_is_refused_instead_of_written(tmp_path: Path, settings: Any) -> None:
    event_class = EVENTS[0]
    schema = schema_of(event_class)
    schema["properties"]["promised"] = {"type": "string"}
    (tmp_path / documents.CONTRACTS).mkdir(parents=True)
    file = tmp_path / documents.CONTRACTS / f"{file_stem(event_class)}.schema.json"
    file.write_text(json.dumps(schema))
    settings.BASE_DIR = tmp_path

    with pytest.raises(CommandError, match="the field promised is gone"):
        call_command("show_events")
    assert json.loads(file.read_text()) == schema


def test_the_asyncapi_document_refers_only_to_what_it_holds() -> None:
    document = json.loads((FOLDER.parents[2] / documents.ASYNCAPI).read_text())

    def references(part: Any) -> Any:
        if isinstance(part, dict):
            if isinstance(part.get("$ref"), str) and not part["$ref"].startswith("#/$defs/"):
                yield part["$ref"]
            for value in part.values():
                yield from references(value)
        elif isinstance(part, list):
            for value in part:
                yield from references(value)

    for reference in references(document):
        target = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
    assert set(document["channels"]) == {event_class.topic for event_class in EVENTS}
    assert set(document["components"]["messages"]) == {file_stem(e) for e in EVENTS}


def envelope(name: str, version: int) -> Envelope:
    return Envelope(
        event_id=UUID(int=1),
        name=name,
        version=version,
        occurred_at=datetime(2026, 3, 2, tzinfo=UTC),
        key="key",
        sequence=1,
        correlation_id="",
        causation_id="",
        traceparent="",
    )
