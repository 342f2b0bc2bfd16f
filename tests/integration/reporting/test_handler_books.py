"""Which marks the audit expects of handlers that are new, gone, back, or were never started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domains.orders.events import OrderCreated
from domains.orders.models import Order
from domains.reporting.queries.events import EventBooks
from domains.reporting.rules.findings import Check
from infrastructure.database.contexts import alias_of
from infrastructure.events.subscriptions import SUBSCRIPTIONS, Subscription
from infrastructure.inbox.hearing import Place, begin, heard_by
from infrastructure.inbox.models import InboxMark
from tests.integration.reporting.test_event_books import HANDLED, Topics
from tests.integration.reporting.test_event_books import order as order
from tests.integration.reporting.test_event_books import topics as topics
from tests.support.factories import orders

pytestmark = pytest.mark.django_db

LABEL = "orders.thank_the_customer"


@contextmanager
def new_handler() -> Iterator[None]:
    """A handler of orders that the code did not have before."""
    subscription = Subscription(
        label=LABEL, context="orders", event_class=OrderCreated, function=lambda event: None
    )
    SUBSCRIPTIONS[OrderCreated].append(subscription)
    try:
        yield
    finally:
        SUBSCRIPTIONS[OrderCreated].remove(subscription)


def begin_at(offset: int, *, partition: int = 0) -> None:
    """The group of orders begins with a partition of the orders' topic."""
    place = Place("order-events", partition, offset)
    begin(alias_of("orders"), "orders", heard=heard_by("orders"), places=[place])


def place_one_more(topics: Topics, now: datetime) -> UUID:
    """An order whose events are relayed and handled. Returns its id."""
    later = orders.placed({"A": 1}, now=now)
    topics.relay()
    topics.handle()
    later_id: UUID = later.id
    return later_id


def handled(topics: Topics, now: datetime) -> Check:
    later = now + timedelta(hours=1)
    return EventBooks(topics).compare(now=later, due=later - timedelta(seconds=30))[1]


def missing(check: Check) -> list[str]:
    """What differs, without the ids of the events."""
    return [f"{f.subject.partition(' ')[0]}: {f.detail}" for f in check.differences]


def lose_marks() -> None:
    """As if the group had passed over the events without handing them over."""
    InboxMark.objects.using(alias_of("orders")).filter(handler=LABEL).delete()


def test_a_new_handler_misses_nothing_of_what_was_before_it(
    order: Order, topics: Topics, now: datetime
) -> None:
    topics.relay()
    topics.handle()

    with new_handler():
        begin_at(topics.end)
        check = handled(topics, now)

    assert (check.rows, check.differences) == (HANDLED, [])
    assert check.note == "1 went by before their handler began to listen"


def test_what_a_new_handler_lost_since_is_found(
    order: Order, topics: Topics, now: datetime
) -> None:
    topics.relay()
    topics.handle()

    with new_handler():
        begin_at(topics.end)
        order_id = place_one_more(topics, now)
        lose_marks()
        check = handled(topics, now)

    assert missing(check) == [f"{LABEL}: no mark for orders.order_created 1 of {order_id}"]


def test_a_restart_excuses_nothing(order: Order, topics: Topics, now: datetime) -> None:
    with new_handler():
        begin_at(0)
        topics.relay()
        topics.handle()
        lose_marks()
        begin_at(topics.end)
        check = handled(topics, now)

    assert missing(check) == [f"{LABEL}: no mark for orders.order_created 1 of {order.id}"]


def test_a_handler_that_comes_back_misses_what_was_meanwhile_and_nothing_else(
    order: Order, topics: Topics, now: datetime
) -> None:
    with new_handler():
        begin_at(0)
        topics.relay()
        topics.handle()
        lose_marks()
    begin_at(topics.end)
    place_one_more(topics, now)
    with new_handler():
        begin_at(topics.end)
        last = place_one_more(topics, now)
        lose_marks()
        check = handled(topics, now)

    assert missing(check) == [
        f"{LABEL}: no mark for orders.order_created 1 of {order.id}",
        f"{LABEL}: no mark for orders.order_created 1 of {last}",
    ]
    assert check.note == "1 went by before their handler began to listen"


def test_a_group_that_is_set_back_promises_more(
    order: Order, topics: Topics, now: datetime
) -> None:
    topics.relay()
    topics.handle()

    with new_handler():
        begin_at(topics.end)
        begin_at(0)
        check = handled(topics, now)

    assert missing(check) == [f"{LABEL}: no mark for orders.order_created 1 of {order.id}"]


def test_a_handler_that_was_never_started_is_a_difference(topics: Topics, now: datetime) -> None:
    with new_handler():
        check = handled(topics, now)

    (finding,) = check.differences
    assert finding.subject == f"{LABEL} orders.order_created"
    assert finding.detail == "no consumer has begun to hear it"


def test_events_that_wait_where_nobody_has_begun_are_one_difference(
    order: Order, topics: Topics, now: datetime
) -> None:
    topics.relay()
    topics.handle()

    with new_handler():
        begin_at(0, partition=1)
        books = EventBooks(topics)
        books.read_on(now=now)
        check, young = (
            books.compare(now=now, due=now + timedelta(seconds=late))[1] for late in (1, -1)
        )
        assert books.lag() == {LABEL: 1}

    assert missing(check) == [
        f"{LABEL}: no consumer has begun to hear it in order-events 0, where 1 wait"
    ]
    assert (young.in_flight, young.differences) == (1, [])


def test_a_consumer_that_begins_while_the_audit_waits_is_seen(
    order: Order, topics: Topics, now: datetime
) -> None:
    topics.relay()
    topics.handle()

    with new_handler():
        books = EventBooks(topics)
        books.read_on(now=now)
        assert (books.lag(), books.not_begun()) == ({LABEL: 1}, 1)
        begin_at(topics.end)
        later = now + timedelta(hours=1)
        check = books.compare(now=later, due=later)[1]

    assert (check.rows, check.differences) == (HANDLED, [])
    assert (books.lag(), books.not_begun()) == ({}, 0)
