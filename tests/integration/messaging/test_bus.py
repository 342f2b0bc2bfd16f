"""From a message to the handlers' effects, without a broker."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from infrastructure.events.bus import Dispatcher
from infrastructure.ids import new_id
from infrastructure.inbox.models import BlockedKey, DeadLetter, InboxMark
from infrastructure.observability import correlation
from infrastructure.outbox.models import OutboxMessage, ParkedMessage
from tests.integration.messaging.test_consumer import happenings
from tests.support import things
from tests.support.factories.users import admin_client_of, staff
from tests.support.messaging import deliver_outbox, outbox_names, publish
from tests.support.things import ALIAS, CONTEXT, NOW, TOPIC, ThingHappened, effects

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("things_context")]


def test_a_delivered_outbox_is_empty_and_its_events_have_had_their_effects() -> None:
    thing_id = new_id()
    publish([ThingHappened(thing_id=thing_id, number=7, occurred_at=NOW)], key=thing_id)
    assert outbox_names(ALIAS) == ["tests.thing_happened"]

    assert deliver_outbox(contexts=[CONTEXT]) == 1
    assert outbox_names(ALIAS) == []
    assert [effects(h) for h in ("record", "record_batch", "record_outside")] == [[7], [7], [7]]


def test_a_failing_handler_leaves_neither_effects_nor_marks() -> None:
    things.POISON.add("poison")
    with pytest.raises(ValueError, match="cannot stand poison"):
        Dispatcher(CONTEXT).handle(happenings(new_id(), ["a", "poison", "c"]))

    assert effects("record") == effects("record_batch") == []
    assert not InboxMark.objects.using(ALIAS).exists()


def test_the_same_event_twice_in_one_batch_has_one_effect() -> None:
    messages = happenings(new_id(), ["a", "b"])
    Dispatcher(CONTEXT).handle([*messages, *messages])

    for handler in ("record", "record_batch", "record_outside"):
        assert effects(handler) == [1, 2]


def test_an_idempotent_handler_that_fails_keeps_the_marks_of_what_it_has_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    messages = happenings(new_id(), ["a", "b", "c"])
    write = things.write_effect

    def fail_at_three(handler: str, events: list[ThingHappened]) -> None:
        if handler == "record_outside" and events[0].number == 3:
            raise ValueError("no more")
        write(handler, events)

    monkeypatch.setattr(things, "write_effect", fail_at_three)
    with pytest.raises(ValueError, match="no more"):
        Dispatcher(CONTEXT).handle(messages)
    monkeypatch.undo()
    Dispatcher(CONTEXT).handle(messages)

    assert effects("record_outside") == [1, 2, 3]


def test_a_batch_is_sorted_by_key_and_keeps_the_order_within_it() -> None:
    low, high = sorted([new_id(), new_id()])
    first, second = happenings(high, ["a", "b"])
    third, fourth = happenings(low, ["a", "b"], first=10)
    Dispatcher(CONTEXT).handle([first, third, second, fourth])

    assert effects("record_batch") == [10, 11, 1, 2]


def test_what_a_handler_does_is_caused_by_the_event_and_belongs_to_its_request() -> None:
    thing_id = new_id()
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with correlation.bind(correlation_id="request-1", traceparent=traceparent):
        (row,) = publish(
            [ThingHappened(thing_id=thing_id, number=1, occurred_at=NOW)], key=thing_id
        )
    deliver_outbox(contexts=[CONTEXT])

    assert len(things.SEEN_CAUSES) == 2
    for seen in things.SEEN_CAUSES:
        assert (seen.correlation_id, seen.causation_id) == ("request-1", str(row.event_id))
        assert seen.traceparent is not None
        assert seen.traceparent[:36] == traceparent[:36]
        assert seen.traceparent != traceparent
    assert correlation.current().causation_id is None


def test_an_event_without_a_request_begins_a_chain_of_its_own() -> None:
    (message,) = happenings(new_id(), ["a"])
    Dispatcher(CONTEXT).handle([message])

    event_id = dict(message.headers)["ce_id"]
    assert [seen.correlation_id for seen in things.SEEN_CAUSES] == [event_id, event_id]


def test_a_batch_costs_four_statements_however_many_events_it_has(
    django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatcher = Dispatcher(CONTEXT)
    messages = [m for _ in range(50) for m in happenings(new_id(), ["a", "b"])]
    only_batches(dispatcher)
    with django_assert_num_queries(4, using=ALIAS):  # BEGIN, marks, effects, COMMIT
        dispatcher.handle(messages)
    assert len(effects("record_batch")) == 100


def test_staff_hands_a_dead_letter_to_its_handler_again() -> None:
    client = admin_client_of(staff("admin"))
    things.POISON.add("poison")
    dispatcher = Dispatcher(CONTEXT)
    (message,) = happenings(new_id(), ["poison"])
    work = next(w for w in dispatcher.read(message) if w.subscription.label == "tests.record")
    dispatcher.set_aside(work, ValueError("cannot stand poison"), attempts=1)
    letter = DeadLetter.objects.using(ALIAS).get()
    url = reverse("admin:platform_deadletter_changelist")
    form = {"action": "redrive", "_selected_action": [str(letter.pk)]}

    refused = client.post(url, form, follow=True).content.decode()
    assert "ValueError: cannot stand poison" in refused
    assert BlockedKey.objects.using(ALIAS).exists()

    things.POISON.clear()
    assert (
        "1 events of the key were handled" in client.post(url, form, follow=True).content.decode()
    )
    assert effects("record") == [1]


def test_staff_gives_a_parked_key_back_to_the_relay() -> None:
    client = admin_client_of(staff("admin"))
    ParkedMessage.objects.using(ALIAS).create(
        id=5, shard=0, event_id=new_id(), topic=TOPIC, key="k", sequence=1, event_version=2,
        name="tests.thing_happened", occurred_at=NOW, payload="{}", reason="large", parked_at=NOW,
    )  # fmt: skip
    client.post(
        reverse("admin:platform_parkedmessage_changelist"),
        {"action": "release", "_selected_action": ["5"]},
    )
    assert OutboxMessage.objects.using(ALIAS).get(topic=TOPIC).pk == 5


def test_staff_without_the_right_is_offered_neither() -> None:
    client = admin_client_of(staff("support"))
    for name in ("deadletter", "parkedmessage"):
        assert client.get(reverse(f"admin:platform_{name}_changelist")).status_code == 403


def only_batches(dispatcher: Dispatcher) -> None:
    """Let the dispatcher know the batch handler alone."""
    dispatcher._by_name = {
        name: [s for s in subscriptions if s.label == "tests.record_batch"]
        for name, subscriptions in dispatcher._by_name.items()
    }
