"""A trial that was confirmed: imported once, whoever confirms it, however often and how late."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domains.products.models import StockItem
from domains.products.services.imports import files
from infrastructure.database.contexts import alias_of
from infrastructure.http import idempotency
from infrastructure.ids import new_id
from infrastructure.operations import leases, running
from infrastructure.operations import services as operations
from infrastructure.operations.errors import OperationNotFound
from infrastructure.operations.models import Operation
from infrastructure.storage import imports
from tests.support.factories import products
from tests.support.files import bring, keep_files_in, stored
from tests.support.meeting import meet

pytestmark = pytest.mark.django_db

ALIAS = alias_of("products")


@pytest.fixture(autouse=True)
def _files_of_this_test(settings: Any, tmp_path: Path) -> None:
    keep_files_in(tmp_path, settings)


@pytest.fixture
def tried(now: datetime) -> Operation:
    """What brings ten more of what there are five of."""
    products.stocked({"A": 5}, now=now)
    return bring("stock", "sku,delta\nA,10\n", now=now, dry_run=True)


def read(operation: Operation) -> Operation:
    return Operation.objects.using(ALIAS).get(pk=operation.pk)


def carry_out(operation: Operation, *, now: datetime) -> None:
    mine = leases.take(ALIAS, operation.pk, now=now)
    assert mine is not None
    running.carry_out(mine, now=lambda: now)


def on_hand() -> int:
    return StockItem.objects.get(sku="A").on_hand


def imported() -> list[Operation]:
    return list(Operation.objects.using(ALIAS).filter(dry_run=False))


def test_a_second_member_of_staff_is_led_to_the_import_of_the_first(
    tried: Operation, now: datetime, tmp_path: Path
) -> None:
    one, two = new_id(), new_id()
    first = files.confirm(tried, actor_id=one, now=now)
    assert files.confirm(tried, actor_id=two, now=now) == first  # as it was read before
    assert files.confirm(read(tried), actor_id=two, now=now) == first
    assert [(each.pk, each.created_by) for each in imported()] == [(first.pk, one)]
    assert stored(tmp_path) == 2
    carry_out(first, now=now)
    assert on_hand() == 15


def test_it_is_imported_once_also_days_later(tried: Operation, now: datetime) -> None:
    actor_id = new_id()
    first = files.confirm(tried, actor_id=actor_id, now=now)
    carry_out(first, now=now)
    later = now + timedelta(days=29)
    idempotency.purge(ALIAS, later)
    assert files.confirm(read(tried), actor_id=actor_id, now=later) == first
    assert imported() == [first]
    assert on_hand() == 15


@pytest.mark.django_db(transaction=True)
def test_two_who_confirm_at_once_leave_one_import_and_its_file(
    tried: Operation, now: datetime, tmp_path: Path
) -> None:
    started = []

    def confirm() -> None:
        started.append(files.confirm(tried, actor_id=new_id(), now=now))

    # Neither knows of the other's import when it asks for its own.
    meet(confirm, confirm, after="UPDATE .platform_operation")
    assert [each.pk for each in started] == [each.pk for each in imported()] * 2
    assert stored(tmp_path) == 2
    carry_out(started[0], now=now)
    assert on_hand() == 15


def test_of_a_trial_that_is_forgotten_meanwhile_nothing_is_begun(
    tried: Operation, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = imports.save

    def copy_just_before_it_goes(*args: Any, **options: Any) -> str:
        copied = save(*args, **options)
        assert operations.forget(ALIAS, now=now + timedelta(days=30, seconds=1)) == 1
        return copied

    monkeypatch.setattr(imports, "save", copy_just_before_it_goes)
    with pytest.raises(OperationNotFound):
        files.confirm(tried, actor_id=new_id(), now=now)
    assert imported() == []
    assert stored(tmp_path) == 0
