"""Every event on its topic and with its handlers, with losses made by hand.

The topics are lists here, filled from the outbox; test_audit.py has a broker.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings

from domains.orders.models import Order
from domains.reporting.queries.events import EventBooks
from domains.reporting.queries.handlers import open_letters
from domains.reporting.rules.findings import Check
from infrastructure.database.contexts import alias_of, aliases
from infrastructure.events.bus import Dispatcher
from infrastructure.events.envelope import Message
from infrastructure.ids import new_id
from infrastructure.inbox.models import DeadLetter, InboxMark
from infrastructure.outbox.models import OutboxMessage, ParkedMessage
from tests.integration.reporting.conftest import Sql
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.messaging import begin_with_every_topic, message_of

pytestmark = pytest.mark.django_db

OUTBOX = OutboxMessage.objects.using(alias_of("orders"))

# Who hears of a shop's first order: what is shown (the product, its price, that there is some of
# it), the listing of availability and of demand, two settlings, the invoices, what is overpaid, the
# sales.
HANDLED = 3 + 1 + 1 + 2 + 1 + 1 + 1


class Topics:
    """Takes the place of the reader of a broker's topics."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._read = 0

    def read_on(self) -> Iterator[list[Message]]:
        batch, self._read = self._messages[self._read :], len(self._messages)
        yield batch

    @property
    def end(self) -> int:
        """The offset of the next message; all are in one partition."""
        return len(self._messages)

    def send(self, row: OutboxMessage) -> None:
        self._messages.append(message_of(row, offset=len(self._messages)))

    def send_anything(self, message: Message) -> None:
        self._messages.append(message)

    def relay(self) -> None:
        """Everything that waits in the outboxes."""
        for alias in aliases():
            for row in OutboxMessage.objects.using(alias).order_by("id"):
                self.send(row)
            OutboxMessage.objects.using(alias).all().delete()

    def handle(self) -> None:
        """Everything that is on the topics."""
        for context in settings.CONTEXTS:
            dispatcher = Dispatcher(context)
            dispatcher.handle(m for m in self._messages if m.topic in dispatcher.topics)


@pytest.fixture
def topics() -> Topics:
    """Topics that all consumers have begun with."""
    begin_with_every_topic()
    return Topics()


@pytest.fixture
def order(now: datetime) -> Order:
    goods.stocked({"A": 10}, now=now)
    return orders.placed({"A": 2}, now=now)


def checks_of(topics: Topics, now: datetime) -> dict[str, Check]:
    """The checks of events by name, an hour later."""
    later = now + timedelta(hours=1)
    books = EventBooks(topics)
    checks = [*books.compare(now=later, due=later - timedelta(seconds=30)), open_letters()]
    return {check.name: check for check in checks}


def differences(topics: Topics, now: datetime) -> dict[str, list[str]]:
    """Check -> what differs."""
    return {
        name: [f"{f.subject}: {f.detail}" for f in check.differences]
        for name, check in checks_of(topics, now).items()
        if check.differences
    }


def waiting(order_id: UUID) -> list[OutboxMessage]:
    return list(OUTBOX.filter(topic="order-events", key=str(order_id)).order_by("sequence"))


def test_a_shop_at_rest_has_no_differences(order: Order, topics: Topics, now: datetime) -> None:
    topics.relay()
    topics.handle()

    checks = checks_of(topics, now)

    assert {name: len(check.differences) for name, check in checks.items()} == {
        "events": 0,
        "handled": 0,
        "dead letters": 0,
    }
    # A product, its price, its stock twice; the order twice, its goods and its payment once.
    assert checks["events"].rows == 8
    assert checks["handled"].rows == HANDLED
    assert sum(check.in_flight for check in checks.values()) == 0


def test_events_that_stay_in_the_outbox_are_named(
    order: Order, topics: Topics, now: datetime
) -> None:
    topics.relay()
    topics.handle()
    later = orders.placed({"A": 1}, now=now)

    found = differences(topics, now)["events"]

    assert len(found) == 4
    assert f"order-events {later.id} #1: in the outbox since 2026-03-02 09:30:00" in found


