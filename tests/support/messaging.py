"""Events in tests: delivered without a broker, or watched on a real one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

from confluent_kafka.admin import AdminClient
from django.conf import settings
from django.db import connections

from infrastructure.database.contexts import alias_of, aliases
from infrastructure.events.bus import Dispatcher
from infrastructure.events.envelope import Message, event_headers
from infrastructure.events.event import Event
from infrastructure.events.subscriptions import SUBSCRIPTIONS
from infrastructure.inbox.hearing import Place, begin, heard_by
from infrastructure.kafka.client import client_settings
from infrastructure.kafka.errors import KafkaUnavailable
from infrastructure.kafka.reader import TopicReader
from infrastructure.kafka.topics import PARTITIONS, ensure_topics
from infrastructure.outbox.models import OutboxMessage
from infrastructure.outbox.publisher import OutboxRow, outbox_rows
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]


def deliver_outbox(*, contexts: Sequence[str] | None = None) -> int:
    """Hand every waiting message to the handlers, and what these publish, until nothing waits.

    Takes the broker's place in most tests. Returns how many messages were delivered; raises what a
    handler raises.
    """
    names = contexts or list(
        dict.fromkeys(s.context for listed in SUBSCRIPTIONS.values() for s in listed)
    )
    dispatchers = [Dispatcher(name) for name in names if name in settings.ALIAS_OF_CONTEXT]
    delivered = 0
    while messages := _take_waiting():
        for dispatcher in dispatchers:
            dispatcher.handle(m for m in messages if m.topic in dispatcher.topics)
        delivered += len(messages)
    return delivered


def outbox_names(alias: str | None = None) -> list[str]:
    """The names of the waiting events, in order."""
    return [
        row.name
        for each in ([alias] if alias else aliases())
        for row in OutboxMessage.objects.using(each).order_by("id")
    ]


def _take_waiting() -> list[Message]:
    messages = []
    for alias in aliases():
        waiting = OutboxMessage.objects.using(alias)
        rows = list(waiting.order_by("id"))
        waiting.filter(pk__in=[row.pk for row in rows]).delete()
        messages += [message_of(row, offset=row.pk) for row in rows]
    return messages


def message_of(row: OutboxMessage | OutboxRow, *, partition: int = 0, offset: int = 0) -> Message:
    """What the relay would make of an outbox row."""
    headers = event_headers(
        event_id=str(row.event_id),
        name=row.name,
        version=row.event_version,
        occurred_at=row.occurred_at.isoformat(),
        key=row.key,
        sequence=row.sequence,
        correlation_id=row.correlation_id,
        causation_id=row.causation_id,
        traceparent=row.traceparent,
    )
    return Message(row.topic, partition, offset, row.key.encode(), row.payload.encode(), headers)


def publish(
    events: Iterable[Event], *, key: UUID, first_sequence: int = 1, alias: str = "default"
) -> list[OutboxMessage]:
    """Put an aggregate's events into the outbox."""
    rows = outbox_rows(events, key=key, first_sequence=first_sequence)
    return OutboxMessage.objects.using(alias).bulk_create(
        OutboxMessage(**asdict(row)) for row in rows
    )


def make_topics(names: Iterable[str]) -> None:
    """A busy broker may need longer than a relay waits for it, which asks again, too."""
    wanted = list(names)

    def made() -> bool:
        try:
            ensure_topics(wanted)
        except KafkaUnavailable:
            return False
        return True

    until(made, f"the topics {wanted}")


def read_topic(topic: str) -> list[Message]:
    """All messages of a topic, each partition in its order; nothing if it does not exist."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with TopicReader([topic]) as reader:
                found = [message for batch in reader.read_on() for message in batch]
            return sorted(found, key=lambda message: (message.partition, message.offset))
        except KafkaUnavailable:  # a topic that was made just now may have no leader yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def delete_topics(prefix: str) -> None:
    admin = AdminClient(client_settings())
    names = [name for name in admin.list_topics(timeout=60).topics if name.startswith(prefix)]
    if names:
        for future in admin.delete_topics(names, request_timeout=60).values():
            future.result()


def process_environment(**more: str) -> dict[str, str]:
    """The environment of a process that works on this test's databases and topics."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "KAFKA_BOOTSTRAP_SERVERS": settings.KAFKA_BOOTSTRAP_SERVERS,
        "KAFKA_TOPIC_PREFIX": settings.KAFKA_TOPIC_PREFIX,
        "KAFKA_GROUP_PREFIX": settings.KAFKA_GROUP_PREFIX,
        "DATABASE_URL": _url("default"),
    }
    for context, alias in settings.ALIAS_OF_CONTEXT.items():
        environment[f"{context.upper()}_DATABASE_URL"] = _url(alias)
    return environment | more


def _url(alias: str) -> str:
    database = connections[alias].settings_dict
    user, password = quote(database["USER"] or ""), quote(database["PASSWORD"] or "")
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    port = f":{database['PORT']}" if database["PORT"] else ""
    return f"postgresql://{login}{database['HOST']}{port}/{database['NAME']}"


@contextmanager
def thing_process(role: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """The relay or the consumer of the things of the tests as a process; killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.things_process", role],
        cwd=ROOT,
        env=process_environment(**environment),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def begin_with_every_topic() -> None:
    """What the consumers of all contexts write down when they begin with empty topics."""
    for context in settings.CONTEXTS:
        heard = heard_by(context)
        places = [Place(one.topic, number, 0) for one in heard for number in range(PARTITIONS)]
        begin(alias_of(context), context, heard=heard, places=dict.fromkeys(places))
