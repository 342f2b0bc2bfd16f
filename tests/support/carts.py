"""What tests look at in the carts' Redis."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import redis

from domains.carts.models import Cart, CartStore, Change, store
from domains.carts.models.carts import Keys
from domains.carts.models.connection import scripts
from infrastructure.events.codec import decode
from infrastructure.events.envelope import Envelope
from infrastructure.events.event import PUBLISHED, Event
from infrastructure.outbox.streams import Entry, entry_of


def add(sku: str, quantity: int = 1, note: str | None = None) -> Change:
    return Change(kind="add", sku=sku, quantity=quantity, note=note)


def put(sku: str, quantity: int, note: str | None = None) -> Change:
    return Change(kind="set", sku=sku, quantity=quantity, note=note)


def guest_cart(now: datetime, *changes: Change, carts: CartStore | None = None) -> Cart:
    carts = carts or store()
    made = carts.create(owner=None, currency="GBP", channel=None, once=None, now=now).cart
    if not changes:
        return made
    return carts.change(cart_id=made.id, owner=None, changes=changes, now=now).cart


def cart_of(customer_id: UUID, now: datetime, *changes: Change) -> Cart:
    made = store().create(owner=customer_id, currency="GBP", channel=None, once=None, now=now).cart
    if not changes:
        return made
    return store().change(cart_id=made.id, owner=customer_id, changes=changes, now=now).cart


def quantities(cart: Cart) -> dict[str, int]:
    return {line.sku: line.quantity for line in cart.lines}


def entries_of(cart_id: UUID, client: redis.Redis | None = None) -> list[Entry]:
    """What the outbox has of a cart, in the order in which it is relayed."""
    client = client or scripts().client
    found: list[Any] = client.xrange(Keys.of(cart_id).outbox)  # type: ignore[assignment]
    return [entry_of(*entry) for entry in found if entry[1]["key"] == str(cart_id)]


def events_of(cart_id: UUID) -> list[Event]:
    """The same as events; their numbers are 1, 2, 3…"""
    entries = entries_of(cart_id)
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    return [event_of(entry) for entry in entries]


def event_of(entry: Entry) -> Event:
    event_class = PUBLISHED[entry.name, entry.event_version]
    assert set(msgspec.json.decode(entry.payload)) == set(event_class.payload_fields)
    envelope = Envelope(
        event_id=UUID(entry.event_id),
        name=entry.name,
        version=entry.event_version,
        occurred_at=datetime.fromisoformat(entry.occurred_at),
        key=entry.key,
        sequence=entry.sequence,
        correlation_id=entry.correlation_id,
        causation_id=entry.causation_id,
        traceparent=entry.traceparent,
    )
    return decode(envelope, entry.payload.encode(), event_class)


def forget_all() -> None:
    client = scripts().client
    keys = list(client.scan_iter(match="{c??}:*", count=1000))
    if keys:
        client.delete(*keys)
