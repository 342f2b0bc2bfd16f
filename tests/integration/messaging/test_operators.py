"""What operators do: replay, redrive, look, release, purge."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource
from django.core.management import CommandError, call_command

from infrastructure.events.bus import Dispatcher
from infrastructure.ids import new_id
from infrastructure.inbox import marks
from infrastructure.inbox.models import BlockedKey, DeadLetter, InboxMark
from infrastructure.kafka.client import client_settings, topic_name
from infrastructure.kafka.consumer import GroupConsumer
from infrastructure.kafka.replay import members_of
from infrastructure.kafka.topics import PARTITIONS
from infrastructure.outbox.models import OutboxMessage, ParkedMessage
from tests.integration.messaging.conftest import on_a_thread
from tests.integration.messaging.test_consumer import happenings, send
from tests.support import things
from tests.support.things import ALIAS, CONTEXT, NOW, TOPIC, effects
from tests.support.waiting import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("things_context")]


@pytest.mark.kafka
@pytest.mark.usefixtures("broker")
def test_a_replay_builds_the_rows_anew_and_no_other_handler_hears_of_it() -> None:
    thing_id = new_id()
    messages = happenings(thing_id, "abcde")
    send(messages)
    send(messages[:2])  # on the topic twice, as after a killed relay
    with on_a_thread(GroupConsumer(CONTEXT)):
        until(lambda: len(effects("record_outside")) == 5)
        with pytest.raises(CommandError, match="is running"):
            run("replay_events", "tests.record_batch")
    until(lambda: members_of(CONTEXT) == 0)

    assert run("replay_events", "tests.record_batch").splitlines()[-1].endswith("5 events handled")

    assert effects("record_batch") == [1, 2, 3, 4, 5]
    assert effects("record") == effects("record_outside") == [1, 2, 3, 4, 5]


@pytest.mark.kafka
@pytest.mark.usefixtures("broker")
def test_a_replay_of_a_time_range_touches_nothing_outside_it() -> None:
    send(happenings(new_id(), "abcde"))  # number n occurred n hours after NOW
    with on_a_thread(GroupConsumer(CONTEXT)):
        until(lambda: len(effects("record_outside")) == 5)
    until(lambda: members_of(CONTEXT) == 0)

    said = run(
        "replay_events",
        "tests.record_batch",
        since=NOW + timedelta(hours=2),
        until=NOW + timedelta(hours=4),
    )

    assert said.splitlines()[-1].endswith("2 events handled")
    assert effects("record_batch") == [1, 4, 5, 2, 3]


def test_only_a_handler_whose_rows_can_be_cleared_is_replayed() -> None:
    with pytest.raises(CommandError, match="Nothing clears the rows of"):
        run("replay_events", "tests.record")


@pytest.mark.kafka
@pytest.mark.parametrize("label", ["products.add_demand_for_products", "reporting.add_to_sales"])
def test_what_is_counted_by_day_is_not_replayed_from_within_one(label: str) -> None:
    with pytest.raises(CommandError, match="within a day"):
        run("replay_events", label, until=NOW.replace(hour=12))


def test_dead_letters_can_be_listed_shown_dropped_and_redriven() -> None:
    thing_id = set_poison_aside(["a", "poison", "c", "d"])
    failed = DeadLetter.objects.using(ALIAS).order_by("id")[0]

    listed = run("dead_letters", "list").splitlines()
    assert [line.split()[2] for line in listed[:3]] == ["tests.record"] * 3
    assert listed[0].endswith("ValueError: cannot stand poison")
    assert listed[3] == "3 open dead letters"
    assert '"text":"poison"' in run("dead_letters", "show", str(failed.event_id))
    with pytest.raises(CommandError, match="cannot be handled"):
        run("dead_letters", "redrive", "--handler", "tests.record")
    assert effects("record", thing_id) == [1]

    run("dead_letters", "drop", "tests.record", str(failed.event_id))
    assert run("dead_letters", "redrive") == "2 handled, 0 failed again\n"

    assert effects("record", thing_id) == [1, 3, 4]
    assert run("dead_letters", "list") == "0 open dead letters\n"
    assert not BlockedKey.objects.using(ALIAS).exists()
    resolutions = DeadLetter.objects.using(ALIAS).order_by("id")
    assert [letter.resolution for letter in resolutions] == ["DROPPED", "REDRIVEN", "REDRIVEN"]


def test_a_handler_that_does_not_mind_the_order_blocks_nothing() -> None:
    things.POISON.add("poison")
    dispatcher = Dispatcher(CONTEXT)
    (first, second) = happenings(new_id(), ["poison", "b"])
    work = next(w for w in dispatcher.read(first) if w.subscription.label == "tests.record_batch")
    dispatcher.set_aside(work, ValueError("x"), attempts=1)
    dispatcher.handle([second])

    assert effects("record_batch") == [2]
    assert not BlockedKey.objects.using(ALIAS).exists()


def test_a_redrive_does_not_repeat_what_was_handled_meanwhile() -> None:
    set_poison_aside(["poison"])
    letter = DeadLetter.objects.using(ALIAS).get()
    marks.mark(ALIAS, [("tests.record", letter.event_id)], NOW)

    assert run("dead_letters", "redrive") == "1 handled, 0 failed again\n"
    assert effects("record") == []


def test_parked_messages_can_be_listed_released_and_dropped() -> None:
    for number, reason in ((1, "too large"), (2, "")):
        ParkedMessage.objects.using(ALIAS).create(
            id=number, shard=0, event_id=new_id(), topic=TOPIC, key="k", sequence=number,
            name="tests.thing_happened", event_version=2, occurred_at=NOW, payload="{}",
            reason=reason, parked_at=NOW,
        )  # fmt: skip
    assert run("parked_messages", "list").splitlines() == [
        f"default  1  {TOPIC} k  tests.thing_happened 1  too large",
        f"default  2  {TOPIC} k  tests.thing_happened 2  waits",
        "2 parked messages",
    ]
    assert run("parked_messages", "drop", "1") == "dropped\n"
    assert run("parked_messages", "release", TOPIC, "k") == "1 messages are back in the outbox\n"
    assert OutboxMessage.objects.using(ALIAS).get().pk == 2
    with pytest.raises(CommandError, match="Nothing of this key"):
        run("parked_messages", "release", TOPIC, "k")


def test_marks_are_kept_for_thirty_days() -> None:
    old, young = new_id(), new_id()
    marks.mark(ALIAS, [("tests.record", old)], NOW - timedelta(days=30, seconds=1))
    marks.mark(ALIAS, [("tests.record", young)], NOW - timedelta(days=29))

    assert marks.purge(ALIAS, now=NOW) == 1
    assert InboxMark.objects.using(ALIAS).get().event_id == young


@pytest.mark.kafka
@pytest.mark.usefixtures("broker")
def test_the_topics_of_all_events_are_made_once(settings: Any) -> None:
    first, again = run("create_topics"), run("create_topics")
    contexts = ["cart", "order", "payment", "pricing", "product", "user"]
    topics = [f"{name}-events" for name in contexts]
    assert first.splitlines()[:-1] == [
        f"made {name}" for topic in topics for name in (topic, f"{topic}.dlq")
    ]
    assert again == "6 topics and their dead letter topics are in place\n"
    until(lambda: kept_for_ever("order-events") == (PARTITIONS, "-1"))


def set_poison_aside(texts: list[str]) -> UUID:
    """Handle events of one thing, in which `record` fails at "poison"."""
    things.POISON.add("poison")
    thing_id = new_id()
    dispatcher = Dispatcher(CONTEXT)
    for message in happenings(thing_id, texts):
        for work in dispatcher.read(message):
            try:
                dispatcher.handle_alone(work)
            except ValueError as error:
                dispatcher.set_aside(work, error, attempts=1)
    return thing_id


def kept_for_ever(topic: str) -> tuple[int, str]:
    admin = AdminClient(client_settings())
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic_name(topic))
    (described,) = admin.describe_configs([resource]).values()
    listed = admin.list_topics(timeout=60).topics.get(topic_name(topic))
    return len(listed.partitions) if listed else 0, described.result()["retention.ms"].value


def run(command: str, *arguments: str, **options: Any) -> str:
    said = StringIO()
    call_command(command, *arguments, stdout=said, **options)
    return said.getvalue()
