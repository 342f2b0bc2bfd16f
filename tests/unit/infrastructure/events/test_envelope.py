from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from infrastructure.events.envelope import (
    Envelope,
    Headers,
    Message,
    NotAnEvent,
    claimed_name,
    event_headers,
    id_of,
    read_envelope,
)

EVENT_ID = "0195d2a4-7c00-7000-8000-000000000001"
ORDER_ID = "0195d2a4-7c00-7000-8000-000000000002"


def headers() -> Headers:
    return event_headers(
        event_id=EVENT_ID,
        name="orders.order_created",
        version=1,
        occurred_at="2026-03-02T09:30:00.000000Z",
        key=ORDER_ID,
        sequence=3,
        correlation_id="request-1",
        causation_id="cause-1",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )


def as_text(value: str | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def message(with_headers: Headers) -> Message:
    return Message("order-events", 4, 17, ORDER_ID.encode(), b"{}", with_headers)


def test_the_headers_of_an_event_are_a_cloud_event_in_binary_mode() -> None:
    assert {name: as_text(value) for name, value in headers()} == {
        "ce_specversion": "1.0",
        "ce_id": EVENT_ID,
        "ce_type": "kontor.orders.order_created.v1",
        "ce_source": "/kontor/orders",
        "ce_time": "2026-03-02T09:30:00.000000Z",
        "ce_subject": ORDER_ID,
        "ce_dataschema": "urn:kontor:events:orders.order_created:v1",
        "ce_eventversion": "1",
        "ce_sequence": "3",
        "ce_sequencetype": "Integer",
        "ce_correlationid": "request-1",
        "ce_causationid": "cause-1",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "content-type": "application/json",
    }


def test_an_event_without_a_cause_has_no_empty_headers() -> None:
    names = {
        name
        for name, _ in event_headers(
            event_id=EVENT_ID,
            name="orders.order_created",
            version=1,
            occurred_at="2026-03-02T09:30:00Z",
            key=ORDER_ID,
            sequence=1,
        )
    }
    assert not names & {"ce_correlationid", "ce_causationid", "traceparent"}


def test_what_was_written_is_read() -> None:
    as_bytes: Headers = [(name, as_text(value).encode()) for name, value in headers()]
    assert read_envelope(message(as_bytes)) == Envelope(
        event_id=UUID(EVENT_ID),
        name="orders.order_created",
        version=1,
        occurred_at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
        key=ORDER_ID,
        sequence=3,
        correlation_id="request-1",
        causation_id="cause-1",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )


@pytest.mark.parametrize("missing", ["ce_id", "ce_type", "ce_time", "ce_sequence"])
def test_an_envelope_without_its_essentials_is_none(missing: str) -> None:
    left = [(name, value) for name, value in headers() if name != missing]
    with pytest.raises(NotAnEvent, match=missing):
        read_envelope(message(left))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_id", b"17"),
        ("ce_type", b"com.example.order.v1"),
        ("ce_type", b"kontor.orders.order_created.v0"),
        ("ce_time", b"yesterday"),
        ("ce_sequence", b"third"),
        ("ce_type", b"\xff"),
    ],
)
def test_an_envelope_with_nonsense_is_none(name: str, value: bytes) -> None:
    changed = [(n, value if n == name else v) for n, v in headers()]
    with pytest.raises(NotAnEvent):
        read_envelope(message(changed))


def test_a_broken_message_still_says_what_it_claims_to_be() -> None:
    left = [(name, value) for name, value in headers() if name != "ce_id"]
    assert claimed_name(message(left)) == "orders.order_created"
    assert claimed_name(message([])) is None
    assert claimed_name(message([("ce_type", b"\xff")])) is None


def test_a_message_without_an_id_gets_the_same_one_every_time() -> None:
    assert id_of(message([])) == id_of(message([]))
    assert id_of(message([])) != id_of(message([])._replace(offset=18))
    assert id_of(message(headers())) == UUID(EVENT_ID)
