"""Exports: what is written is read again, byte for byte."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext

from domains.products.errors import UnknownFilter
from domains.products.models import Category, Product
from domains.products.queries import exports as queries
from domains.products.services import exports as services
from domains.products.services import price_lists, warehouses
from infrastructure.database.contexts import alias_of, atomic
from infrastructure.ids import new_id
from infrastructure.operations import leases
from infrastructure.operations import services as operations
from infrastructure.operations.models import Operation
from infrastructure.operations.running import carry_out
from infrastructure.operations.work import Work
from infrastructure.storage import exports
from tests.support.files import bring, counts, faults, keep_files_in, stored, take, written

pytestmark = pytest.mark.django_db

KINDS = ("product-types", "categories", "products", "prices", "stock")

TYPES = (
    '{"code":"cup","name":"Cup","attributes":['
    '{"code":"glaze","name":"Glaze","kind":"choice","filterable":true,'
    '"choices":[{"code":"a-b","name":"A|B"},{"code":"c","name":"=C"}]},'
    '{"code":"volume","name":"Volume","names":{"de":"Inhalt"},"kind":"number","unit":"ml",'
    '"level":"variant"},'
    '{"code":"safe","name":"Safe","kind":"boolean"},'
    '{"code":"since","name":"Since","kind":"date"},'
    '{"code":"uses","name":"Uses","kind":"multi_choice",'
    '"choices":[{"code":"tea","name":"Tea"},{"code":"x_y","name":"X"}]}]}\n'
    '{"code":"bare","name":"Bare"}\n'
)
CATEGORIES = (
    '{"external_id":"b|1","name":"Below","parent":"external:a","description":"-dash"}\n'
    '{"external_id":"a","name":"@home","texts":{"fr":{"name":"Chez soi","seo_title":"=1"}}}\n'
    '{"slug":"plain","name":"Plain","parent":"external:a","position":"Uzzzz"}\n'
)
PRODUCTS = (
    '{"external_id":"P|1","name":"=cmd|calc","description":"two\\nlines, \\"quoted\\"\\r\\n\\\\N",'
    '"status":"active","product_type":"cup","categories":["plain","external:b|1"],'
    '"attributes":{"glaze":"a-b","safe":false,"since":"2020-02-29","uses":["tea","x_y"]},'
    '"texts":{"de":{"name":"\'=Tasse","description":"\\\\N"}},'
    '"variants":[{"sku":"C-1","barcode":"4006381333931","options":{"Größe, \\"L\\"":"+1"},'
    '"attributes":{"volume":0.25},"weight_g":0,"prices":{"EUR":"4.50","JPY":"500"}},'
    '{"sku":"C-2","external_id":"-v","name":"Second","options":{"Größe, \\"L\\"":"2"},'
    '"attributes":{"volume":300},"length_mm":1,"width_mm":2,"height_mm":3,"tax_class":"reduced",'
    '"unit":"g","retired":true}]}\n'
    '{"slug":"no-id","name":"No id","variants":[{"sku":"D"}]}\n'
    '{"external_id":"old","name":"Old","status":"archived","variants":[{"sku":"O"}]}\n'
)


@pytest.fixture
def files(now: datetime) -> Iterator[dict[tuple[str, str], bytes]]:
    """A catalogue with everything that is hard to write, exported; none of it is there any more."""
    with atomic("products"):
        fill(now)
        found = {
            (kind, file_format): take(kind, now=now, file_format=file_format)
            for kind in KINDS
            for file_format in ("csv", "jsonl")
        }
        transaction.set_rollback(True, using=alias_of("products"))
    with atomic("products"):
        lists(now)
        yield found


def fill(now: datetime) -> None:
    lists(now)
    assert faults(bring("product-types", TYPES, now=now, file_format="jsonl")) == []
    assert faults(bring("categories", CATEGORIES, now=now, file_format="jsonl")) == []
    assert faults(bring("products", PRODUCTS, now=now, file_format="jsonl")) == []
    soon, late = ((now + timedelta(days=days)).isoformat() for days in (2, 9))
    prices = (
        "sku,currency,amount,price_list,kind,min_quantity,valid_from,valid_until\n"
        "C-1,EUR,4.00,,,10,,\n"
        f"C-1,EUR,3.50,,sale,1,,{late}\n"
        f"C-1,EUR,3.00,,sale,1,{soon},{late}\n"
        f"C-1,EUR,4.60,,,1,{soon},\n"
        "D,EUR,1.00,wholesale,,,,\n"
    )
    assert faults(bring("prices", prices, now=now)) == []
    stock = "sku,warehouse,on_hand\nC-1,,5\nC-1,north,7\nD,,0\n"
    assert faults(bring("stock", stock, now=now)) == []


def lists(now: datetime) -> None:
    price_lists.create_price_list(code="wholesale", name="Wholesale", currency="EUR", now=now)
    warehouses.open_warehouse(code="north", name="North", now=now)


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_into_an_empty_catalogue_and_out_again_it_is_the_same_bytes(
    now: datetime, files: dict[tuple[str, str], bytes], file_format: str
) -> None:
    assert Product.objects.count() == Category.objects.count() == 0
    for kind in KINDS:
        done = bring(kind, files[kind, file_format], now=now, file_format=file_format)
        assert faults(done) == [], kind
    for kind in KINDS:
        assert take(kind, now=now, file_format=file_format) == files[kind, file_format], kind


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_into_the_same_catalogue_it_changes_nothing(now: datetime, file_format: str) -> None:
    fill(now)
    before = written()
    for kind in KINDS:
        exported = take(kind, now=now, file_format=file_format)
        done = bring(kind, exported, now=now, file_format=file_format)
        created, changed, unchanged, failed = counts(done)
        assert (created, changed, failed, faults(done)) == (0, 0, 0, []), kind
        assert unchanged > 0
    assert written() == before


def test_no_cell_is_a_formula(now: datetime) -> None:
    fill(now)
    for kind in KINDS:
        text = take(kind, now=now).decode()
        cells = {cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row}
        assert [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r")] == []
        assert len(cells) > 5


def test_filters_choose_what_is_exported(now: datetime) -> None:
    fill(now)

    def slugs(**filters: Any) -> list[str]:
        lines = take("products", now=now, file_format="jsonl", **filters).splitlines()
        return [line.split(b'"slug":"')[1].split(b'"')[0].decode() for line in lines]

    assert slugs() == ["cmd-calc", "no-id"]
    assert slugs(status=["archived"]) == ["old"]
    assert slugs(product_type="cup") == ["cmd-calc"]
    assert slugs(updated_since=(now + timedelta(days=1)).isoformat()) == []
    assert take("prices", now=now, price_list="wholesale").decode().splitlines()[1:] == [
        "D,EUR,1.00,wholesale,regular,1,,"
    ]
    assert take("stock", now=now, warehouse="north").decode().splitlines() == [
        "sku,warehouse,on_hand",
        "C-1,north,7",
        "C-2,north,0",
        "D,north,0",
    ]


def test_what_is_over_has_done_all_of_its_rows(now: datetime) -> None:
    fill(now)
    seen: list[tuple[int, int | None]] = []
    done = services.run_now(
        kind="prices",
        file_format="csv",
        filters={"price_list": "wholesale"},
        on_progress=lambda work: seen.append((work.done, work.total)),
    )
    assert (done.done, done.total, done.result) == (1, 1, {"rows": 1})
    # Every price there is was counted beforehand.
    assert (seen[0], seen[-1]) == ((0, 7), (1, 1))


def test_which_type_comes_behind_another_is_for_the_database_to_say(now: datetime) -> None:
    """It sorts them, and by which rules it compares texts nobody else knows."""
    fill(now)
    connection = connections[alias_of("products")]
    with CaptureQueriesContext(connection) as asked:
        behind = list(queries.pages("product-types", after="bare", now=now, filters={}))
    assert [row["code"] for page in behind for row in page.rows] == ["cup"]
    assert '"products_producttype"."code" > ' in asked[0]["sql"]


@pytest.mark.django_db(transaction=True)
def test_an_export_that_is_handed_back_goes_on_where_it_was(now: datetime) -> None:
    rows = "".join(f"{n:04},Pot\n" for n in range(1_200))
    bring("products", "sku,name\n" + rows, now=now)
    whole = take("products", now=now)

    operation = services.start(
        kind="products", file_format="csv", filters={}, actor_id=None, now=now
    )
    runs = 0
    while True:
        runs += 1
        # Each run may say once how far it has come.
        signs = iter([False, False, True])
        mine = taken(operation, now)
        if not carry_out(mine, now=lambda: now, must_rest=lambda s=signs: next(s, True)):
            break
    done = operations.find(operation.id)
    assert done is not None
    assert (done.state, done.result, runs > 2) == (Operation.State.SUCCEEDED, {"rows": 1200}, True)
    with exports.open(done.result_file) as file:
        assert file.read() == whole


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_over", [False, True])
def test_an_export_killed_at_its_end_loses_nothing(
    now: datetime, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, is_over: bool
) -> None:
    """Before or after the word that it is over, while what it was made of is still there."""
    keep_files_in(tmp_path, settings)
    operation = in_parts(now)
    finish, delete = Work.finish, exports.delete

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    if is_over:
        monkeypatch.setattr(exports, "delete", killed)
    else:
        monkeypatch.setattr(Work, "finish", killed)
    with pytest.raises(Killed):
        carry_out(taken(operation, now), now=lambda: now)
    monkeypatch.setattr(Work, "finish", finish)
    monkeypatch.setattr(exports, "delete", delete)

    later = now + timedelta(minutes=1)
    if not is_over:
        carry_out(taken(operation, later), now=lambda: later)
    done = operations.find(operation.pk)
    assert done is not None
    assert (done.state, done.result) == (Operation.State.SUCCEEDED, {"rows": 1200})
    with exports.open(done.result_file) as file:
        assert file.read() == take("products", now=now)


@pytest.mark.django_db(transaction=True)
def test_who_has_lost_an_export_takes_none_of_it_away(
    now: datetime, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_files_in(tmp_path, settings)
    operation = in_parts(now)
    late = taken(operation, now)
    finish = Work.finish

    def finish_late(work: Work, **said: Any) -> None:
        """Meanwhile somebody else has taken the operation over."""
        monkeypatch.setattr(Work, "finish", finish)
        later = now + timedelta(minutes=1)
        others.append(taken(operation, later))
        finish(work, **said)

    others: list[Operation] = []
    monkeypatch.setattr(Work, "finish", finish_late)
    carry_out(late, now=lambda: now)
    carry_out(others[0], now=lambda: now + timedelta(minutes=1))
    done = operations.find(operation.pk)
    assert done is not None
    assert (done.state, done.result) == (Operation.State.SUCCEEDED, {"rows": 1200})
    with exports.open(done.result_file) as file:
        assert file.read() == take("products", now=now)


@pytest.mark.django_db(transaction=True)
def test_of_an_export_in_parts_only_the_whole_is_kept(
    now: datetime, tmp_path: Path, settings: Any
) -> None:
    keep_files_in(tmp_path, settings)
    operation = in_parts(now)
    assert stored(tmp_path / exports.name) == len(operation.checkpoint["parts"])
    carry_out(taken(operation, now), now=lambda: now)
    assert stored(tmp_path / exports.name) == 1


def in_parts(now: datetime) -> Operation:
    """An export of 1200 products that was handed back several times."""
    rows = "".join(f"{n:04},Pot\n" for n in range(1_200))
    bring("products", "sku,name\n" + rows, now=now)
    operation = services.start(
        kind="products", file_format="csv", filters={}, actor_id=None, now=now
    )
    for _ in range(2):
        # Each run may say once how far it has come.
        signs = iter([False, False, True])
        carry_out(taken(operation, now), now=lambda: now, must_rest=lambda s=signs: next(s, True))
    found = operations.find(operation.pk)
    assert found is not None
    assert len(found.checkpoint["parts"]) == 2
    return found


def taken(operation: Operation, now: datetime) -> Operation:
    found = leases.take(alias_of("products"), operation.pk, now=now)
    assert found is not None
    return found


class Killed(BaseException):
    pass


def test_a_kind_has_only_its_own_filters(now: datetime) -> None:
    with pytest.raises(UnknownFilter) as refused:
        services.start(
            kind="stock",
            file_format="csv",
            filters={"currency": "EUR", "warehouse": "main"},
            actor_id=new_id(),
            now=now,
        )
    assert [error.pointer for error in refused.value.errors] == ["/currency"]
