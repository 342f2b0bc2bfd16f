"""Files that take longer than a worker's turn: the turns together come to what one run comes to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from domains.products.services.imports import running as imports_running
from infrastructure.database.contexts import alias_of
from infrastructure.operations import running, services
from infrastructure.operations.models import Operation
from infrastructure.storage import exports, imports
from tests.support.files import bring, counts, faults, take, written

pytestmark = pytest.mark.django_db

ALIAS = alias_of("products")
KINDS = ("product-types", "categories", "products", "prices", "stock")

# Each has seven things, of which the fourth is at fault; the fifth needs what the third makes.
FILES = {
    "product-types": "code,name,attribute,attribute_name,kind\n"
    + "".join(f"t{n},T{n},size,Size,{'heap' if n == 4 else 'text'}\n" for n in range(1, 8)),
    "categories": "external_id,name,parent\n"
    + "".join(
        f"c{n},C{n},{ {4: 'external:none', 5: 'external:c3'}.get(n, '') }\n" for n in range(1, 8)
    ),
    "products": "external_id,sku,name,price.EUR\n"
    + "".join(f"p{n},P{n},Pot {n},{'x' if n == 4 else '4.50'}\n" for n in range(1, 8)),
    "prices": "sku,currency,amount\n"
    + "".join(f"{'NONE' if n == 4 else f'S{n}'},EUR,{n}.00\n" for n in range(1, 8)),
    "stock": "sku,on_hand\n"
    + "".join(f"{'NONE' if n == 4 else f'S{n}'},{n}\n" for n in range(1, 8)),
}
# The row and the place of the fault; the header is row 1.
FAULT = {
    "product-types": (5, "kind"),
    "categories": (5, "parent"),
    "products": (5, "price.EUR"),
    "prices": (5, "sku"),
    "stock": (5, "sku"),
}


@pytest.fixture(autouse=True)
def _short_turns(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.OPERATION_SLICE_SECONDS = 0
    monkeypatch.setattr(imports_running, "BATCH", 2)
    monkeypatch.setattr(services, "hint", lambda *_: None)


def turns(operation: Operation) -> Iterator[Operation]:
    """How it stands after each turn of a worker."""
    for _ in range(20):
        goes_on = running.run_for_a_while(ALIAS, operation.id)
        yield Operation.objects.using(ALIAS).get(pk=operation.pk)
        if not goes_on:
            return
    raise AssertionError("It does not end.")


def start(kind: str, *, now: datetime, dry_run: bool = False) -> Operation:
    return services.start(
        "products.import",
        params={"kind": kind, "format": "csv", "mode": "upsert"},
        input_file=imports.save([FILES[kind].encode()], suffix=".csv", now=now),
        dry_run=dry_run,
        actor_id=None,
        now=now,
    )


def stock_up(kind: str, now: datetime) -> None:
    """What the rows of a file speak of, where it does not make them itself."""
    if kind in ("prices", "stock"):
        rows = "".join(f"S{n},Pot {n}\n" for n in range(1, 8))
        bring("products", "sku,name\n" + rows, now=now)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_ends_however_short_the_turns_are(kind: str, now: datetime) -> None:
    stock_up(kind, now)
    *before, ended = turns(start(kind, now=now))

    # Each turn makes one batch.
    assert [operation.done for operation in before] == [2, 4, 6]
    done = 6 if kind in ("product-types", "categories", "products") else 0
    assert counts(ended) == (done, 6 - done, 0, 1)
    assert (ended.done, ended.total, ended.failed, ended.attempts) == (7, 7, 1, 0)
    assert [(row, pointer) for row, pointer, _ in faults(ended)] == [FAULT[kind]]
    again = bring(kind, FILES[kind], now=now)
    assert counts(again) == (0, 0, 6, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_trial_ends_likewise_and_finds_the_same(kind: str, now: datetime) -> None:
    stock_up(kind, now)
    before = written()
    *unfinished, tried = turns(start(kind, now=now, dry_run=True))

    # A tree is tried in one go: what its batches make is kept in memory.
    assert len(unfinished) == (0 if kind == "categories" else 3)
    assert written() == before
    *_, ended = turns(start(kind, now=now))
    changes = tried.result.pop("changes")
    assert (tried.result, faults(tried)) == (ended.result, faults(ended))
    others = [row for row in range(2, 9) if row != FAULT[kind][0]]
    assert sorted(change["row"] for change in changes) == others
    assert (tried.done, tried.failed) == (7, 1)


def test_a_trial_of_a_tree_begins_again_where_its_worker_stopped(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = start("categories", now=now, dry_run=True)
    signs = iter([False, False, False, False, True])
    monkeypatch.setattr(running.stopping, "is_stopping", lambda: next(signs, False))
    stopped, ended = turns(operation)
    assert (stopped.state, stopped.done) == ("RUNNING", 6)
    assert counts(ended) == (6, 0, 0, 1)
    assert (ended.done, ended.failed) == (7, 1)
    assert faults(ended) == [(5, "parent", "unknown_category")]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", KINDS)
def test_an_export_ends_however_short_the_turns_are(
    kind: str, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("product-types", "categories", "products"):
        bring(name, FILES[name], now=now)
    whole = take(kind, now=now)
    monkeypatch.setattr("domains.products.queries.exports.PAGE", 2)
    operation = services.start(
        "products.export",
        params={"kind": kind, "format": "csv", "filters": {}},
        actor_id=None,
        now=now,
    )
    *before, ended = turns(operation)
    assert (ended.state, ended.result) == ("SUCCEEDED", {"rows": 6})
    assert len(before) >= 2
    with exports.open(ended.result_file) as file:
        assert file.read() == whole
