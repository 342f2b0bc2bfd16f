from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as installed
from django.db import connections

from infrastructure.database.contexts import aliases, connection_of
from infrastructure.events.bus import Dispatcher
from infrastructure.kafka.reader import TopicReader
from infrastructure.kafka.topics import published_topics
from infrastructure.outbox.models import OutboxMessage
from infrastructure.outbox.relay import Relay
from tests.support import carts
from tests.support.messaging import begin_with_every_topic, delete_topics, make_topics
from tests.support.waiting import until

Sql = Callable[..., None]


@pytest.fixture(autouse=True)
def _no_carts() -> Iterator[None]:
    """Carts are not rolled back, and their books are compared too."""
    carts.forget_all()
    yield
    carts.forget_all()


@pytest.fixture
def sql() -> Sql:
    """Changes rows behind the models' backs, as nobody should."""

    def execute(context: str, statement: str, *params: Any) -> None:
        with connection_of(context).cursor() as cursor:
            cursor.execute(statement, params)
            assert cursor.rowcount == 1

    return execute


@pytest.fixture
def broker(settings: Any) -> Iterator[None]:
    """Topics of this test alone, which consumers have begun with."""
    settings.KAFKA_TOPIC_PREFIX = prefix = f"t{uuid4().hex[:10]}."
    make_topics(published_topics())
    begin_with_every_topic()
    yield
    delete_topics(prefix)


def relay_everything() -> None:
    """Bring what waits in the outboxes to Kafka."""

    def run(relay: Relay) -> None:
        try:
            relay.run()
        finally:
            connections.close_all()

    relays = [Relay(alias) for alias in aliases()]
    threads = [threading.Thread(target=run, args=(relay,)) for relay in relays]
    for thread in threads:
        thread.start()
    try:
        until(lambda: not any(OutboxMessage.objects.using(alias).exists() for alias in aliases()))
    finally:
        for relay in relays:
            relay.stop()
        for thread in threads:
            thread.join(60)


def handle_everything() -> None:
    """Have every context's handlers handle what is on the topics."""
    with TopicReader(published_topics()) as reader:
        messages = [message for batch in reader.read_on() for message in batch]
    for context in installed.CONTEXTS:
        dispatcher = Dispatcher(context)
        dispatcher.handle(m for m in messages if m.topic in dispatcher.topics)
