"""What a dry run tells of what it would change."""

from __future__ import annotations

from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from domains.products.services.imports import running
from infrastructure.database.contexts import alias_of
from tests.support.files import bring, counts, keep_files_in, written
from tests.support.imports import CATEGORIES, load_all

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_files(settings: Any, tmp_path: Path) -> None:
    keep_files_in(tmp_path, settings)


@pytest.fixture
def loaded(now: datetime) -> datetime:
    load_all(now)
    return now + timedelta(hours=1)


_FIELD = ("part", "field", "old", "new")


def tried(kind: str, content: str, *, now: datetime, **more: Any) -> list[Any]:
    """Row, name, outcome and fields of each change; nothing else was changed."""
    before = written()
    operation = bring(kind, content, now=now, dry_run=True, **more)
    assert written() == before
    assert counts(operation)[3] == 0
    return [
        (
            change["row"],
            change["name"],
            change["outcome"],
            [tuple(field[name] for name in _FIELD) for field in change["fields"]],
        )
        for change in operation.result["changes"]
    ]


def test_products_tell_of_their_fields_variants_and_prices(loaded: datetime) -> None:
    content = (
        "external_id,sku,name,status,categories,attr.material,name.de,option.size,weight_g,barcode,"
        "price.EUR\n"
        "H1,H1-S,Hoody,draft,external:tops,cotton,\\N,,305,,49.00\n"
        "H1,H1-M,,,,,,,,\\N,52.00\n"
        "H1,H1-L,,,,,,L,320,,52.00\n"
        "N1,N1,New,,,,,,,,1.00\n"
        "C1,C1,Cap,,,,,,,,9.90\n"
    )
    assert tried("products", content, now=loaded) == [
        (
            *(2, "H1", "changed"),
            [
                ("", "status", "active", "draft"),
                ("", "name", "Hoodie", "Hoody"),
                ("", "categories", "external:hood|external:tops", "external:tops"),
                ("", "attr.material", "wool", "cotton"),
                ("", "name.de", "Kapuze", None),
                ("H1-S", "weight_g", "300", "305"),
                ("H1-S", "price.EUR", "52.00", "49.00"),
                ("H1-M", "barcode", "4006381333931", None),
                ("H1-L", "sku", None, "H1-L"),
            ],
        ),
        (5, "N1", "created", []),
    ]


def test_categories_tell_of_where_they_lie(loaded: datetime) -> None:
    content = "external_id,name,parent,name.de\nhood,Hoodies,\\N,Kapuzen\nnew,New,external:tops,\n"
    [(*change, fields), new] = tried("categories", content, now=loaded)
    assert change == [2, "hood", "changed"]
    assert [field for field in fields if field[1] != "position"] == [
        ("", "name.de", None, "Kapuzen"),
        ("", "parent", "external:tops", None),
    ]
    assert new == (3, "new", "created", [])


def test_a_category_tells_of_a_parent_that_an_earlier_batch_made(
    loaded: datetime, monkeypatch: Any
) -> None:
    monkeypatch.setattr(running, "BATCH", 1)
    content = "external_id,name,parent\nnew,New,\nhood,,external:new\n"
    new, (*_, fields) = tried("categories", content, now=loaded)
    assert new == (2, "new", "created", [])
    assert ("", "parent", "external:tops", "external:new") in fields


def test_product_types_tell_of_their_attributes(loaded: datetime) -> None:
    content = (
        '{"code": "top", "name": "Tops", "attributes": ['
        '{"code": "material", "name": "Material", "kind": "choice", "required": true,'
        ' "choices": [{"code": "wool", "name": "Wool"}, {"code": "cotton", "name": "Cotton"},'
        ' {"code": "silk", "name": "Silk"}]},'
        '{"code": "climate", "name": "Climate", "kind": "multi_choice",'
        ' "choices": [{"code": "cool", "name": "Cool"}, {"code": "hot", "name": "Hot"}]},'
        '{"code": "layers", "name": "Layers", "kind": "number"},'
        '{"code": "sleeve", "name": "Sleeve", "kind": "number", "unit": "cm", "level": "variant"},'
        '{"code": "washable", "name": "Washable", "kind": "boolean", "level": "variant"},'
        '{"code": "colour", "name": "Colour", "kind": "text"}]}\n'
    )
    assert tried("product-types", content, now=loaded, file_format="jsonl") == [
        (
            *(1, "top", "changed"),
            [
                ("", "name", "Top", "Tops"),
                ("material", "choices", "wool=Wool|cotton=Cotton", _WITH_SILK),
                ("colour", "attribute", None, "colour"),
            ],
        )
    ]


_WITH_SILK = "wool=Wool|cotton=Cotton|silk=Silk"


def test_prices_tell_what_is_asked_now_and_later(loaded: datetime) -> None:
    content = (
        "sku,currency,amount,kind,min_quantity,valid_from,valid_until\n"
        "H1-S,EUR,50.00,,,,\n"
        "C1,EUR,8.00,sale,,,2026-04-01T00:00:00Z\n"
        "C1,EUR,9.00,,10,2026-05-01T00:00:00Z,\n"
        "C1,EUR,9.90,,,,\n"
    )
    assert tried("prices", content, now=loaded) == [
        (2, "H1-S", "changed", [("EUR", "amount", "52.00", "50.00")]),
        *[
            (3, "C1", "changed", [("EUR, sale", "amount", None, _SALE)]),
            (4, "C1", "changed", [("EUR, from 10", "amount", None, _LATER)]),
        ],
    ]


