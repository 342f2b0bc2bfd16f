"""The consumer: each effect once, whatever comes twice, fails or is killed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from confluent_kafka import Producer
from django.db import connections, transaction

from infrastructure.events.envelope import Message, id_of
from infrastructure.ids import new_id
from infrastructure.inbox import marks
from infrastructure.inbox.models import BlockedKey, DeadLetter, InboxMark
from infrastructure.inbox.redrive import redrive
from infrastructure.kafka.client import client_settings, topic_name
from infrastructure.kafka.consumer import GroupConsumer
from infrastructure.outbox.publisher import outbox_rows
from tests.support import things
from tests.support.messaging import make_topics, message_of, read_topic, thing_process
from tests.support.things import ALIAS, CONTEXT, NOW, TOPIC, ThingHappened, ThingIgnored, effects
from tests.support.waiting import until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("things_context", "broker"),
]


def test_a_consumer_killed_in_a_batch_leaves_each_effect_once(
    running: Callable[..., None],
) -> None:
    thing_id = new_id()
    send(happenings(thing_id, ["a", "b", "slow", "d", "e"]))
    with transaction.atomic(using=ALIAS):
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [things.DOOR])
        with thing_process("consume") as consumer:
            until(somebody_waits_at_the_door)
            consumer.kill()
            consumer.wait()
    assert effects("record") == []

    running(GroupConsumer(CONTEXT))
    until(lambda: len(effects("record_outside")) == 5)

    assert effects("record") == [1, 2, 3, 4, 5]
    assert effects("record_batch") == [1, 2, 3, 4, 5]


def test_a_consumer_told_to_stop_exits_at_once_and_has_committed_its_place() -> None:
    send(happenings(new_id(), ["a", "b"]))
    with thing_process("consume") as consumer:
        until(lambda: len(effects("record_outside")) == 2)
        consumer.terminate()
        assert consumer.wait(60) == 0
    InboxMark.objects.using(ALIAS).all().delete()

    send(happenings(new_id(), ["c"]))
    with thing_process("consume"):
        until(lambda: len(effects("record_outside")) == 3)
    assert effects("record") == [1, 2, 1]


def test_what_comes_twice_is_handled_once(running: Callable[..., None]) -> None:
    messages = happenings(new_id(), ["a", "b", "c"])
    send(messages)
    send(messages)
    last = happenings(new_id(), ["d"])
    send(last)
    running(GroupConsumer(CONTEXT))

    until(lambda: len(effects("record_outside")) == 4)
    for handler in ("record", "record_batch", "record_outside"):
        assert sorted(effects(handler)) == [1, 1, 2, 3]


def test_an_event_nobody_can_handle_goes_to_the_dead_letters_and_the_other_keys_go_on(
    running: Callable[..., None],
) -> None:
    bad, good = new_id(), new_id()
    poison = "ada@example.com"
    things.POISON.add(poison)
    send(happenings(bad, ["a", poison, "c", "d"]))
    send(happenings(good, ["a", "b", "c"]))
    running(GroupConsumer(CONTEXT))

    until(lambda: DeadLetter.objects.using(ALIAS).count() == 3)
    until(lambda: effects("record", good) == [1, 2, 3])
    assert effects("record", bad) == [1]
    until(lambda: effects("record_outside", bad) == [1, 2, 3, 4])
    assert effects("record_batch", bad) == [1, 2, 3, 4]
    letters = DeadLetter.objects.using(ALIAS).order_by("id")
    assert [(letter.handler, letter.error_class) for letter in letters] == [
        ("tests.record", "ValueError"),
        ("tests.record", ""),
        ("tests.record", ""),
    ]
    assert BlockedKey.objects.using(ALIAS).get().key == str(bad)

    originals = [m for m in read_topic(TOPIC) if m.key == str(bad).encode()][1:]
    dead = read_topic(f"{TOPIC}.dlq")
    assert [
        (m.key, m.value, m.headers[: len(o.headers)]) for m, o in zip(dead, originals, strict=True)
    ] == [(o.key, o.value, o.headers) for o in originals]
    headers = dict(dead[0].headers)
    assert {name: headers[name] for name in headers if name.startswith("dlq_")} == {
        "dlq_handler": b"tests.record",
        "dlq_context": b"tests",
        "dlq_error_class": b"ValueError",
        # Letters are kept for longer than people may want to be.
        "dlq_error": b"cannot stand [redacted]",
        "dlq_stack": headers["dlq_stack"],
        "dlq_attempts": b"1",
        "dlq_topic": TOPIC.encode(),
        "dlq_partition": str(originals[0].partition).encode(),
        "dlq_offset": str(originals[0].offset).encode(),
        "dlq_failed_at": headers["dlq_failed_at"],
    }
    assert b"fail_if_told" in headers["dlq_stack"]
    assert poison.encode() not in headers["dlq_stack"]

    assert list(redrive(CONTEXT).failed.values()) == [f"ValueError: cannot stand {poison}"]
    assert letters[0].error == "cannot stand [redacted]"
    assert effects("record", bad) == [1]

    things.POISON.clear()
    assert len(redrive(CONTEXT).handled) == 3
    assert effects("record", bad) == [1, 2, 3, 4]
    assert effects("record_batch", bad) == [1, 2, 3, 4]
    assert not BlockedKey.objects.using(ALIAS).exists()

    send(happenings(bad, ["e"], first=5))
    until(lambda: effects("record", bad) == [1, 2, 3, 4, 5])


def test_what_passes_is_tried_again_and_nothing_overtakes_it(
    running: Callable[..., None],
) -> None:
    thing_id = new_id()
    things.PASSING["moody"] = 3
    send(happenings(thing_id, ["a", "moody", "c"]))
    running(GroupConsumer(CONTEXT))

    until(lambda: len(effects("record")) == 3)
    assert effects("record") == [1, 2, 3]
    assert not DeadLetter.objects.using(ALIAS).exists()


def test_what_does_not_pass_is_given_up_after_its_attempts(
    running: Callable[..., None],
) -> None:
    things.PASSING["moody"] = 1000
    send(happenings(new_id(), ["moody"]))
    running(GroupConsumer(CONTEXT, attempts=3))

    letter = until(lambda: DeadLetter.objects.using(ALIAS).first())
    assert (letter.error_class, letter.attempts) == ("Transient", 3)
    assert things.PASSING["moody"] == 1000 - 4  # once in the batch of all, then alone


def test_an_old_version_is_read_as_the_new_one(running: Callable[..., None]) -> None:
    (new,) = happenings(new_id(), ["a"])
    value = new.value.replace(b'"number"', b'"count"')
    send([new._replace(value=value, headers=retyped(new, "kontor.tests.thing_happened.v1"))])
    running(GroupConsumer(CONTEXT))

    until(lambda: effects("record_outside") == [1])
    assert effects("record") == [1]


@pytest.mark.parametrize(
    ("change", "error_class"),
    [
        (
            lambda m: m._replace(headers=retyped(m, "kontor.tests.thing_happened.v3")),
            "UnknownVersion",
        ),
        (lambda m: m._replace(value=b'{"thing_id": "no id"}'), "Undecodable"),
        (lambda m: m._replace(value=b"\x00\xff"), "Undecodable"),
        (
            lambda m: m._replace(headers=[h for h in m.headers if h[0] != "ce_sequence"]),
            "NotAnEvent",
        ),
    ],
    ids=["unknown version", "wrong fields", "no JSON", "broken envelope"],
)
def test_what_nobody_can_read_goes_to_the_dead_letters_of_each_handler(
    running: Callable[..., None], change: Callable[[Message], Message], error_class: str
) -> None:
    (message,) = happenings(new_id(), ["a"])
    send([change(message)])
    send(happenings(new_id(), ["b"]))
    running(GroupConsumer(CONTEXT))

    letters = DeadLetter.objects.using(ALIAS).order_by("handler")
    until(lambda: len(effects("record_outside")) == 1 and letters.count() == 3)
    assert [(letter.handler, letter.error_class) for letter in letters] == [
        ("tests.record", error_class),
        ("tests.record_batch", error_class),
        ("tests.record_outside", error_class),
    ]


def test_messages_that_nobody_listens_to_are_passed_over(running: Callable[..., None]) -> None:
    ignored = ThingIgnored(thing_id=new_id(), occurred_at=NOW)
    send([message_of(*outbox_rows([ignored], key=ignored.thing_id, first_sequence=1))])
    send([Message(TOPIC, 0, 0, b"foreign", b"anything", [])])
    send(happenings(new_id(), ["a"]))
    running(GroupConsumer(CONTEXT))

    until(lambda: effects("record_outside") == [1])
    assert not DeadLetter.objects.using(ALIAS).exists()
    # The mark of the handler outside transactions follows its effect.
    until(lambda: InboxMark.objects.using(ALIAS).count() == 3)


def test_two_consumers_share_the_partitions_and_nothing_is_handled_twice(
    running: Callable[..., None],
) -> None:
    some = [new_id() for _ in range(60)]
    send(message for thing_id in some[:30] for message in happenings(thing_id, ["a"] * 5))
    running(GroupConsumer(CONTEXT))
    with thing_process("consume"):
        send(message for thing_id in some[30:] for message in happenings(thing_id, ["a"] * 5))
        until(lambda: len(effects("record")) == len(effects("record_batch")) == 300)

    for thing_id in some:
        assert effects("record", thing_id) == effects("record_batch", thing_id) == [1, 2, 3, 4, 5]


def test_an_idempotent_handler_runs_outside_any_transaction(
    running: Callable[..., None],
) -> None:
    send(happenings(new_id(), ["a", "b"]))
    running(GroupConsumer(CONTEXT))

    until(lambda: len(effects("record_outside")) == 2)
    assert things.SEEN_WITHOUT_TRANSACTION == [True, True]


def test_the_classic_protocol_does_as_well(running: Callable[..., None], settings: Any) -> None:
    settings.KAFKA_GROUP_PROTOCOL = "classic"
    send(happenings(new_id(), ["a", "b"]))
    running(GroupConsumer(CONTEXT))

    until(lambda: effects("record_outside") == [1, 2])


def test_a_group_whose_place_was_lost_handles_nothing_that_the_inbox_has_forgotten(
    running: Callable[..., None],
) -> None:
    forgotten, remembered, new = happenings(new_id(), ["a", "b", "c"])
    now = datetime.now(UTC)
    marks.mark(ALIAS, [("tests.record", id_of(remembered))], now - timedelta(days=29, hours=12))
    send([forgotten], at=now - timedelta(days=40))
    send([remembered], at=now - timedelta(days=29, hours=12))
    send([new], at=now)
    running(GroupConsumer(CONTEXT))

    until(lambda: effects("record") == [3])
    until(lambda: effects("record_batch") == [2, 3])


def test_a_new_group_begins_at_the_first_event(running: Callable[..., None]) -> None:
    send(happenings(new_id(), ["a"]), at=datetime.now(UTC) - timedelta(days=400))
    running(GroupConsumer(CONTEXT))

    until(lambda: effects("record") == [1])


def test_a_consumer_whose_database_session_is_cut_goes_on(running: Callable[..., None]) -> None:
    running(GroupConsumer(CONTEXT))
    send(happenings(new_id(), ["a"]))
    until(lambda: len(effects("record_outside")) == 1)

    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    send(happenings(new_id(), ["b", "c"]))

    until(lambda: len(effects("record_outside")) >= 3)
    until(lambda: sorted(effects("record")) == [1, 1, 2])
    assert not DeadLetter.objects.using(ALIAS).exists()


def happenings(thing_id: UUID, texts: Iterable[str], *, first: int = 1) -> list[Message]:
    events = [
        ThingHappened(
            thing_id=thing_id, number=number, text=text, occurred_at=NOW + timedelta(hours=number)
        )
        for number, text in enumerate(texts, start=first)
    ]
    return [message_of(row) for row in outbox_rows(events, key=thing_id, first_sequence=first)]


def send(messages: Iterable[Message], *, at: datetime | None = None) -> None:
    """Put messages onto their topic, as if it were that time."""
    make_topics([TOPIC])
    producer = Producer(client_settings(**{"enable.idempotence": True, "linger.ms": 0}))
    failures: list[object] = []
    for message in messages:
        producer.produce(
            topic_name(message.topic),
            message.value,
            message.key,
            headers=message.headers,
            timestamp=int(at.timestamp() * 1000) if at else 0,
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
    assert producer.flush(60) == 0
    assert failures == []


def retyped(message: Message, type_: str) -> list[Any]:
    return [(name, type_ if name == "ce_type" else value) for name, value in message.headers]


def somebody_waits_at_the_door() -> bool:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s"
            " AND NOT granted AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database()))",
            [things.DOOR],
        )
        return bool(cursor.fetchone()[0])
