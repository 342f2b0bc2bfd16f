from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections

from infrastructure.kafka.consumer import GroupConsumer
from infrastructure.outbox.relay import Relay
from tests.support import messaging, things


@pytest.fixture
def things_context(transactional_db: None) -> Iterator[None]:
    """The context of things, with an empty table, in tests that commit."""
    things.install()
    things.drop_table()
    things.create_table()
    things.POISON.clear()
    things.PASSING.clear()
    things.SEEN_WITHOUT_TRANSACTION.clear()
    things.SEEN_CAUSES.clear()
    yield
    things.drop_table()
    things.uninstall()


@pytest.fixture
def broker(settings: Any) -> Iterator[None]:
    """Topics and groups of this test alone."""
    prefix = f"t{uuid4().hex[:10]}."
    settings.KAFKA_TOPIC_PREFIX = settings.KAFKA_GROUP_PREFIX = prefix
    yield
    messaging.delete_topics(prefix)


@pytest.fixture
def running() -> Iterator[Callable[[Relay | GroupConsumer], None]]:
    """Starts a relay or a consumer on a thread, and stops it at the end of the test."""
    with ExitStack() as stack:

        def start(worker: Relay | GroupConsumer) -> None:
            stack.enter_context(on_a_thread(worker))

        yield start


@contextmanager
def on_a_thread(worker: Relay | GroupConsumer) -> Iterator[None]:
    def run() -> None:
        try:
            worker.run()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join(60)
        assert not thread.is_alive()
