"""An import whose worker is killed: no row is taken twice, none is left out. And its memory."""

from __future__ import annotations

import subprocess
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta

import pytest
import redis
from django.conf import settings
from django.db import connections

from domains.products.models import Listing, Price, Product, StockItem
from domains.products.services.imports import files, running
from infrastructure import clock
from infrastructure.database.contexts import alias_of
from infrastructure.operations import services
from infrastructure.operations.models import Operation
from infrastructure.outbox.models import OutboxMessage
from infrastructure.storage import imports
from tests.support.files import bring, counts, faults
from tests.support.waiting import until
from tests.support.workers import kill, worker

ALIAS = alias_of("products")


class Rows:
    """A file that is made while it is read."""

    def __init__(self, count: int, *, faulty: tuple[int, ...] = ()) -> None:
        self._lines = self._made(count, set(faulty))

    @staticmethod
    def _made(count: int, faulty: set[int]) -> Iterator[bytes]:
        yield b"external_id,sku,name,description,status,option.size,weight_g,price.EUR\n"
        for number in range(2, count + 2):
            weight = "heavy" if number in faulty else "250"
            about = "stoneware glazed by hand " * 8
            yield f"P{number},S{number},Pot {number},{about},active,M,{weight},4.50\n".encode()

    def read(self, size: int, /) -> bytes:
        return next(self._lines, b"")


def working() -> AbstractContextManager[subprocess.Popen[bytes]]:
    """A worker of products."""
    arguments = ["-A", "config", "-q", "worker", "--concurrency", "1", "--queues", "products"]
    return worker("celery", *arguments, OPERATION_LEASE_SECONDS="2")


# Held by a test, it keeps the worker inside the transaction of a batch that it has written.
DOOR = 4713
WAIT_AT_THE_DOOR = """
CREATE FUNCTION wait_at_the_door() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock({door}); RETURN NEW; END $$;
CREATE TRIGGER wait_at_the_door BEFORE UPDATE ON platform_operation FOR EACH ROW
    WHEN (NEW.done > {done} AND NEW.done > OLD.done) EXECUTE FUNCTION wait_at_the_door();
"""


@contextmanager
def stopped_after(done: int) -> Iterator[None]:
    """Whoever has done more rows of a file than these cannot say so."""
    own = connections[ALIAS].copy()
    try:
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [DOOR])
            cursor.execute(WAIT_AT_THE_DOOR.format(door=DOOR, done=done))
        yield
    finally:
        own.close()
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("DROP FUNCTION wait_at_the_door CASCADE")


def somebody_waits_at_the_door() -> bool:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            " AND objid = %s AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())",
            [DOOR],
        )
        return bool(cursor.fetchone()[0])


def read(operation: Operation) -> Operation:
    return Operation.objects.using(ALIAS).get(pk=operation.pk)


def is_over_after_sweeping(operation: Operation) -> bool:
    sweep()
    return read(operation).is_finished


@pytest.fixture
def _empty_queue() -> Iterator[None]:
    broker = redis.Redis.from_url(settings.CELERY_BROKER_URL)
    broker.delete("products")
    yield
    broker.delete("products")


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_empty_queue")
@pytest.mark.parametrize(
    ("kills", "count"), [(1, 700), pytest.param(3, 3_000, marks=pytest.mark.long)]
)
def test_what_killed_workers_left_another_finishes_exactly(kills: int, count: int) -> None:
    now = clock.now()
    # Rows of the file, the header being 1.
    faulty = [7, 507, 607, count - 1]
    received = files.receive(
        Rows(count, faulty=tuple(faulty)), kind="products", file_format="csv", now=now
    )
    operation = files.start(received, mode="upsert", dry_run=False, actor_id=None, now=now)

    done = 0
    for turn in range(1, kills + 1):
        with stopped_after(500 * turn), working() as doomed:
            until(lambda: somebody_waits_at_the_door() or sweep())
            done = read(operation).done
            kill(doomed)
        # What the batch had written is gone with it.
        refused = sum(row - 1 <= done for row in faulty)
        until(lambda d=done, r=refused: Product.objects.count() == d - r)
        assert (read(operation).state, done) == ("RUNNING", 500 * turn)
    assert done < count

    with working():
        until(lambda: is_over_after_sweeping(operation))
    ended = read(operation)
    wanted = count - len(faulty)
    assert counts(ended) == (wanted, 0, 0, len(faulty))
    assert (ended.done, ended.failed) == (count, len(faulty))
    assert faults(ended) == [(row, "weight_g", "invalid_type") for row in faulty]
    assert Product.objects.count() == StockItem.objects.count() == wanted
    assert Price.objects.count() == Listing.objects.count() == wanted
    assert set(Product.objects.values_list("version", "events_recorded")) == {(1, 1)}
    names = OutboxMessage.objects.using(ALIAS).values_list("name", flat=True)
    assert (
        sorted(names) == ["products.price_changed"] * wanted + ["products.product_created"] * wanted
    )


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_one_file_at_once_make_everything_once() -> None:
    """Both find nothing and begin to make it; the second then finds what the first one made."""
    now = clock.now()
    barrier = threading.Barrier(2)
    ended: list[Operation] = []

    def run() -> None:
        try:
            received = files.receive(Rows(300), kind="products", file_format="csv", now=now)
            barrier.wait()
            ended.append(files.run_now(received, mode="upsert", dry_run=False))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [faults(operation) for operation in ended] == [[], []]
    assert sorted(counts(operation) for operation in ended) == [(0, 0, 300, 0), (300, 0, 0, 0)]
    assert Product.objects.count() == StockItem.objects.count() == Price.objects.count() == 300
    assert OutboxMessage.objects.using(ALIAS).count() == 600


def sweep() -> None:
    """As the beat has it done every few seconds, but for the patience with a hint."""
    services.sweep(ALIAS, now=clock.now() + timedelta(minutes=1))


# Memory


def peak_of(rows: int, now: datetime) -> int:
    """Bytes that Python held at most while a new file of so many rows was imported."""
    received = files.receive(Rows(rows), kind="products", file_format="csv", now=now)
    tracemalloc.start()
    try:
        operation = services.run_now(
            files.KIND,
            params={"kind": "products", "format": "csv"},
            input_file=received.key,
            dry_run=True,
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        received.discard()
    assert counts(operation) == (rows, 0, 0, 0)
    return peak


@pytest.mark.django_db(transaction=True)
def test_memory_does_not_grow_with_the_file(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "BATCH", 50)
    bring("products", "sku,name\nWARM,Warm\n", now=now)
    peak_of(100, now)
    few, many = peak_of(100, now), peak_of(400, now)
    # A number per product and one per SKU are remembered, to find what occurs twice.
    assert many - few < 300 * 1_000


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.django_db(transaction=True)
def test_fifty_thousand_rows_take_no_more_memory_than_a_few_batches(now: datetime) -> None:
    bring("products", "sku,name\nWARM,Warm\n", now=now)
    peak_of(500, now)
    few, many = peak_of(1_000, now), peak_of(50_000, now)
    assert many - few < 50_000 * 300
    assert many < 64 * 1024 * 1024


def test_a_file_is_received_in_little_memory(now: datetime) -> None:
    tracemalloc.start()
    try:
        received = files.receive(Rows(20_000), kind="products", file_format="csv", now=now)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert received.byte_size > 4_000_000
    assert imports.size(received.key) == received.byte_size
    assert peak < 3_000_000
    received.discard()
