"""A group writes down from where on its handlers hear, before they hear anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import OperationalError

from infrastructure.events.subscriptions import SUBSCRIPTIONS, Subscription
from infrastructure.ids import new_id
from infrastructure.inbox import hearing
from infrastructure.inbox.models import HeardRange
from infrastructure.kafka.consumer import GroupConsumer
from tests.integration.messaging.conftest import on_a_thread
from tests.integration.messaging.test_consumer import happenings, send
from tests.support.things import ALIAS, CONTEXT, TOPIC, ThingHappened, effects
from tests.support.waiting import until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("things_context", "broker"),
]

NEWCOMER = "tests.newcomer"


@contextmanager
def newcomer(heard: list[int]) -> Iterator[None]:
    subscription = Subscription(
        label=NEWCOMER,
        context=CONTEXT,
        event_class=ThingHappened,
        function=lambda event: heard.append(event.number),
    )
    SUBSCRIPTIONS[ThingHappened].append(subscription)
    try:
        yield
    finally:
        SUBSCRIPTIONS[ThingHappened].remove(subscription)


def ranges_of(handler: str, partition: int) -> list[tuple[int, int | None]]:
    found = HeardRange.objects.using(ALIAS).filter(
        handler=handler, event="tests.thing_happened", topic=TOPIC, partition=partition
    )
    return list(found.order_by("first_offset").values_list("first_offset", "end_offset"))


def test_a_handler_hears_from_where_its_group_was_when_it_joined() -> None:
    """All events are of one thing, so that they are in one partition, the others empty."""
    thing_id, heard = new_id(), list[int]()
    send(happenings(thing_id, ["a", "b"]))
    with on_a_thread(GroupConsumer(CONTEXT)):
        until(lambda: len(effects("record_outside")) == 2)
    with newcomer(heard), on_a_thread(GroupConsumer(CONTEXT)):
        send(happenings(thing_id, ["c"], first=3))
        until(lambda: len(effects("record_outside")) == 3)
    with on_a_thread(GroupConsumer(CONTEXT)):
        send(happenings(thing_id, ["d"], first=4))
        until(lambda: len(effects("record_outside")) == 4)
    with newcomer(heard), on_a_thread(GroupConsumer(CONTEXT)):
        send(happenings(thing_id, ["e"], first=5))
        until(lambda: len(effects("record_outside")) == 5)

    (used,) = [number for number in range(6) if len(ranges_of(NEWCOMER, number)) == 2]
    assert heard == [3, 5]
    assert ranges_of(NEWCOMER, used) == [(2, 3), (4, None)]
    for number in range(6):
        assert ranges_of("tests.record", number) == [(0, None)]
        if number != used:
            assert ranges_of(NEWCOMER, number) == [(0, None)]


def test_a_database_that_is_away_when_a_group_begins_is_waited_for(
    running: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, failures = hearing.begin, [OperationalError("the connection is lost")]

    def fail_once(*args: object, **kwargs: object) -> None:
        if failures:
            raise failures.pop()
        begin(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(hearing, "begin", fail_once)
    send(happenings(new_id(), ["a"]))
    running(GroupConsumer(CONTEXT))

    until(lambda: effects("record") == [1])
    assert failures == []
    assert ranges_of("tests.record", 0) == [(0, None)]
