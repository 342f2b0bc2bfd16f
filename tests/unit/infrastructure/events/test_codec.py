from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from infrastructure.events import codec
from infrastructure.events.codec import Undecodable, UnknownVersion, decode, encode, upcaster
from infrastructure.events.envelope import Envelope
from infrastructure.events.event import PUBLISHED, Event, published

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
BOX_ID = UUID("0195d2a4-7c00-7000-8000-000000000002")
ENVELOPE = Envelope(
    event_id=UUID("0195d2a4-7c00-7000-8000-000000000001"),
    name="tests.box_packed",
    version=3,
    occurred_at=NOW,
    key=str(BOX_ID),
    sequence=1,
    correlation_id="",
    causation_id="",
    traceparent="",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxPacked(Event):
    box_id: UUID
    weight_g: int
    skus: tuple[str, ...]
    note: str = ""


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    published("tests.box_packed", topic="tests-events", version=3)(BoxPacked)
    yield
    PUBLISHED.pop(("tests.box_packed", 3))
    for version in (1, 2):
        codec.UPCASTERS.pop(("tests.box_packed", version), None)


def box() -> BoxPacked:
    return BoxPacked(
        event_id=ENVELOPE.event_id,
        occurred_at=NOW,
        box_id=BOX_ID,
        weight_g=1200,
        skus=("A", "B"),
        note="fragile",
    )


def test_a_payload_is_flat_json_without_what_the_envelope_carries() -> None:
    assert json.loads(encode(box())) == {
        "box_id": "0195d2a4-7c00-7000-8000-000000000002",
        "weight_g": 1200,
        "skus": ["A", "B"],
        "note": "fragile",
    }


def test_what_was_encoded_is_decoded() -> None:
    assert decode(ENVELOPE, encode(box()).encode(), BoxPacked) == box()


def test_a_reader_ignores_new_fields_and_fills_in_missing_ones() -> None:
    value = b'{"box_id": "%s", "weight_g": 1200, "skus": ["A", "B"], "colour": "red"}'
    assert decode(ENVELOPE, value % str(BOX_ID).encode(), BoxPacked) == replace(box(), note="")


def test_an_old_payload_goes_through_every_version_between() -> None:
    @upcaster("tests.box_packed", version=1)
    def weight_in_grams(payload: codec.Payload) -> codec.Payload:
        return {**payload, "weight_g": payload["weight_kg"] * 1000}

    @upcaster("tests.box_packed", version=2)
    def several_skus(payload: codec.Payload) -> codec.Payload:
        return {**payload, "skus": [payload["sku"]]}

    value = json.dumps({"box_id": str(BOX_ID), "weight_kg": 2, "sku": "A"}).encode()
    event = decode(replace(ENVELOPE, version=1), value, BoxPacked)
    assert (event.weight_g, event.skus) == (2000, ("A",))


def test_an_upcaster_that_stumbles_makes_the_message_unreadable() -> None:
    @upcaster("tests.box_packed", version=2)
    def several_skus(payload: codec.Payload) -> codec.Payload:
        return {**payload, "skus": [payload["sku"]]}

    with pytest.raises(Undecodable, match="sku"):
        decode(replace(ENVELOPE, version=2), b"{}", BoxPacked)


@pytest.mark.parametrize("version", [1, 2, 4])
def test_a_version_that_nobody_knows_is_not_guessed_at(version: int) -> None:
    with pytest.raises(UnknownVersion, match=f"v{version} cannot be read as v3"):
        decode(replace(ENVELOPE, version=version), b"{}", BoxPacked)


@pytest.mark.parametrize("value", [b"", b"[]", b"{", b"\xff", b'{"box_id": 7}'])
def test_a_payload_that_breaks_its_promise_is_refused(value: bytes) -> None:
    with pytest.raises(Undecodable, match=r"tests\.box_packed v3"):
        decode(ENVELOPE, value, BoxPacked)