def test_young_events_in_the_outbox_and_without_handlers_are_in_flight(
    order: Order, topics: Topics, now: datetime
) -> None:
    topics.relay()
    orders.placed({"A": 1}, now=now)
    books = EventBooks(topics)

    events, handled = books.compare(now=now, due=now - timedelta(seconds=30))

    assert (events.in_flight, events.differences) == (4, [])
    assert (handled.in_flight, handled.differences) == (HANDLED, [])


def test_an_event_that_never_left_is_lost(order: Order, topics: Topics, now: datetime) -> None:
    (_, last) = waiting(order.id)
    OUTBOX.filter(pk=last.pk).delete()
    topics.relay()
    topics.handle()

    assert differences(topics, now) == {
        "events": [f"order-events {order.id} #2: lost: not on the topic, not in the outbox"]
    }


def test_an_event_that_was_overtaken_and_never_came_is_missing(
    order: Order, topics: Topics, now: datetime
) -> None:
    (first, _) = waiting(order.id)
    OUTBOX.filter(pk=first.pk).delete()
    topics.relay()
    topics.handle()

    assert differences(topics, now) == {
        "events": [f"order-events {order.id} #1: missing, and later ones are there"]
    }


def test_events_in_the_wrong_order_are_named(order: Order, topics: Topics, now: datetime) -> None:
    first, second = waiting(order.id)
    topics.send(second)
    topics.relay()
    topics.handle()

    assert differences(topics, now) == {
        "events": [f"order-events {order.id} #1: came after later ones"]
    }
    assert first.sequence == 1


def test_a_message_that_came_twice_is_counted_and_no_difference(
    order: Order, topics: Topics, now: datetime
) -> None:
    (first, _) = waiting(order.id)
    topics.relay()
    topics.send(first)
    topics.handle()

    check = checks_of(topics, now)["events"]

    assert (check.differences, check.note) == ([], "1 messages came twice")


def test_an_event_that_no_aggregate_recorded_is_invented(
    order: Order, topics: Topics, now: datetime
) -> None:
    (row, _) = waiting(order.id)
    topics.relay()
    stranger = row.key = str(new_id())
    row.event_id = new_id()
    topics.send(row)
    topics.handle()

    assert differences(topics, now) == {
        "events": [f"order-events {stranger}: 1 events on the topic, and no aggregate recorded any"]
    }


def test_more_events_than_were_recorded(
    order: Order, sql: Sql, topics: Topics, now: datetime
) -> None:
    topics.relay()
    topics.handle()
    sql("orders", "UPDATE orders_order SET events_recorded = 1 WHERE id = %s", order.id)

    assert differences(topics, now) == {
        "events": [f"order-events {order.id}: 2 events on the topic, 1 were recorded"]
    }


@pytest.mark.parametrize(
    ("key", "headers", "reason"),
    [
        (b"somebody", [], "The header ce_type is missing."),
        (b"somebody", None, "Non-hexadecimal digit found"),
    ],
)
def test_what_is_no_event_of_ours_is_named(
    order: Order, topics: Topics, now: datetime, key: bytes, headers: Any, reason: str
) -> None:
    (row, _) = waiting(order.id)
    topics.relay()
    topics.handle()
    good = message_of(row).headers
    message = Message("user-events", 2, 7, key, b"{}", good if headers is None else headers)
    topics.send_anything(message)

    assert differences(topics, now)["events"] == [f"user-events 2/7: no event of ours: {reason}"]


def test_a_parked_event_says_why(order: Order, topics: Topics, now: datetime) -> None:
    for row, reason in zip(waiting(order.id), ("too large", ""), strict=True):
        fields = {f.attname: getattr(row, f.attname) for f in OutboxMessage._meta.concrete_fields}
        ParkedMessage.objects.using(alias_of("orders")).create(
            **fields, reason=reason, parked_at=now
        )
        OUTBOX.filter(pk=row.pk).delete()
    topics.relay()
    topics.handle()

    assert differences(topics, now) == {
        "events": [
            f"order-events {order.id} #1: parked: too large",
            f"order-events {order.id} #2: parked: behind an earlier one of its key",
        ]
    }


