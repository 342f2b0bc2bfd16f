"""The whole way of a fact: outbox, relay, Kafka, consumer, handler."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from infrastructure.ids import new_id
from infrastructure.kafka.consumer import GroupConsumer
from infrastructure.outbox.models import OutboxMessage
from infrastructure.outbox.relay import Relay
from tests.support.messaging import publish, read_topic
from tests.support.things import NOW, TOPIC, ThingHappened, effects
from tests.support.waiting import until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("things_context", "broker"),
]


def test_every_published_event_has_its_effect_once_in_every_handler(
    running: Callable[..., None],
) -> None:
    things = [new_id() for _ in range(20)]
    for thing_id in things:
        publish(
            [ThingHappened(thing_id=thing_id, number=n, occurred_at=NOW) for n in range(1, 6)],
            key=thing_id,
        )
    running(Relay("default"))
    running(GroupConsumer("tests"))

    until(lambda: len(effects("record_outside")) == 100)

    for handler in ("record", "record_batch", "record_outside"):
        for thing_id in things:
            assert effects(handler, thing_id) == [1, 2, 3, 4, 5]
    until(lambda: not OutboxMessage.objects.using("default").exists())
    assert len(read_topic(TOPIC)) == 100
