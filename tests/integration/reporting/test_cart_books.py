"""The events of carts in the audit: their aggregates and their outbox are in Redis."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from domains.carts.models import store
from domains.carts.models.carts import Keys
from domains.carts.models.connection import scripts
from domains.reporting.queries.events import EventBooks, outbox_size
from domains.reporting.rules.findings import Check
from infrastructure.events.envelope import Message, event_headers
from infrastructure.outbox import stream_parking
from infrastructure.outbox.publisher import shard_of
from tests.support.carts import add, entries_of, guest_cart

pytestmark = pytest.mark.django_db


class Topics:
    """Takes the place of the reader of a broker's topics."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._read = 0

    def read_on(self) -> Iterator[list[Message]]:
        batch, self._read = self._messages[self._read :], len(self._messages)
        yield batch

    def relay(self, cart_id: UUID, *leaving_out: int) -> None:
        """All that waits of a cart, but for some of its events, which are lost."""
        for entry in entries_of(cart_id):
            scripts().client.xdel(Keys.of(cart_id).outbox, entry.entry_id)
            if entry.sequence in leaving_out:
                continue
            headers = event_headers(
                event_id=entry.event_id,
                name=entry.name,
                version=entry.event_version,
                occurred_at=entry.occurred_at,
                key=entry.key,
                sequence=entry.sequence,
            )
            key, value = entry.key.encode(), entry.payload.encode()
            place = len(self._messages)
            self._messages.append(Message(entry.topic, 0, place, key, value, headers))


@pytest.fixture
def topics() -> Topics:
    return Topics()


@pytest.fixture
def cart_id(now: datetime) -> UUID:
    cart = guest_cart(now, add("A"))
    store().change(cart_id=cart.id, owner=None, changes=[add("A")], now=now)
    return cart.id


def compared(topics: Topics, now: datetime) -> Check:
    books = EventBooks(topics)  # type: ignore[arg-type]
    return books.compare(now=now, due=now + timedelta(minutes=1))[0]


def findings(check: Check) -> list[tuple[str, str]]:
    return [(finding.subject, finding.detail) for finding in check.differences]


def test_what_was_relayed_agrees(topics, cart_id, now):
    topics.relay(cart_id)
    check = compared(topics, now)
    assert (findings(check), check.rows) == ([], 3)
    assert outbox_size() == 0


def test_what_waits_in_the_stream_is_found_there(topics, cart_id, now):
    check = compared(topics, now)
    assert [detail for _, detail in findings(check)] == [
        "in the outbox since 2026-03-02 09:30:00"
    ] * 3
    assert outbox_size() == 3


def test_what_is_parked_is_told_however_young_and_waits_for_no_relay(topics, cart_id, now):
    first, *_ = entries_of(cart_id)
    refused = [(shard_of(str(cart_id)), first, "too large")]
    stream_parking.park(scripts().client, "c", refused, now=now)
    check = EventBooks(topics).compare(now=now, due=now - timedelta(days=1))[0]
    assert [(finding.detail, finding.in_flight) for finding in check.differences] == [
        ("parked: too large", False),
        ("parked: behind an earlier one of its key", False),
        ("parked: behind an earlier one of its key", False),
    ]
    assert outbox_size() == 0


def test_what_was_lost_is_told(topics, cart_id, now):
    topics.relay(cart_id, 2)
    [(subject, detail)] = findings(compared(topics, now))
    assert str(cart_id) in subject
    assert detail == "missing, and later ones are there"


def test_what_was_lost_at_the_end_is_told_too(topics, cart_id, now):
    topics.relay(cart_id, 3)
    [(_, detail)] = findings(compared(topics, now))
    assert detail == "lost: not on the topic, not in the outbox"


def test_what_redis_forgot_is_told(topics, cart_id, now):
    topics.relay(cart_id)
    scripts().client.hset(Keys.of(cart_id).cart, "sequence", 1)
    [(_, detail)] = findings(compared(topics, now))
    assert detail == "3 events on the topic, 1 were recorded"


def test_a_cart_that_is_gone_is_no_difference(topics, cart_id, now):
    order_id = uuid4()
    store().freeze(cart_id=cart_id, order_id=order_id, owner=None, version=None, now=now)
    store().close(cart_id=cart_id, order_id=order_id, now=now)
    topics.relay(cart_id)
    assert findings(compared(topics, now)) == []
    scripts().client.delete(Keys.of(cart_id).cart)
    assert findings(compared(topics, now)) == []