def test_an_event_that_leaves_the_outbox_while_the_audit_reads_is_found(
    order: Order, topics: Topics, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = now + timedelta(hours=1)
    books = EventBooks(topics)
    read_on = books.read_on

    def relay_after_reading(*, now: datetime) -> None:
        read_on(now=now)
        topics.relay()

    monkeypatch.setattr(books, "read_on", relay_after_reading)

    events, _ = books.compare(now=later, due=later)

    assert events.differences == []


def test_an_event_that_a_handler_never_had_is_named(
    order: Order, topics: Topics, now: datetime
) -> None:
    topics.relay()
    topics.handle()
    event_id = forget_sales_mark()

    assert differences(topics, now) == {
        "handled": [
            f"reporting.add_to_sales {event_id}:"
            f" no mark for orders.order_status_updated 2 of {order.id}"
        ]
    }


def test_what_was_handled_meanwhile_is_no_difference_at_the_second_look(
    order: Order, topics: Topics, now: datetime
) -> None:
    later = now + timedelta(hours=1)
    topics.relay()
    books = EventBooks(topics)
    assert len(books.compare(now=later, due=later)[1].differences) == HANDLED
    assert sum(books.lag().values()) == HANDLED

    topics.handle()

    assert books.compare(now=later, due=later)[1].differences == []
    assert books.lag() == {}


def test_marks_that_may_have_been_purged_are_not_missed(
    order: Order, topics: Topics, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics.relay()
    monkeypatch.setattr("domains.reporting.queries.events.RETENTION", timedelta(minutes=1))

    check = checks_of(topics, now)["handled"]

    assert (check.rows, check.differences) == (0, [])


def forget_sales_mark() -> UUID:
    marks = InboxMark.objects.using(alias_of("reporting")).filter(handler="reporting.add_to_sales")
    event_id: UUID = marks.get().event_id
    marks.delete()
    return event_id


def letter_for(order: Order, event_id: UUID, now: datetime, **changes: Any) -> None:
    fields = {
        "handler": "reporting.add_to_sales",
        "event_id": event_id,
        "topic": "order-events",
        "partition": 0,
        "offset": 1,
        "key": str(order.id),
        "headers": [],
        "payload": b"{}",
        "error_class": "ValueError",
        "error": "no such day",
        "attempts": 1,
        "failed_at": now,
    }
    DeadLetter.objects.using(alias_of("reporting")).create(**fields | changes)


def test_an_open_dead_letter_is_a_difference(order: Order, topics: Topics, now: datetime) -> None:
    topics.relay()
    topics.handle()
    event_id = forget_sales_mark()
    letter_for(order, event_id, now)

    assert differences(topics, now) == {
        "dead letters": [
            f"reporting.add_to_sales {event_id}: order-events {order.id}: ValueError: no such day"
        ]
    }


def test_what_an_operator_has_given_up_is_said_and_no_difference(
    order: Order, topics: Topics, now: datetime
) -> None:
    topics.relay()
    topics.handle()
    letter_for(order, forget_sales_mark(), now, resolution="DROPPED", resolved_at=now)

    checks = checks_of(topics, now)

    assert checks["handled"].note == "1 were given up by an operator"
    assert not any(check.differences for check in checks.values())


def test_a_letter_that_was_redriven_excuses_no_missing_mark(
    order: Order, topics: Topics, now: datetime
) -> None:
    topics.relay()
    topics.handle()
    event_id = forget_sales_mark()
    letter_for(order, event_id, now, resolution="REDRIVEN", resolved_at=now)

    assert differences(topics, now) == {
        "handled": [
            f"reporting.add_to_sales {event_id}: no mark for orders.order_status_updated 2 of"
            f" {order.id}, though its dead letter is REDRIVEN"
        ]
    }


@pytest.mark.parametrize("resolution", ["", "DROPPED", "REDRIVEN"])
def test_nobody_waits_for_a_handler_to_come_to_an_event_with_a_letter(
    order: Order, topics: Topics, now: datetime, resolution: str
) -> None:
    topics.relay()
    topics.handle()
    event_id = forget_sales_mark()
    books = EventBooks(topics)
    books.read_on(now=now)
    assert books.lag() == {"reporting.add_to_sales": 1}

    letter_for(order, event_id, now, resolution=resolution, resolved_at=now if resolution else None)

    assert books.lag() == {}
