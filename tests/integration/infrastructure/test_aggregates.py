"""`save()` as one statement: what it writes, what it refuses, and what a race leaves."""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DataError, IntegrityError, connections, models
from django.test.utils import CaptureQueriesContext

from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import alias_of
from infrastructure.outbox.models import OutboxMessage
from infrastructure.outbox.publisher import shard_of
from tests.support.sample.models import Parcel, Thing

pytestmark = pytest.mark.django_db

ALIAS = alias_of("orders")


def messages() -> list[OutboxMessage]:
    return list(OutboxMessage.objects.using(ALIAS).order_by("id"))


def statements(action: Any) -> list[str]:
    with CaptureQueriesContext(connections[ALIAS]) as captured:
        action()
    return [query["sql"] for query in captured.captured_queries]


def test_a_new_aggregate_with_children_and_events_is_one_statement(now: datetime) -> None:
    parcel = Parcel.pack(label="A", names=["cup", "pot"], now=now)

    assert len(statements(parcel.save)) == 1

    stored = Parcel.objects.get()
    assert (stored.version, stored.events_recorded) == (1, 1)
    assert [thing.name for thing in stored.things] == ["cup", "pot"]
    (message,) = messages()
    assert message.name == "sample.parcel_packed"
    assert message.topic == "sample-events"
    assert message.key == str(parcel.id)
    assert message.shard == shard_of(message.key)
    assert message.sequence == 1
    assert message.occurred_at == now
    assert message.payload == '{"items":2}'


def test_a_change_is_based_on_the_version_that_is_there_or_on_whichever(now: datetime) -> None:
    parcel = Parcel.pack(label="A", names=[], now=now)
    parcel.save()

    parcel.require_version(1)
    parcel.require_version(None)
    with pytest.raises(ConcurrentModification) as refused:
        parcel.require_version(2)
    assert refused.value.detail == "The parcel is at version 1, not 2."


def test_every_kind_of_field_survives_the_round_trip(now: datetime) -> None:
    values: dict[str, Any] = {
        "weight": Decimal("12.345"),
        "notes": {"däs": [1, None, {"ü": True}]},
        "tags": ["a,b", 'c"d'],
        "takes": timedelta(days=2, seconds=3, microseconds=4),
        "origin": "2001:db8::1",
        "due_date": date(2026, 2, 28),
        "seal": bytes(range(256)),
        "fragile": True,
    }
    parcel = Parcel.pack(label="Größe 'x' %s", names=[], now=now, **values)
    parcel.save()

    stored = Parcel.objects.get()
    for name, value in values.items():
        found = getattr(stored, name)
        assert (bytes(found) if name == "seal" else found) == value, name
    assert stored.packed_at == now
    assert stored.created_at is not None


def test_only_what_changed_is_written(now: datetime) -> None:
    parcel = Parcel.pack(label="A", names=["cup", "pot", "jug"], now=now)
    parcel.save()
    stored = Parcel.objects.prefetch_related("thing_rows").get()
    before = stored.updated_at

    stored.rename("B", now=now)
    cup, pot, jug = stored.things
    cup.name = "mug"
    stored.things.remove(pot)
    stored.things.append(Thing(name="tin", position=pot.position))
    (sql,) = statements(stored.save)

    assert '"seal"' not in sql
    stored = Parcel.objects.get()
    assert (stored.label, stored.version, stored.events_recorded) == ("B", 2, 2)
    assert [thing.name for thing in stored.things] == ["mug", "tin", "jug"]
    assert stored.things[2].pk == jug.pk
    assert stored.updated_at > before
    assert [(m.sequence, m.payload) for m in messages()] == [
        (1, '{"items":3}'),
        (2, '{"label":"B"}'),
    ]


def test_a_second_save_of_the_same_object_continues_where_the_first_ended(now: datetime) -> None:
    parcel = Parcel.pack(label="A", names=["cup"], now=now)
    parcel.save()
    parcel.rename("B", now=now)
    parcel.things.append(Thing(name="pot", position=1))
    parcel.save()

    assert [m.sequence for m in messages()] == [1, 2]
    assert [thing.name for thing in Parcel.objects.get().things] == ["cup", "pot"]


def test_a_stale_save_writes_nothing_at_all(now: datetime) -> None:
    Parcel.pack(label="A", names=["cup"], now=now).save()
    stale, winner = Parcel.objects.get(), Parcel.objects.get()
    winner.rename("B", now=now)
    winner.save()

    stale.rename("C", now=now)
    stale.things.clear()
    stale.things.append(Thing(name="tin", position=0))
    also = Parcel.pack(label="other", names=[], now=now)
    with pytest.raises(ConcurrentModification) as refused:
        stale.save(also=[OutboxMessage(**_message_fields(now))])

    assert refused.value.status == 412
    stored = Parcel.objects.get()
    assert stored.label == "B"
    assert [thing.name for thing in stored.things] == ["cup"]
    assert [m.sequence for m in messages()] == [1, 2]
    assert (stale.version, stale.events_recorded) == (1, 1)
    assert also.version == 0


