"""Operations: how they are run, resumed, cancelled, and what becomes of their faults."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
import redis
from celery import current_app
from django.conf import settings
from django.db import transaction
from django.test.utils import CaptureQueriesContext

from infrastructure import tasks
from infrastructure.database.contexts import alias_of, connection_at
from infrastructure.http.idempotency import Duplicate, IdempotencyKey
from infrastructure.ids import new_id
from infrastructure.operations import leases, running, services
from infrastructure.operations.models import Operation, OperationFault
from infrastructure.operations.work import Cancelled, Fault, HandedBack, LostLease, Work
from infrastructure.outbox.models import OutboxMessage
from tests.support.operations import CONTEXT, KIND, SCOPE, packed
from tests.support.sample.models import Parcel

pytestmark = pytest.mark.django_db(transaction=True)

ALIAS = alias_of(CONTEXT)
State = Operation.State


def start(now: datetime, **params: Any) -> Operation:
    options = {name: params.pop(name) for name in ("dry_run", "actor_id") if name in params}
    return services.start(KIND, params=params, now=now, **{"actor_id": None, **options})


def taken(operation: Operation, now: datetime) -> Operation:
    found = leases.take(ALIAS, operation.id, now=now)
    assert found is not None
    return found


def same(moment: datetime) -> datetime:
    return moment


def read(operation: Operation) -> Operation:
    return Operation.objects.using(ALIAS).get(pk=operation.pk)


def faults(operation: Operation) -> list[tuple[int, str, str]]:
    rows = services.faults_of(operation).order_by("row_number", "pointer")
    return list(rows.values_list("row_number", "pointer", "code"))


@pytest.fixture
def broker() -> Iterator[Any]:
    found = redis.Redis.from_url(settings.CELERY_BROKER_URL)
    names = [str(queue.name) for queue in settings.CELERY_TASK_QUEUES]
    found.delete(*names)
    yield found
    found.delete(*names)


def test_it_runs_to_its_end_and_says_how_it_went(now: datetime) -> None:
    operation = start(now, count=25, refuse=[3, 4, 20])
    assert (operation.state, operation.scope, operation.context) == ("QUEUED", SCOPE, "orders")
    assert running.carry_out(taken(operation, now), now=lambda: now) is False
    ended = read(operation)
    assert (ended.state, ended.total, ended.done, ended.failed) == ("SUCCEEDED", 25, 25, 3)
    assert (ended.result, ended.checkpoint) == ({"packed": 22}, {"next": 25})
    assert (ended.started_at, ended.finished_at, ended.lease_holder) == (now, now, None)
    assert faults(operation) == [(n, "/label", "fragile") for n in (3, 4, 20)]
    assert packed() == [n for n in range(25) if n not in (3, 4, 20)]


def test_a_progress_is_one_statement_with_or_without_faults(now: datetime) -> None:
    work = Work(taken(start(now, count=1), now), now=lambda: now)
    with CaptureQueriesContext(connection_at(ALIAS)) as queries:
        work.progress(done=1, total=5, checkpoint={"row": 1})
    assert len(queries) == 1
    with CaptureQueriesContext(connection_at(ALIAS)) as queries:
        work.progress(done=2, faults=[Fault(row=2, code="bad", detail="Bad.")])
    assert len(queries) == 1
    assert (work.done, work.total, work.failed, work.checkpoint) == (2, 5, 1, {"row": 1})
    stored = read(work.operation)
    assert (stored.done, stored.total, stored.failed) == (2, 5, 1)
    assert stored.lease_until == now + timedelta(seconds=settings.OPERATION_LEASE_SECONDS)


def test_a_fault_that_is_told_again_is_not_doubled(now: datetime) -> None:
    work = Work(taken(start(now, count=1), now), now=lambda: now)
    told = [
        Fault(row=7, code="bad", detail="Bad.", pointer="/sku"),
        Fault(row=7, code="worse", detail="Worse.", pointer="/name"),
        Fault(row=7, code="bad", detail="Bad.", pointer="/sku"),
    ]
    work.progress(done=1, faults=told)
    work.progress(done=1, faults=told)
    assert faults(work.operation) == [(7, "/name", "worse"), (7, "/sku", "bad")]
    assert (read(work.operation).failed, read(work.operation).faults_kept) == (1, 2)


def test_faults_beyond_the_limit_are_counted_only(now: datetime) -> None:
    operation = taken(start(now, count=1), now)
    Operation.objects.using(ALIAS).filter(pk=operation.pk).update(faults_kept=9_998)
    work = Work(operation, now=lambda: now)
    work.progress(done=5, faults=[Fault(row=n, code="bad", detail="Bad.") for n in range(5)])
    work.progress(done=7, faults=[Fault(row=n, code="bad", detail="Bad.") for n in (5, 6)])
    assert [row for row, _, _ in faults(operation)] == [0, 1]
    stored = read(operation)
    assert (stored.failed, stored.faults_kept, stored.faults_left_out) == (7, 10_000, 5)


def test_a_dry_run_writes_nothing_but_what_it_found(now: datetime) -> None:
    operation = start(now, count=25, refuse=[3], dry_run=True)
    running.carry_out(taken(operation, now), now=lambda: now)
    assert packed() == []
    assert OutboxMessage.objects.using(ALIAS).count() == 0
    ended = read(operation)
    assert (ended.state, ended.done, ended.failed) == ("SUCCEEDED", 25, 1)
    assert faults(operation) == [(3, "/label", "fragile")]


def test_what_waits_is_cancelled_at_once_and_never_runs(now: datetime) -> None:
    operation = services.cancel(start(now, count=5), now=now)
    assert (operation.state, operation.finished_at) == ("CANCELLED", now)
    assert leases.take(ALIAS, operation.id, now=now) is None
    assert services.cancel(operation, now=now + timedelta(hours=1)).finished_at == now


def test_what_runs_is_cancelled_after_its_batch(now: datetime) -> None:
    operation = taken(start(now, count=40), now)

    def cancel_at_20(work: Work) -> None:
        if work.done == 20:
            asked = services.cancel(read(operation), now=now)
            assert (asked.state, asked.cancel_requested_at) == ("RUNNING", now)

    # It is asked for after the statement of the second batch, so that of the third learns it.
    running.carry_out(operation, now=lambda: now, on_progress=cancel_at_20)
    ended = read(operation)
    assert (ended.state, ended.done, ended.finished_at) == ("CANCELLED", 30, now)
    assert packed() == list(range(30))


def test_outside_a_transaction_progress_itself_says_that_it_is_cancelled(now: datetime) -> None:
    work = Work(taken(start(now, count=30), now), now=lambda: now)
    services.cancel(read(work.operation), now=now)
    with pytest.raises(Cancelled):
        work.progress(done=10)
    assert read(work.operation).done == 10


def test_a_holder_that_was_replaced_writes_nothing_more(now: datetime) -> None:
    first = taken(start(now, count=30), now)
    late = now + timedelta(seconds=settings.OPERATION_LEASE_SECONDS)
    assert leases.take(ALIAS, first.id, now=late - timedelta(seconds=1)) is None
    second = taken(first, late)
    assert first.lease_holder != second.lease_holder

    work = Work(first, now=lambda: late)

    def do_a_batch() -> None:
        with work.transaction():
            with work.effects():
                Parcel.pack(label="p999", names=["string"], now=now).save()
            work.progress(done=30, faults=[Fault(row=1, code="bad", detail="Bad.")])

    with pytest.raises(LostLease):
        do_a_batch()
    with pytest.raises(LostLease):
        work.finish()
    leases.give_back(first, now=late)
    leases.postpone(first, until=late)
    assert running.carry_out(first, now=lambda: late) is False
    assert (packed(), faults(first)) == ([], [])
    stored = read(first)
    assert (stored.state, stored.done, stored.lease_holder) == ("RUNNING", 0, second.lease_holder)


def test_a_run_that_must_rest_ends_after_its_batch_and_another_goes_on(now: datetime) -> None:
    operation = start(now, count=30)
    turns = iter([False, False, False, True])
    assert running.carry_out(taken(operation, now), now=lambda: now, must_rest=lambda: next(turns))
    rested = read(operation)
    assert (rested.state, rested.done, rested.lease_holder) == ("RUNNING", 10, None)
    running.carry_out(taken(operation, now), now=lambda: now)
    ended = read(operation)
    assert (ended.state, ended.done, ended.attempts) == ("SUCCEEDED", 30, 0)
    assert packed() == list(range(30))


def test_go_on_tells_a_body_without_batches_to_rest(now: datetime) -> None:
    work = Work(taken(start(now, count=1), now), now=lambda: now, must_rest=lambda: True)
    with work.transaction():
        work.progress(done=1)
    with pytest.raises(HandedBack):
        work.go_on()
    assert read(work.operation).done == 1


def test_a_refusal_ends_it_with_its_code(now: datetime) -> None:
    operation = start(now, count=1, fail="refusal")
    running.carry_out(taken(operation, now), now=lambda: now)
    ended = read(operation)
    assert (ended.state, ended.error_code, ended.error_detail) == (
        "FAILED",
        "no_paper",
        "The paper is used up.",
    )


def test_an_unforeseen_fault_ends_it_and_tells_nothing_of_the_inside(now: datetime) -> None:
    operation = start(now, count=1, fail="bug")
    running.carry_out(taken(operation, now), now=lambda: now)
    ended = read(operation)
    assert (ended.state, ended.error_code) == ("FAILED", "internal_error")
    assert "hunter2" not in ended.error_detail


def test_what_will_pass_is_tried_again_later_and_given_up_after_five_times(now: datetime) -> None:
    operation = start(now, count=1, fail="transient")
    for attempt in range(1, 6):
        begun = now + timedelta(seconds=10 * attempt)
        assert running.carry_out(taken(operation, begun), now=partial(same, begun)) is False
        waiting = read(operation)
        assert (waiting.state, waiting.attempts) == ("RUNNING", attempt)
        assert leases.take(ALIAS, operation.id, now=begun) is None
    late = now + timedelta(seconds=60)
    running.carry_out(taken(operation, late), now=lambda: late)
    assert (read(operation).state, read(operation).error_code) == ("FAILED", "gave_up")


def test_a_used_key_starts_nothing(now: datetime) -> None:
    key = IdempotencyKey(client="c", route="POST /x", key="k", fingerprint=b"1" * 32)
    first = services.start(KIND, actor_id=None, now=now, idempotency=key)
    with pytest.raises(Duplicate):
        services.start(KIND, actor_id=None, now=now, idempotency=key)
    assert list(Operation.objects.using(ALIAS).values_list("id", flat=True)) == [first.id]


def test_a_worker_is_told_after_the_commit_and_not_before(now: datetime, broker: Any) -> None:
    with transaction.atomic(using=ALIAS):
        start(now, count=1)
        assert broker.llen("orders") == 0
    assert broker.llen("orders") == 1


def test_without_a_broker_it_waits_to_be_swept(
    now: datetime, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away:
        away.setattr(current_app.conf, "broker_write_url", "redis://127.0.0.1:9/0")
        away.setattr(current_app.amqp, "_producer_pool", None)
        operation = start(now, count=1)
    assert (read(operation).state, broker.llen("orders")) == ("QUEUED", 0)
    assert services.sweep(ALIAS, now=now + services.PATIENCE) == 1
    assert broker.llen("orders") == 1


def test_the_task_runs_what_it_is_told_of_and_only_once(now: datetime) -> None:
    operation = start(now, count=5)
    for _ in range(2):
        tasks.run_operation(operation_id=str(operation.id), context="orders")
    assert read(operation).state == "SUCCEEDED"
    assert packed() == list(range(5))


def test_the_sweeper_tells_of_what_nobody_has_taken_up_or_one_has_lost(
    now: datetime, broker: Any
) -> None:
    waiting, running_, lost = (start(now, count=1) for _ in range(3))
    services.cancel(start(now, count=1), now=now)
    later = now + timedelta(minutes=1)
    taken(lost, now)
    taken(running_, later)
    broker.delete("orders")
    assert services.sweep(ALIAS, now=now + timedelta(seconds=29)) == 0
    assert services.sweep(ALIAS, now=later) == 2
    assert broker.llen("orders") == 2
    # They count as told now.
    assert services.sweep(ALIAS, now=later + timedelta(seconds=29)) == 0
    assert {read(waiting).hinted_at, read(lost).hinted_at} == {later}
    assert read(running_).hinted_at == now


def test_run_now_runs_here_and_tells_each_step(now: datetime) -> None:
    seen: list[tuple[int, int | None]] = []
    actor = new_id()
    operation = services.run_now(
        KIND,
        params={"count": 25},
        actor_id=actor,
        clock=lambda: now,
        on_progress=lambda work: seen.append((work.done, work.total)),
    )
    assert (operation.state, operation.created_by, operation.done) == ("SUCCEEDED", actor, 25)
    assert seen == [(0, 25), (10, 25), (20, 25), (25, 25)]


def test_ctrl_c_cancels_what_runs_here(now: datetime) -> None:
    operation = services.run_now(KIND, params={"count": 1, "fail": "ctrl-c"}, clock=lambda: now)
    assert operation.state == "CANCELLED"


def test_a_kind_that_nobody_registered_is_not_started(now: datetime) -> None:
    with pytest.raises(LookupError, match=r"orders\.unheard_of"):
        services.start("orders.unheard_of", actor_id=None, now=now)
    assert OperationFault.objects.using(ALIAS).count() == 0
