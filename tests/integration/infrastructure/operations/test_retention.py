"""What is finished goes after a while, with its faults and files; so do uploads without one."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infrastructure import tasks
from infrastructure.database.contexts import alias_of
from infrastructure.http.errors import BodyTooLarge
from infrastructure.operations import leases, services
from infrastructure.operations.models import Operation, OperationFault
from infrastructure.operations.work import Fault, Work
from infrastructure.storage import exports, imports
from tests.support.files import stored
from tests.support.operations import CONTEXT, KIND

pytestmark = pytest.mark.django_db

ALIAS = alias_of(CONTEXT)


def finished(now: datetime) -> Operation:
    key = imports.save([b"sku\n"], suffix=".csv", now=now)
    with exports.new(suffix=".csv", now=now) as new:
        new.file.write(b"sku\n")
    operation = services.start(KIND, input_file=key, actor_id=None, now=now)
    taken = leases.take(ALIAS, operation.id, now=now)
    assert taken is not None
    work = Work(taken, now=lambda: now)
    work.progress(done=1, faults=[Fault(row=1, code="bad", detail="Bad.")])
    work.finish(result_file=new.key)
    return Operation.objects.using(ALIAS).get(pk=operation.pk)


def test_a_finished_operation_is_forgotten_with_all_that_belongs_to_it(
    now: datetime, tmp_path: Path
) -> None:
    finished(now)
    recent = finished(now + timedelta(days=1))
    waiting = services.start(KIND, actor_id=None, now=now)
    assert stored(tmp_path) == 4
    assert services.forget(ALIAS, now=now + timedelta(days=30, seconds=1)) == 1
    assert set(Operation.objects.using(ALIAS)) == {recent, waiting}
    assert [fault.operation_id for fault in OperationFault.objects.using(ALIAS)] == [recent.id]
    assert stored(tmp_path) == 2
    with imports.open(recent.input_file) as file:
        assert file.read() == b"sku\n"


def test_a_file_that_is_gone_already_keeps_nothing_from_being_forgotten(
    now: datetime, settings: Any
) -> None:
    settings.OPERATION_RETENTION_DAYS = 1
    imports.delete(finished(now).input_file)
    assert services.forget(ALIAS, now=now + timedelta(days=2)) == 1
    assert OperationFault.objects.using(ALIAS).count() == 0


def test_uploads_of_long_ago_are_deleted_by_the_day(now: datetime, tmp_path: Path) -> None:
    imports.save([b"1"], suffix=".csv", now=now)
    imports.save([b"2"], suffix=".csv", now=now)
    kept = imports.save([b"3"], suffix=".csv", now=now + timedelta(days=1))
    assert imports.purge(before=(now + timedelta(days=1)).date()) == 2
    assert [str(path.relative_to(tmp_path / "imports")) for path in tmp_path.rglob("*.csv")] == [
        kept
    ]
    assert exports.purge(before=now.date()) == 0


def test_the_hourly_task_goes_over_every_database(tmp_path: Path) -> None:
    long_ago = datetime.fromisoformat("2020-01-01T00:00:00+00:00")
    finished(long_ago)
    tasks.forget_operations()
    assert (Operation.objects.using(ALIAS).count(), stored(tmp_path)) == (0, 0)


def test_a_file_is_found_under_a_key_that_nobody_guesses(now: datetime) -> None:
    first = imports.save([b"a", b"b"], suffix=".csv", now=now)
    second = imports.save([b"a", b"b"], suffix=".csv", now=now)
    assert first != second
    assert first.startswith("2026-03-02/")
    assert len(first) == len("2026-03-02/.csv") + 32
    with imports.open(first) as file:
        file.seek(1)
        assert file.read() == b"b"
    assert imports.size(first) == 2


def test_nothing_is_stored_of_what_is_too_large_or_breaks_off(
    now: datetime, tmp_path: Path
) -> None:
    with pytest.raises(BodyTooLarge):
        imports.save([b"12345", b"67890"], suffix=".csv", now=now, limit=9)

    def break_off() -> None:
        with exports.new(suffix=".csv", now=now) as new:
            new.file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert stored(tmp_path) == 0