def test_a_refreshed_aggregate_is_as_the_database_has_it(now: datetime) -> None:
    Parcel.pack(label="A", names=["cup", "pot"], now=now).save()
    mine, theirs = Parcel.objects.prefetch_related("thing_rows").get(), Parcel.objects.get()
    theirs.things = theirs.things[:1]
    theirs.rename("B", now=now)
    theirs.save()
    mine.things.append(Thing(name="unsaved", position=7))
    mine.rename("C", now=now)

    mine.refresh_from_db()

    assert (mine.label, mine.version, [thing.name for thing in mine.things]) == ("B", 2, ["cup"])
    mine.things.append(Thing(name="lid", position=1))
    mine.save()
    stored = Parcel.objects.get()
    assert [thing.name for thing in stored.things] == ["cup", "lid"]
    assert [message.name for message in messages()] == [
        "sample.parcel_packed",
        "sample.parcel_renamed",
    ]


def test_reading_a_deferred_field_forgets_no_change(now: datetime) -> None:
    Parcel.pack(label="A", names=["cup"], now=now).save()
    parcel = Parcel.objects.defer("notes").get()
    parcel.rename("B", now=now)
    parcel.things.append(Thing(name="lid", position=1))

    assert parcel.notes == {}
    parcel.notes["read"] = True
    parcel.save()

    stored = Parcel.objects.get()
    assert (stored.label, stored.notes, len(stored.things)) == ("B", {"read": True}, 2)
    assert messages()[1].name == "sample.parcel_renamed"


def test_rows_written_along_exist_exactly_if_the_save_succeeded(now: datetime) -> None:
    parcel = Parcel.pack(label="A", names=[], now=now)
    (sql,) = statements(lambda: parcel.save(also=[OutboxMessage(**_message_fields(now))]))

    assert sql.count("INSERT INTO") == 3
    assert {m.name for m in messages()} == {"sample.parcel_packed", "along"}


def test_a_refusal_of_the_database_keeps_the_events_for_another_try(now: datetime) -> None:
    Parcel.pack(label="A", names=[], now=now).save()
    taken = Parcel.pack(label="A", names=[], now=now)
    with pytest.raises(IntegrityError), _savepoint():
        taken.save()
    taken.label = "B"
    taken.save()

    assert [m.sequence for m in messages() if m.key == str(taken.pk)] == [1]


def test_a_text_that_is_too_long_is_refused_and_not_cut(now: datetime) -> None:
    with pytest.raises(DataError), _savepoint():
        Parcel.pack(label="x" * 21, names=[], now=now).save()
    assert Parcel.objects.count() == 0


def test_expressions_are_refused_with_a_clear_error(now: datetime) -> None:
    parcel = Parcel.pack(label="A", names=[], now=now)
    parcel.version = models.F("version") + 0
    with pytest.raises(TypeError):
        parcel.save()


def test_many_new_aggregates_are_one_statement_and_keep_their_own_children(now: datetime) -> None:
    parcels = [Parcel.pack(label=f"P{n}", names=[f"a{n}", f"b{n}"], now=now) for n in range(5)]
    parcels[3].rename("renamed", now=now)

    assert len(statements(lambda: Parcel.objects.add_all(parcels))) == 1

    for number, parcel in enumerate(parcels):
        stored = Parcel.objects.get(pk=parcel.pk)
        assert [thing.name for thing in stored.things] == [f"a{number}", f"b{number}"]
    assert [m.sequence for m in messages() if m.key == str(parcels[3].pk)] == [1, 2]
    assert len(messages()) == 6


def test_writes_around_an_aggregate_are_refused(now: datetime) -> None:
    parcel = Parcel.pack(label="A", names=["cup"], now=now)
    parcel.save()
    for write in (
        lambda: Parcel.objects.update(label="x"),
        lambda: Parcel.objects.all().delete(),
        lambda: Parcel.objects.create(label="x"),
        lambda: Parcel.objects.bulk_create([]),
        lambda: parcel.delete(),
        lambda: parcel.things[0].save(),
        lambda: parcel.things[0].delete(),
        lambda: Thing.objects.update(name="x"),
        lambda: parcel.save(update_fields=["label"]),
    ):
        with pytest.raises(TypeError):
            write()
    assert Parcel.objects.get().label == "A"


@pytest.mark.django_db(transaction=True)
def test_under_a_race_sequence_and_version_have_no_gap(now: datetime) -> None:
    parcel = Parcel.pack(label="A", names=[], now=now)
    parcel.save()
    won = []

    def writer(number: int) -> None:
        for attempt in range(10):
            mine = Parcel.objects.get(pk=parcel.pk)
            mine.rename(f"{number}-{attempt}", now=now)
            try:
                mine.save()
                won.append(1)
            except ConcurrentModification:
                continue
        connections.close_all()

    threads = [threading.Thread(target=writer, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    stored = Parcel.objects.get()
    assert stored.version == stored.events_recorded == 1 + len(won)
    assert [m.sequence for m in messages()] == list(range(1, 2 + len(won)))


def _message_fields(now: datetime) -> dict[str, Any]:
    from uuid import UUID

    return {
        "shard": 0,
        "event_id": UUID(int=1),
        "topic": "t",
        "key": "k",
        "sequence": 1,
        "name": "along",
        "event_version": 1,
        "occurred_at": now,
        "payload": "{}",
    }


def _savepoint() -> Any:
    from django.db import transaction

    return transaction.Atomic(using=ALIAS, savepoint=True, durable=False)
