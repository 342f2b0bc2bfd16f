"""`save_all()`: many changed aggregates in one statement, all of them or none."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connections
from django.test.utils import CaptureQueriesContext

from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import alias_of, atomic
from infrastructure.observability.correlation import Correlation
from infrastructure.outbox.models import OutboxMessage
from tests.support.sample.models import Parcel, Thing

pytestmark = pytest.mark.django_db

ALIAS = alias_of("orders")


def stored_parcels(count: int, now: datetime) -> list[Parcel]:
    Parcel.objects.add_all(
        [Parcel.pack(label=f"P{n}", names=[f"a{n}", f"b{n}"], now=now) for n in range(count)]
    )
    return list(Parcel.objects.order_by("pk").prefetch_related("thing_rows"))


def statements(action: Any) -> list[str]:
    with CaptureQueriesContext(connections[ALIAS]) as captured:
        action()
    return [query["sql"] for query in captured.captured_queries]


def message(name: str, now: datetime) -> OutboxMessage:
    return OutboxMessage(
        shard=0,
        event_id=Parcel().id,
        topic="t",
        key=name,
        sequence=1,
        name=name,
        event_version=1,
        occurred_at=now,
        payload="{}",
    )


def labels() -> list[str]:
    return list(Parcel.objects.order_by("pk").values_list("label", flat=True))


def test_roots_children_events_and_rows_along_are_one_statement(now: datetime) -> None:
    parcels = stored_parcels(4, now)
    parcels[0].rename("renamed", now=now)
    parcels[1].things[0].name = "mug"
    parcels[1].notes["read"] = True
    gone = parcels[2].things[1]
    parcels[2].things.remove(gone)
    parcels[2].things.append(Thing(name="tin", position=gone.position))
    parcels[3].things.append(Thing(name="lid", position=7))
    parcels[3].rename("twice", now=now)
    parcels[3].rename("thrice", now=now)
    parcels[0].write_along(message("along-0", now))
    parcels[3].write_along(message("along-3", now))

    assert len(statements(lambda: Parcel.objects.save_all(parcels[::-1]))) == 1

    found = list(Parcel.objects.order_by("pk").prefetch_related("thing_rows"))
    assert [p.label for p in found] == ["renamed", "P1", "P2", "thrice"]
    assert [p.notes for p in found] == [{}, {"read": True}, {}, {}]
    assert [[t.name for t in p.things] for p in found] == [
        ["a0", "b0"],
        ["mug", "b1"],
        ["a2", "tin"],
        ["a3", "b3", "lid"],
    ]
    assert [(p.version, p.events_recorded) for p in found] == [(2, 2), (2, 1), (2, 1), (2, 3)]
    written = OutboxMessage.objects.using(ALIAS).exclude(name="sample.parcel_packed")
    assert sorted(written.values_list("key", "sequence")) == sorted(
        [
            (str(found[0].pk), 2),
            (str(found[3].pk), 2),
            (str(found[3].pk), 3),
            ("along-0", 1),
            ("along-3", 1),
        ]
    )


def test_what_was_saved_together_can_be_saved_again(now: datetime) -> None:
    parcels = stored_parcels(3, now)
    for turn in ("x", "y"):
        for parcel in parcels:
            parcel.rename(f"{parcel.label}{turn}", now=now)
            parcel.things.append(Thing(name=turn, position=ord(turn)))
        Parcel.objects.save_all(parcels)
    found = list(Parcel.objects.order_by("pk").prefetch_related("thing_rows"))
    assert [p.label for p in found] == ["P0xy", "P1xy", "P2xy"]
    assert [len(p.things) for p in found] == [4, 4, 4]
    assert {p.version for p in found} == {3}


def test_one_stale_root_and_nothing_of_any_is_written(now: datetime) -> None:
    parcels = stored_parcels(3, now)
    winner = Parcel.objects.get(pk=parcels[1].pk)
    winner.rename("theirs", now=now)
    winner.save()
    before = OutboxMessage.objects.using(ALIAS).count()
    for parcel in parcels:
        parcel.rename(f"mine{parcel.label}", now=now)
        parcel.things.clear()
        parcel.things.append(Thing(name="new", position=9))
        parcel.write_along(message("along", now))

    with pytest.raises(ConcurrentModification):
        Parcel.objects.save_all(parcels)

    assert labels() == ["P0", "theirs", "P2"]
    assert Thing.objects.filter(name="new").count() == 0
    assert Thing.objects.count() == 6
    assert OutboxMessage.objects.using(ALIAS).count() == before
    assert [(p.version, p.events_recorded, p.has_changes) for p in parcels] == [(1, 1, True)] * 3


def test_a_refusal_of_the_database_leaves_them_ready_for_another_try(now: datetime) -> None:
    parcels = stored_parcels(2, now)
    parcels[0].rename("same", now=now)
    parcels[1].rename("same", now=now)
    with pytest.raises(IntegrityError), atomic("orders"):
        Parcel.objects.save_all(parcels)
    parcels[1].label = "other"
    Parcel.objects.save_all(parcels)
    assert labels() == ["same", "other"]


def test_the_text_depends_on_the_columns_and_not_on_the_rows(now: datetime) -> None:
    parcels = stored_parcels(6, now)

    def renamed(count: int, turn: str) -> str:
        for parcel in parcels[:count]:
            parcel.rename(f"{turn}{parcel.label}"[:20], now=now)
        with CaptureQueriesContext(connections[ALIAS]):
            texts: list[str] = []
            with connections[ALIAS].execute_wrapper(
                lambda execute, sql, params, many, context: (
                    texts.append(sql),
                    execute(sql, params, many, context),
                )[1]
            ):
                Parcel.objects.save_all(parcels[:count])
        (text,) = texts
        return text

    assert renamed(2, "x") == renamed(6, "y")
    assert '"seal"' not in renamed(3, "z")


def test_new_roots_are_added_and_not_saved(now: datetime) -> None:
    with pytest.raises(TypeError):
        Parcel.objects.save_all([Parcel.pack(label="new", names=[], now=now)])
    Parcel.objects.save_all([])
    assert labels() == []


def test_an_aggregate_knows_whether_it_has_changes(now: datetime) -> None:
    (parcel,) = stored_parcels(1, now)
    assert not parcel.has_changes
    parcel.notes["a"] = 1
    assert parcel.has_changes
    del parcel.notes["a"]
    assert not parcel.has_changes
    parcel.things[0].name = "z"
    assert parcel.has_changes
    parcel.refresh_from_db()
    first = parcel.things.pop(0)
    assert parcel.has_changes
    parcel.things.insert(0, first)
    assert not parcel.has_changes
    parcel.write_along(message("along", now))
    assert parcel.has_changes
    parcel.refresh_from_db()
    parcel.rename(parcel.label, now=now)
    assert parcel.has_changes
    parcel.save()
    assert not parcel.has_changes


@pytest.mark.django_db(transaction=True)
def test_batches_that_overlap_never_deadlock_and_lose_nothing(now: datetime) -> None:
    ids = [parcel.pk for parcel in stored_parcels(12, now)]
    won: list[int] = []

    def writer(number: int) -> None:
        try:
            for attempt in range(8):
                mine = list(Parcel.objects.filter(pk__in=ids[number : number + 8]))
                if number % 2:
                    mine.reverse()
                for parcel in mine:
                    parcel.rename(f"{number}-{attempt}-{str(parcel.pk)[-9:]}", now=now)
                try:
                    Parcel.objects.save_all(mine)
                    won.append(len(mine))
                except ConcurrentModification:
                    continue
        finally:
            connections.close_all()

    threads = [threading.Thread(target=writer, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = list(Parcel.objects.all())
    assert sum(p.version - 1 for p in found) == sum(won) > 0
    assert all(p.version == p.events_recorded for p in found)
    sequences = OutboxMessage.objects.using(ALIAS).order_by("key", "id")
    by_key: dict[str, list[int]] = {}
    for key, sequence in sequences.values_list("key", "sequence"):
        by_key.setdefault(key, []).append(sequence)
    assert all(found == list(range(1, len(found) + 1)) for found in by_key.values())


def test_of_new_roots_those_whose_ids_are_taken_are_left_out_with_all_that_is_theirs(
    now: datetime,
) -> None:
    [stored] = stored_parcels(1, now)
    parcels = [Parcel.pack(label=f"N{n}", names=[f"a{n}"], now=now) for n in range(3)]
    parcels[1].id = stored.id
    causes = {parcel.id: Correlation(correlation_id=parcel.label) for parcel in parcels}

    found: list[set[UUID]] = []
    assert (
        len(statements(lambda: found.append(Parcel.objects.add_new(parcels, causes=causes)))) == 1
    )

    assert found == [{parcels[0].id, parcels[2].id}]
    assert labels() == ["P0", "N0", "N2"]
    assert Thing.objects.count() == 4
    packed = OutboxMessage.objects.using(ALIAS).filter(correlation_id__startswith="N")
    assert {(row.key, row.correlation_id) for row in packed} == {
        (str(parcels[0].id), "N0"),
        (str(parcels[2].id), "N2"),
    }
    assert [parcel._state.adding for parcel in parcels] == [False, True, False]
    for parcel in (parcels[0], parcels[2]):
        parcel.rename(f"{parcel.label} again", now=now)
    Parcel.objects.save_all([parcels[0], parcels[2]], causes=causes)
    assert packed.filter(correlation_id="N2").count() == 2
    assert labels() == ["P0", "N0 again", "N2 again"]
