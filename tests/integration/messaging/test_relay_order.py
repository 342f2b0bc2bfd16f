"""The order of each key, while transactions commit much later than they drew their ids."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import psycopg
import pytest

from infrastructure.events.envelope import Message, read_envelope
from infrastructure.ids import new_id
from infrastructure.outbox.models import OutboxMessage
from infrastructure.outbox.publisher import shard_of
from infrastructure.outbox.relay import BATCH, Relay
from tests.support.messaging import process_environment, read_topic
from tests.support.things import TOPIC
from tests.support.waiting import until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("things_context", "broker"),
]

ALIAS = "default"


def test_an_event_committed_late_is_not_overtaken_by_the_next_of_its_key(
    running: Callable[..., None],
) -> None:
    running(Relay(ALIAS))
    keys = [new_id() for _ in range(6)]
    with ExitStack() as stack:
        traffic, *slow = (stack.enter_context(connect()) for _ in range(len(keys) + 1))
        for connection, key in zip(slow, keys, strict=True):
            connection.execute("BEGIN")
            insert(connection, key, 1)
            insert(traffic, new_id(), 1)
        flow(traffic, seconds=1.2)  # the relay is long past the ids of the open transactions
        for connection, key in zip(slow, keys, strict=True):
            connection.execute("COMMIT")
            insert(connection, key, 2)
            flow(traffic, seconds=0.15)

    until(outbox_is_empty)
    seen = first_seen(read_topic(TOPIC))
    assert [seen[key] for key in keys] == [[1, 2]] * len(keys)


@pytest.mark.parametrize("crowd", [1, 2 * BATCH], ids=["keeping up", "behind"])
def test_whatever_the_length_of_transactions_every_key_arrives_in_order(
    running: Callable[..., None], crowd: int
) -> None:
    """Writers take a few of a few keys each, some for longer than a second, beside other traffic:
    single events, or more at once than the relay reads in one batch."""
    running(Relay(ALIAS))
    keys = sorted(new_id() for _ in range(12))
    written: dict[UUID, int] = defaultdict(int)
    ends_at = time.monotonic() + 5

    def write(seed: int) -> None:
        chance = random.Random(seed)
        taken = keys[2 * seed : 2 * seed + 2]  # so that each of them is used
        with connect() as connection:
            while time.monotonic() < ends_at:
                pause = chance.choice([0, 0, 0, 0.02, 0.4])
                with connection.transaction():
                    for key in taken:
                        lock(connection, key)
                        written[key] += 1
                        insert(connection, key, written[key])
                        time.sleep(pause)
                taken = sorted(chance.sample(keys, chance.randint(1, 3)))

    def crowd_in() -> None:
        with connect() as connection:
            while time.monotonic() < ends_at:
                insert(connection, new_id(), 1, rows=crowd)
                time.sleep(crowd / 5000)

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(6)]
    threads.append(threading.Thread(target=crowd_in))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    until(outbox_is_empty)
    seen = first_seen(read_topic(TOPIC))
    assert len(written) == len(keys)
    assert {key: seen[key] for key in keys} == {
        key: list(range(1, written[key] + 1)) for key in keys
    }


def connect() -> psycopg.Connection[Any]:
    return psycopg.connect(process_environment()["DATABASE_URL"], autocommit=True)


def lock(connection: psycopg.Connection[Any], key: UUID) -> None:
    """What the row lock is to an aggregate: held until the end of the transaction."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [str(key)])


def insert(connection: psycopg.Connection[Any], key: UUID, sequence: int, rows: int = 1) -> None:
    connection.execute(
        "INSERT INTO platform_outboxmessage (shard, event_id, topic, key, sequence, name,"
        " event_version, occurred_at, correlation_id, causation_id, traceparent, payload)"
        " SELECT %s, gen_random_uuid(), %s, %s, n, 'tests.thing_happened', 2, now(), '', '', '',"
        " '{}' FROM generate_series(%s::int, %s::int) AS numbers(n)",
        [shard_of(str(key)), TOPIC, str(key), sequence, sequence + rows - 1],
    )


def flow(connection: psycopg.Connection[Any], *, seconds: float) -> None:
    """A hundred events of other keys per second."""
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        insert(connection, new_id(), 1)
        time.sleep(0.01)


def first_seen(messages: list[Message]) -> dict[UUID, list[int]]:
    """The numbers of each aggregate's events in the order in which each came first."""
    seen: dict[UUID, dict[int, None]] = defaultdict(dict)
    for message in messages:
        envelope = read_envelope(message)
        seen[UUID(envelope.key)][envelope.sequence] = None
    return defaultdict(list, {key: list(numbers) for key, numbers in seen.items()})


def outbox_is_empty() -> bool:
    return not OutboxMessage.objects.using(ALIAS).exists()
