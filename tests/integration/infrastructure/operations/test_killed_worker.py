"""A worker is killed in the middle, or told to stop: nothing is done twice, nothing left out."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.db import connections

from infrastructure import clock
from infrastructure.database.contexts import alias_of
from infrastructure.operations import leases, running, services
from infrastructure.operations.models import Operation
from infrastructure.outbox.models import OutboxMessage
from tests.support.operations import CONTEXT, DOOR, KIND, packed
from tests.support.waiting import until
from tests.support.workers import kill, worker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]

ALIAS = alias_of(CONTEXT)


@pytest.fixture(autouse=True)
def _empty_queues() -> Iterator[None]:
    broker = redis.Redis.from_url(settings.CELERY_BROKER_URL)
    names = [str(queue.name) for queue in settings.CELERY_TASK_QUEUES]
    broker.delete(*names)
    yield
    broker.delete(*names)


def working(**environment: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
    return worker(
        "tests.support.operations_worker",
        OPERATION_LEASE_SECONDS="2",
        REMAP_SIGTERM="SIGQUIT",
        **environment,
    )


@contextmanager
def door_held() -> Iterator[None]:
    """Whoever comes to the door waits inside the transaction of its batch."""
    own = connections[ALIAS].copy()
    try:
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [DOOR])
        yield
    finally:
        own.close()


def somebody_waits_at_the_door() -> bool:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            " AND objid = %s AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())",
            [DOOR],
        )
        return bool(cursor.fetchone()[0])


def start(**params: object) -> Operation:
    return services.start(KIND, params=params, actor_id=None, now=clock.now())


def read(operation: Operation) -> Operation:
    return Operation.objects.using(ALIAS).get(pk=operation.pk)


def is_over(operation: Operation) -> bool:
    return read(operation).is_finished


def require_every_row_once(operation: Operation, count: int, refused: list[int]) -> None:
    ended = read(operation)
    assert (ended.state, ended.done, ended.failed) == ("SUCCEEDED", count, len(refused))
    wanted = [number for number in range(count) if number not in refused]
    assert packed() == wanted
    # Each effect left its fact, once.
    assert OutboxMessage.objects.using(ALIAS).count() == len(wanted)
    rows = services.faults_of(operation).order_by("row_number").values_list("row_number")
    assert [row for (row,) in rows] == refused


def test_what_a_killed_worker_left_another_finishes_and_no_row_is_done_twice() -> None:
    refused = [5, 25, 35]
    with door_held(), working() as doomed:
        operation = start(count=50, refuse=refused, wait_at=20)
        until(somebody_waits_at_the_door)
        before = read(operation)
        kill(doomed)
    assert (before.state, before.done, before.failed) == ("RUNNING", 20, 1)
    # The batch that it was in has left nothing.
    until(lambda: not somebody_waits_at_the_door())
    assert packed() == [number for number in range(20) if number not in refused]

    with working():
        until(lambda: is_over_after_sweeping(operation))
    require_every_row_once(operation, 50, refused)


def is_over_after_sweeping(operation: Operation) -> bool:
    """As the beat has it done every few seconds, but for the patience with a hint."""
    services.sweep(ALIAS, now=clock.now() + timedelta(minutes=1))
    return is_over(operation)


@pytest.mark.long
def test_a_worker_that_is_told_to_stop_finishes_its_batch_and_gives_the_rest_back(
    tmp_path: Path,
) -> None:
    knows = tmp_path / "told"
    with working(TOLD_TO_STOP=str(knows)) as told:
        with door_held():
            operation = start(count=50, wait_at=20)
            until(lambda: read(operation).done == 20 and somebody_waits_at_the_door())
            told.terminate()
            until(knows.exists)
        assert told.wait(timeout=120) == 0
    given_back = read(operation)
    assert (given_back.state, given_back.done, given_back.lease_holder) == ("RUNNING", 30, None)
    assert packed() == list(range(30))

    # It has told the others itself: nobody has to sweep.
    with working():
        until(lambda: is_over(operation))
    require_every_row_once(operation, 50, [])


def test_of_two_that_come_at_once_one_runs_it() -> None:
    operation = start(count=50)
    barrier = threading.Barrier(8)
    outcomes: list[object] = []

    def come() -> None:
        try:
            barrier.wait()
            taken = leases.take(ALIAS, operation.id, now=clock.now())
            outcomes.append(taken is not None)
            if taken is not None:
                running.carry_out(taken)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=bool) == [False] * 7 + [True]
    require_every_row_once(operation, 50, [])


def test_who_was_taken_for_dead_and_wakes_up_commits_nothing() -> None:
    """The first is inside its batch's transaction when its lease runs out and a second takes
    over: its batch is undone, and every row is done once."""
    operation = start(count=50, wait_at=20)
    first = leases.take(ALIAS, operation.id, now=clock.now())
    assert first is not None

    def run() -> None:
        try:
            running.carry_out(first)
        finally:
            connections.close_all()

    with door_held():
        sleeper = threading.Thread(target=run)
        sleeper.start()
        until(somebody_waits_at_the_door)
        late = clock.now() + timedelta(seconds=settings.OPERATION_LEASE_SECONDS + 1)
        second = leases.take(ALIAS, operation.id, now=late)
        assert second is not None
    sleeper.join()
    assert (read(operation).done, packed()) == (20, list(range(20)))
    running.carry_out(second)
    require_every_row_once(operation, 50, [])
