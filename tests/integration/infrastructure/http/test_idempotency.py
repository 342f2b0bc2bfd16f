from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.db import IntegrityError, connections

from infrastructure.database.contexts import alias_of
from infrastructure.http import idempotency
from infrastructure.http.errors import IdempotencyKeyReused
from infrastructure.http.idempotency import Duplicate, IdempotencyKey, fingerprint_of
from infrastructure.http.models import IdempotencyRecord
from infrastructure.ids import new_id
from infrastructure.outbox.models import OutboxMessage
from tests.support.sample.models import Parcel

# The sample model lives with the orders.
ALIAS_CONTEXT = "orders"


def key(
    name: str = "k", *, client: str = "actor:a", route: str = "POST x", body: object = 1
) -> IdempotencyKey:
    return IdempotencyKey(client=client, route=route, key=name, fingerprint=fingerprint_of(body))


def pack(name: str, used: IdempotencyKey, now: datetime) -> UUID:
    parcel = Parcel.pack(label=name, names=["a", "b"], now=now)
    with idempotency.duplicates():
        parcel.save(also=[used.record(parcel.pk, now)])
    return parcel.pk


@pytest.mark.django_db
def test_a_key_finds_what_it_made(now: datetime) -> None:
    alias = alias_of(ALIAS_CONTEXT)
    assert idempotency.find(alias, key()) is None
    made = pack("one", key(), now)
    assert idempotency.find(alias, key()) == made
    assert idempotency.find(alias, key("other")) is None
    assert idempotency.find(alias, key(client="actor:b")) is None
    assert idempotency.find(alias, key(route="POST y")) is None


@pytest.mark.django_db
def test_a_key_that_comes_with_another_body_is_refused(now: datetime) -> None:
    pack("one", key(body={"quantity": 1}), now)
    with pytest.raises(IdempotencyKeyReused):
        idempotency.find(alias_of(ALIAS_CONTEXT), key(body={"quantity": 2}))


@pytest.mark.django_db(transaction=True)
def test_a_second_effect_under_a_key_writes_nothing(now: datetime) -> None:
    first = pack("one", key(), now)
    with pytest.raises(Duplicate):
        pack("two", key(), now)
    assert list(Parcel.objects.values_list("pk", flat=True)) == [first]
    assert OutboxMessage.objects.using(alias_of(ALIAS_CONTEXT)).count() == 1


@pytest.mark.django_db(transaction=True)
def test_any_other_violation_stays_what_it_is(now: datetime) -> None:
    pack("one", key("a"), now)
    with pytest.raises(IntegrityError, match="label"):
        pack("one", key("b"), now)
    assert idempotency.find(alias_of(ALIAS_CONTEXT), key("b")) is None


@pytest.mark.django_db(transaction=True)
def test_of_twenty_at_once_one_has_the_effect_and_all_see_it(now: datetime) -> None:
    start = threading.Barrier(20)

    def send(number: int) -> UUID | None:
        try:
            start.wait(30)
            try:
                return pack(f"p{number}", key(), now)
            except Duplicate:
                return idempotency.find(alias_of(ALIAS_CONTEXT), key())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as threads:
        answers = set(threads.map(send, range(20)))
    assert answers == set(Parcel.objects.values_list("pk", flat=True))
    assert len(answers) == 1
    assert IdempotencyRecord.objects.using(alias_of(ALIAS_CONTEXT)).count() == 1
    assert OutboxMessage.objects.using(alias_of(ALIAS_CONTEXT)).count() == 1


@pytest.mark.django_db
def test_keys_are_forgotten_after_72_hours(now: datetime) -> None:
    alias = alias_of(ALIAS_CONTEXT)
    records = IdempotencyRecord.objects.using(alias)
    for hours in (0, 71, 72, 73, 200):
        used_at = now - timedelta(hours=hours)
        records.bulk_create([key(str(hours)).record(new_id(), used_at)])
    assert idempotency.purge(alias, now, at_most=1) == 1
    assert sorted(records.values_list("key", flat=True)) == ["0", "71", "72", "73"]
    assert idempotency.purge(alias, now) == 1
    assert sorted(records.values_list("key", flat=True)) == ["0", "71", "72"]
    assert idempotency.purge(alias, now) == 0
