"""The relay: nothing lost, order kept per key, whatever is killed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connections

from infrastructure.events.envelope import read_envelope
from infrastructure.ids import new_id
from infrastructure.kafka.client import EVENT_BYTES
from infrastructure.outbox import hint, parking
from infrastructure.outbox.models import OutboxMessage, ParkedMessage
from infrastructure.outbox.publisher import SHARDS, shard_of
from infrastructure.outbox.relay import Relay
from infrastructure.outbox.shards import LOCK_SPACE, MEMBER
from tests.support.messaging import (
    process_environment,
    publish,
    read_topic,
    thing_process,
)
from tests.support.things import NOW, TOPIC, ThingHappened
from tests.support.waiting import until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("things_context", "broker"),
]

ALIAS = "default"


def test_a_relay_killed_between_sending_and_deleting_loses_nothing() -> None:
    things = [publish_thing(5) for _ in range(40)]
    with nothing_can_be_deleted(), thing_process("relay") as relay:
        until(lambda: len(read_topic(TOPIC)) == 200)
        relay.kill()
        relay.wait()
        # Nor by its session, which has not noticed, and waits with the first deletion.
        end_sessions_of_relays()
        until(lambda: leaders() == {})
    assert OutboxMessage.objects.using(ALIAS).count() == 200

    with thing_process("relay"):
        until(outbox_is_empty)

    messages = read_topic(TOPIC)
    assert len(messages) == 400
    for thing_id in things:
        assert first_seen(messages, thing_id) == [1, 2, 3, 4, 5]


def test_two_relays_share_the_shards_and_one_takes_over_from_a_killed_one(
    running: Callable[..., None],
) -> None:
    running(Relay(ALIAS))
    with thing_process("relay") as other:
        until(lambda: sorted(leaders().values()) == [SHARDS // 2, SHARDS // 2])
        other.kill()
        other.wait()
        until(lambda: list(leaders().values()) == [SHARDS])

    things = [publish_thing(2) for _ in range(200)]
    until(outbox_is_empty)
    messages = read_topic(TOPIC)
    assert [first_seen(messages, thing_id) for thing_id in things] == [[1, 2]] * 200
    assert {shard_of(str(thing_id)) for thing_id in things} == set(range(SHARDS))


def test_an_event_whose_transaction_commits_late_is_published_all_the_same(
    running: Callable[..., None],
) -> None:
    running(Relay(ALIAS))
    early, late = new_id(), new_id()
    with other_connection() as slow:
        slow.execute("BEGIN")
        slow.execute(
            "INSERT INTO platform_outboxmessage (shard, event_id, topic, key, sequence, name,"
            " event_version, occurred_at, correlation_id, causation_id, traceparent, payload)"
            " VALUES (%s, %s, %s, %s, 1, 'tests.thing_happened', 2, now(), '', '', '', '{}')",
            [shard_of(str(late)), new_id(), TOPIC, str(late)],
        )
        publish_thing(3, thing_id=early)
        until(lambda: len(read_topic(TOPIC)) == 3)
        threading.Event().wait(0.6)  # long enough for the relay to have looked back in vain
        slow.execute("COMMIT")

    until(lambda: len(read_topic(TOPIC)) == 4)
    assert first_seen(read_topic(TOPIC), late) == [1]


def test_a_message_too_large_for_kafka_is_parked_with_its_key_and_the_others_flow(
    running: Callable[..., None],
) -> None:
    running(Relay(ALIAS))
    bad, good = new_id(), new_id()
    publish_thing(1, thing_id=bad)
    publish_thing(1, thing_id=bad, first=2, text="x" * (EVENT_BYTES + 1))
    publish_thing(2, thing_id=bad, first=3)
    publish_thing(3, thing_id=good)
    until(outbox_is_empty)
    publish_thing(1, thing_id=bad, first=5)
    until(lambda: outbox_is_empty() and ParkedMessage.objects.using(ALIAS).count() == 4)

    assert first_seen(read_topic(TOPIC), good) == [1, 2, 3]
    assert first_seen(read_topic(TOPIC), bad) == [1]
    parked = ParkedMessage.objects.using(ALIAS).order_by("id")
    assert [(row.sequence, bool(row.reason)) for row in parked] == [
        (2, True),
        (3, False),
        (4, False),
        (5, False),
    ]

    # Released as it is, it is refused again, and nothing has overtaken it.
    assert parking.release(ALIAS, topic=TOPIC, key=str(bad)) == 4
    until(lambda: outbox_is_empty() and ParkedMessage.objects.using(ALIAS).count() == 4)
    assert first_seen(read_topic(TOPIC), bad) == [1]

    assert parking.drop(ALIAS, row_id=parked[0].pk)
    assert parking.release(ALIAS, topic=TOPIC, key=str(bad)) == 3
    until(lambda: first_seen(read_topic(TOPIC), bad) == [1, 3, 4, 5])
    assert not ParkedMessage.objects.using(ALIAS).exists()


def test_a_topic_that_kafka_will_not_have_does_not_stop_the_others(
    running: Callable[..., None],
) -> None:
    running(Relay(ALIAS))
    (row,) = OutboxMessage.objects.using(ALIAS).bulk_create(
        [OutboxMessage(
            shard=0, event_id=new_id(), topic="not a topic", key="k", sequence=1,
            name="tests.thing_happened", event_version=2, occurred_at=NOW, payload="{}",
        )]
    )  # fmt: skip
    thing_id = publish_thing(1)

    until(outbox_is_empty)

    assert first_seen(read_topic(TOPIC), thing_id) == [1]
    parked = ParkedMessage.objects.using(ALIAS).get()
    assert (parked.id, parked.event_id) == (row.id, row.event_id)
    assert "not a topic" in parked.reason


def test_a_relay_without_kafka_waits_and_publishes_when_it_is_there(
    running: Callable[..., None], settings: Any
) -> None:
    servers, settings.KAFKA_BOOTSTRAP_SERVERS = settings.KAFKA_BOOTSTRAP_SERVERS, "127.0.0.1:9"
    settings.KAFKA_CLIENT_SETTINGS = {"socket.connection.setup.timeout.ms": 1000}
    relay = Relay(ALIAS)
    running(relay)
    thing_id = publish_thing(3)
    threading.Event().wait(1)
    assert OutboxMessage.objects.using(ALIAS).count() == 3

    settings.KAFKA_BOOTSTRAP_SERVERS = servers
    until(outbox_is_empty)
    assert first_seen(read_topic(TOPIC), thing_id) == [1, 2, 3]


def test_a_relay_whose_session_is_cut_begins_again(running: Callable[..., None]) -> None:
    running(Relay(ALIAS))
    until(lambda: list(leaders().values()) == [SHARDS])
    (pid,) = leaders()
    end_sessions_of_relays()
    thing_id = publish_thing(3)

    until(outbox_is_empty)
    assert first_seen(read_topic(TOPIC), thing_id) == [1, 2, 3]
    assert pid not in leaders()


def test_a_relay_told_to_stop_deletes_what_it_sent_and_exits_at_once() -> None:
    publish_thing(1)
    with thing_process("relay") as relay:
        until(outbox_is_empty)
        for _ in range(20):
            publish_thing(20)
        relay.send_signal(signal.SIGTERM)
        assert relay.wait(60) == 0

    sent = len(read_topic(TOPIC))
    assert sent + OutboxMessage.objects.using(ALIAS).count() == 401


def test_a_hint_after_the_commit_wakes_a_listener(running: Callable[..., None]) -> None:
    woken, stopping = threading.Event(), threading.Event()
    listener = threading.Thread(target=hint.listen, args=(woken.set, stopping))
    listener.start()
    try:
        # Nobody says when the subscription is in place, so ring until it is heard.
        until(lambda: (hint.after_commit(ALIAS), woken.wait(0.1))[1])
    finally:
        stopping.set()
        listener.join()


def publish_thing(
    events: int, *, thing_id: UUID | None = None, first: int = 1, text: str = ""
) -> UUID:
    thing_id = thing_id or new_id()
    publish(
        [
            ThingHappened(thing_id=thing_id, number=number, text=text, occurred_at=NOW)
            for number in range(first, first + events)
        ],
        key=thing_id,
        first_sequence=first,
    )
    return thing_id


def first_seen(messages: list[Any], thing_id: UUID) -> list[int]:
    """The numbers of an aggregate's events in the order in which each came first."""
    mine = (read_envelope(m) for m in messages if m.key == str(thing_id).encode())
    return list(dict.fromkeys(envelope.sequence for envelope in mine))


def outbox_is_empty() -> bool:
    return not OutboxMessage.objects.using(ALIAS).exists()


def leaders() -> dict[int, int]:
    """How many shards each session leads."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT pid, count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND classid = %s AND objid <> %s AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY pid",
            [LOCK_SPACE, MEMBER],
        )
        return dict(cursor.fetchall())


def end_sessions_of_relays() -> None:
    with other_connection() as admin:
        for pid in leaders():
            admin.execute("SELECT pg_terminate_backend(%s)", [pid])


@contextmanager
def other_connection() -> Iterator[psycopg.Connection[Any]]:
    url = process_environment()["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@contextmanager
def nothing_can_be_deleted() -> Iterator[None]:
    """The relay reads and sends, and hangs at the first deletion."""
    with other_connection() as connection, connection.transaction():
        connection.execute("LOCK TABLE platform_outboxmessage IN SHARE MODE")
        yield