_SALE = "8.00 until 2026-04-01T00:00:00+00:00"
_LATER = "9.00 from 2026-05-01T00:00:00+00:00"


def test_rows_about_the_same_count_are_one_change(loaded: datetime) -> None:
    assert counts(bring("stock", "sku,on_hand\nC1,4\n", now=loaded)) == (0, 1, 0, 0)
    content = "sku,on_hand,delta\nC1,,3\nH1-S,7,\nC1,,-2\nH1-M,0,\n"
    assert tried("stock", content, now=loaded) == [
        (2, "C1", "changed", [("main", "on_hand", "4", "5")]),
        (3, "H1-S", "changed", [("main", "on_hand", "0", "7")]),
    ]


def test_long_texts_are_cut_around_what_changes(loaded: datetime) -> None:
    old, new = "a" * 5_000 + "old" + "z" * 500, "a" * 5_000 + "new" + "z" * 500
    assert counts(bring("products", f"sku,description\nC1,{old}\n", now=loaded))[1] == 1
    [(*_, fields)] = tried("products", f"sku,description\nC1,{new}\n", now=loaded)
    start, end = "…" + "a" * 19, "z" * 76 + "…"
    assert fields == [("", "description", f"{start}old{end}", f"{start}new{end}")]


def test_only_the_first_changes_are_kept_and_looked_at(now: datetime, monkeypatch: Any) -> None:
    monkeypatch.setattr(running, "BATCH", 20)
    content = "sku,name\n" + "".join(f"S{n},Thing {n}\n" for n in range(70))
    bring("products", content, now=now)
    content = content.replace("Thing", "Object")
    operation = bring("products", content, now=now, dry_run=True)
    assert counts(operation) == (0, 70, 0, 0)
    changes = operation.result["changes"]
    assert [change["row"] for change in changes] == list(range(2, 52))
    assert changes[49]["fields"] == [
        {"part": "", "field": "name", "old": "Thing 49", "new": "Object 49"}
    ]


def test_many_fields_of_one_thing_are_counted(loaded: datetime) -> None:
    texts = ("name", "description", "seo_title", "seo_description")
    names = [*texts, *(f"{name}.de" for name in texts), "weight_g", "length_mm", "width_mm"]
    content = f"sku,{','.join(names)}\nC1,{','.join('7' * len(names))}\n"
    operation = bring("products", content, now=loaded, dry_run=True)
    [change] = operation.result["changes"]
    assert (len(change["fields"]), change["fields_left_out"]) == (10, 1)


def test_only_a_dry_run_looks_and_never_row_by_row(loaded: datetime) -> None:
    def statements(content: str, *, dry_run: bool) -> int:
        with CaptureQueriesContext(connections[alias_of("products")]) as captured:
            operation = bring("products", content, now=loaded, dry_run=dry_run)
        assert counts(operation)[1] == content.count("\n") - 1
        assert ("changes" in operation.result) == dry_run
        return sum("products_" in query["sql"] for query in captured)

    one, two = "sku,name\nC1,A\n", "sku,name\nC1,B\nH1-S,B\n"
    more = [
        statements(content, dry_run=True) - statements(content, dry_run=False)
        for content in (one, two)
    ]
    # Before and after: products, three parts of them, and their prices in two.
    assert more == [12, 12]


def test_the_command_tells_them(loaded: datetime, tmp_path: Path) -> None:
    file, out = tmp_path / "stock.csv", StringIO()
    file.write_text("sku,on_hand\nC1,4\nH1-S,0\n")
    call_command("import_catalogue", "stock", file, dry_run=True, stdout=out, stderr=StringIO())
    assert out.getvalue().splitlines()[1:] == [
        "  row 2 C1: changed",
        "    main on_hand: 0 → 4",
    ]


def test_the_operation_tells_them_by_themselves_and_not_in_lists(
    staff: Client, loaded: datetime
) -> None:
    def sent(dry_run: str) -> Any:
        path = f"/api/v1/imports/categories?dry_run={dry_run}"
        content = CATEGORIES.replace("Hoodies", "Hoods")
        return staff.post(path, content, content_type="text/csv").json()

    answer = sent("true")
    assert answer["changes"] == [
        {
            "row": 2,
            "name": "hood",
            "outcome": "changed",
            "fields": [{"part": "", "field": "name", "old": "Hoodies", "new": "Hoods"}],
            "fields_left_out": 0,
        }
    ]
    assert "changes" not in answer["result"]
    assert staff.get(answer["links"]["self"]).json()["changes"] == answer["changes"]
    [listed] = staff.get("/api/v1/operations?limit=1").json()["items"]
    assert (listed["id"], listed["changes"]) == (answer["id"], None)
    assert sent("false")["changes"] is None
