"""The routes and commands of imports and exports."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.http import HttpResponse
from django.test import Client

from domains.products.models import Product
from domains.products.tasks import upsert_products
from infrastructure.auth.actor import Actor
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from infrastructure.operations import leases, services
from infrastructure.operations.errors import OperationNotFound
from infrastructure.operations.models import Operation
from infrastructure.operations.running import carry_out
from infrastructure.storage import imports
from tests.support.files import bring

pytestmark = pytest.mark.django_db

PRODUCTS = "external_id,sku,name,price.EUR\nP1,P1,Pot,4.50\nP2,P2,Pan,x\n"
Post = Callable[..., HttpResponse]


@pytest.fixture
def post(staff: Client) -> Post:
    def send(kind: str, content: str | bytes, media: str = "text/csv", **headers: Any) -> Any:
        query = headers.pop("query", "")
        return staff.post(
            f"/api/v1/imports/{kind}{query}",
            data=content if isinstance(content, bytes) else content.encode(),
            content_type=media,
            headers=headers,
        )

    return send


def work_off(operation_id: str) -> Operation:
    """What a worker does."""
    alias = alias_of("products")
    found = services.find(operation_id)  # type: ignore[arg-type]
    assert found is not None
    taken = leases.take(alias, found.id, now=found.created_at)
    assert taken is not None
    carry_out(taken)
    done = services.find(found.id)
    assert done is not None
    return done


def test_a_small_file_is_imported_at_once(post: Post, staff: Client) -> None:
    answer = post("products", PRODUCTS)
    body = answer.json()
    assert (answer.status_code, body["state"], body["kind"]) == (
        200,
        "SUCCEEDED",
        "products.import",
    )
    assert body["result"] == {
        "created": 1,
        "changed": 0,
        "unchanged": 0,
        "failed": 1,
        "rows": 2,
        "faulty_rows": 1,
    }
    faults = staff.get(body["links"]["faults"]).json()["items"]
    assert [(f["row"], f["pointer"], f["code"]) for f in faults] == [(3, "price.EUR", "bad_format")]
    assert Product.objects.count() == 1


def test_a_file_for_a_worker_waits_for_it(post: Post) -> None:
    answer = post("products", PRODUCTS, prefer="respond-async")
    assert answer.status_code == 202
    assert answer["Preference-Applied"] == "respond-async"
    assert answer["Location"] == answer.json()["links"]["self"]
    assert Product.objects.count() == 0
    assert work_off(answer.json()["id"]).state == "SUCCEEDED"
    assert Product.objects.count() == 1


def test_a_large_file_is_for_a_worker(post: Post, settings: Any) -> None:
    settings.IMPORT_SYNC_BYTES = len(PRODUCTS) - 1
    assert post("products", PRODUCTS).status_code == 202


def test_a_key_is_good_for_one_import(post: Post) -> None:
    first = post("products", PRODUCTS, idempotency_key="monday")
    again = post("products", PRODUCTS, idempotency_key="monday")
    other = post("products", PRODUCTS + "P3,P3,Jug,1\n", idempotency_key="monday")
    assert (first.status_code, again.status_code, other.status_code) == (200, 200, 422)
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert (first.json()["state"], first.json()["result"]["created"]) == ("SUCCEEDED", 1)
    assert first.json() == again.json()
    assert Operation.objects.using(alias_of("products")).count() == 1


def test_a_key_is_good_for_one_import_by_a_worker(post: Post) -> None:
    sent = {"idempotency_key": "monday", "prefer": "respond-async"}
    first, again = (post("products", PRODUCTS, **sent) for _ in range(2))
    # Who no more prefers to wait is told how it stands, and it is not imported here as well.
    impatient = post("products", PRODUCTS, idempotency_key="monday")
    assert [answer.status_code for answer in (first, again, impatient)] == [202, 202, 202]
    assert again["Idempotency-Replayed"] == impatient["Idempotency-Replayed"] == "true"
    assert first.json()["id"] == again.json()["id"] == impatient.json()["id"]
    assert Product.objects.count() == 0
    assert work_off(first.json()["id"]).state == "SUCCEEDED"
    done = post("products", PRODUCTS, idempotency_key="monday")
    assert (done.status_code, done.json()["state"]) == (200, "SUCCEEDED")


def test_a_trial_says_what_would_be(post: Post) -> None:
    body = post("products", PRODUCTS, query="?dry_run=true").json()
    assert (body["dry_run"], body["result"]["created"], body["result"]["failed"]) == (True, 1, 1)
    assert Product.objects.count() == 0


def test_gzip_and_json_lines_are_taken(post: Post) -> None:
    line = json.dumps({"external_id": "P1", "name": "Pot", "variants": [{"sku": "P1"}]}).encode()
    packed = gzip.compress(line, mtime=0) + gzip.compress(b"\n" + line.replace(b"P1", b"P2"))
    answer = post("products", packed, "application/x-ndjson", content_encoding="gzip")
    assert answer.json()["result"]["created"] == 2
    assert sorted(Product.objects.values_list("external_id", flat=True)) == ["P1", "P2"]


@pytest.mark.parametrize(
    ("kind", "content", "headers", "status", "code"),
    [
        ("things", PRODUCTS, {}, 404, "unknown_kind"),
        ("products", "sku,colour\nA,red\n", {}, 400, "invalid_header"),
        ("products", b"no gzip", {"content_encoding": "gzip"}, 400, "unreadable_file"),
        (
            "products",
            gzip.compress(PRODUCTS.encode(), mtime=0)[:-9],
            {"content_encoding": "gzip"},
            400,
            "unreadable_file",
        ),
        ("products", PRODUCTS, {"content_encoding": "br"}, 415, "unsupported_media_type"),
        ("products", PRODUCTS, {"query": "?mode=replace"}, 400, "invalid_parameters"),
    ],
)
def test_what_cannot_be_an_import_is_refused_before_anything_is_kept(
    post: Post, kind: str, content: str | bytes, headers: dict[str, Any], status: int, code: str
) -> None:
    answer = post(kind, content, **headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert Operation.objects.using(alias_of("products")).count() == 0


def test_a_file_may_have_so_many_bytes_and_unpacked_no_more(
    post: Post, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.IMPORT_MAX_BYTES = 10_000
    bomb = gzip.compress(b"sku,name\n" + b"a" * 5_000_000, mtime=0)
    assert len(bomb) < 10_000
    assert post("products", bomb, content_encoding="gzip").status_code == 413
    assert post("products", b"sku,name\n" + b"a" * 10_000).status_code == 413


def test_other_media_types_are_refused(post: Post) -> None:
    answer = post("products", "{}", "application/json")
    assert (answer.status_code, answer["Accept"]) == (415, "text/csv, application/x-ndjson")


def test_who_may_not_write_may_not_import(customer: Client) -> None:
    for path in ("/api/v1/imports/products", "/api/v1/exports/products", "/api/v1/products/bulk"):
        answer = customer.post(path, data=b"{}", content_type="text/csv")
        assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


def test_stock_needs_the_scope_of_the_inventory(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No role has the one scope without the other; somebody may make one."""
    monkeypatch.setattr(Actor, "may", lambda actor, scope: not scope.startswith("inventory."))
    for path, sent in (
        ("/api/v1/imports/stock", {"data": b"sku,on_hand\nP1,4\n", "content_type": "text/csv"}),
        ("/api/v1/exports/stock", {"data": {}, "content_type": "application/json"}),
    ):
        answer = staff.post(path, **sent)
        assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


def test_what_tells_of_stock_is_shown_to_the_scopes_of_the_inventory(
    staff: Client, post: Post, now: datetime
) -> None:
    bring("products", PRODUCTS, now=now)
    post("stock", "sku,on_hand,change_from\nP1,4,3\n")
    post("prices", "sku,currency,amount\nP1,EUR,5.00\n")
    staff.post("/api/v1/exports/stock", data={}, content_type="application/json")
    staff.post("/api/v1/exports/prices", data={}, content_type="application/json")

    alias = alias_of("products")
    of_kind = {
        (operation.kind.partition(".")[2], operation.params["kind"]): operation
        for operation in Operation.objects.using(alias)
    }
    scopes = {named: operation.scope for named, operation in of_kind.items()}
    assert scopes == {
        ("import", "products"): "catalogue.write",
        ("import", "prices"): "catalogue.write",
        ("import", "stock"): "inventory.write",
        ("export", "prices"): "catalogue.read",
        ("export", "stock"): "inventory.read",
    }

    def seen_with(*held: str) -> set[tuple[str, str]]:
        asks = Actor(id=new_id(), scopes=frozenset(held))
        shown = set()
        for named, operation in of_kind.items():
            with suppress(OperationNotFound):
                shown.add((named, services.seen_by(asks, operation.id)))
        listed = services.visible_to(alias, actor_id=asks.id, scopes=asks.scopes)
        assert set(listed) == {operation for _, operation in shown}
        return {named for named, _ in shown}

    assert seen_with("catalogue.read", "catalogue.write") == {
        ("import", "products"),
        ("import", "prices"),
        ("export", "prices"),
    }
    assert seen_with("inventory.read") == {("export", "stock")}
    assert seen_with("inventory.write") == {("import", "stock")}


# Exports


def test_an_export_is_an_operation_with_a_file(staff: Client, now: datetime) -> None:
    bring("products", PRODUCTS, now=now)
    answer = staff.post(
        "/api/v1/exports/products", data={"format": "csv"}, content_type="application/json"
    )
    assert answer.status_code == 202
    assert answer.json()["links"]["result"] is None
    assert work_off(answer.json()["id"]).state == "SUCCEEDED"
    done = staff.get(answer["Location"]).json()
    file = staff.get(done["links"]["result"])
    assert file["Content-Type"].startswith("text/csv")
    lines = b"".join(file).decode().splitlines()  # type: ignore[call-overload]
    assert lines[0].startswith("external_id,slug,sku,name,")
    assert lines[1].startswith("P1,pot,P1,Pot,")
    assert len(lines) == 2


def test_a_filter_of_another_kind_is_refused(staff: Client) -> None:
    answer = staff.post(
        "/api/v1/exports/stock", data={"currency": "EUR"}, content_type="application/json"
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_filter")
    assert answer.json()["errors"][0]["pointer"] == "/currency"
    assert (
        staff.post("/api/v1/exports/things", data={}, content_type="application/json").status_code
        == 404
    )


# Bulk


def test_products_in_bulk_are_created_changed_and_refused_each_by_itself(
    staff: Client, now: datetime
) -> None:
    bring("products", PRODUCTS, now=now)
    items = [
        {"external_id": "P1", "name": "Pot", "variants": [{"sku": "P1"}]},
        {"external_id": "P1-again", "variants": [{"sku": "P1"}]},
        {"external_id": "N", "name": "New", "variants": [{"sku": "N", "prices": {"EUR": "1.00"}}]},
        {"external_id": "M", "variants": [{"sku": "M"}]},
        {"slug": "pot", "seo_title": "Pots"},
        {"external_id": "B", "name": "", "variants": [{"sku": "B"}]},
        {"external_id": "C", "name": "Cup", "variants": [{"sku": "C", "weight_g": "heavy"}]},
        {"external_id": "D", "name": "  ", "variants": [{"sku": "D"}]},
    ]
    answer = staff.post(
        "/api/v1/products/bulk", data={"items": items}, content_type="application/json"
    )
    assert answer.status_code == 200
    assert [(i["status"], i.get("code"), i.get("pointer")) for i in answer.json()["items"]] == [
        ("unchanged", None, None),
        ("failed", "repeated_sku", "/variants/0/sku"),
        ("created", None, None),
        ("failed", "required", "/name"),
        ("updated", None, None),
        ("failed", "too_short", "/name"),
        ("failed", "invalid_type", "/variants/0/weight_g"),
        ("failed", "bad_format", "/name"),
    ]
    assert Product.objects.get(slug="pot").seo_title == "Pots"


def test_many_products_become_an_operation(staff: Client) -> None:
    items = [
        {"external_id": f"P{n}", "name": "Pot", "variants": [{"sku": f"P{n}"}]} for n in range(101)
    ]
    answer = staff.post(
        "/api/v1/products/bulk", data={"items": items}, content_type="application/json"
    )
    assert answer.status_code == 202
    assert answer.json()["kind"] == upsert_products.kind
    done = work_off(answer.json()["id"])
    assert (done.state, done.result) == ("SUCCEEDED", {"created": 101})
    assert Product.objects.count() == 101


# Commands


def command(name: str, *arguments: Any) -> tuple[int, str, str]:
    out, err = StringIO(), StringIO()
    try:
        call_command(name, *map(str, arguments), stdout=out, stderr=err)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_the_commands_import_and_export(tmp_path: Path, now: datetime) -> None:
    source = tmp_path / "pots.csv.gz"
    source.write_bytes(gzip.compress(PRODUCTS.encode(), mtime=0))

    code, out, err = command("import_catalogue", "products", source, "--dry-run")
    assert (code, Product.objects.count()) == (2, 0)
    assert out.startswith("A trial, nothing was written: 1 created, 0 changed")

    code, out, err = command("import_catalogue", "products", source)
    assert code == 2
    assert out.startswith("1 created, 0 changed, 0 unchanged, 1 failed; 2 rows in ")
    assert "  row 3 price.EUR: " in out
    assert out.endswith("[bad_format]\n")
    assert "2 of 2 rows, 1 failed" in err

    target = tmp_path / "all.jsonl"
    code, out, err = command("export_catalogue", "products", target)
    assert (code, out.startswith("1 rows in ")) == (0, True)
    assert json.loads(target.read_text())["variants"][0]["sku"] == "P1"
    assert command("import_catalogue", "products", target)[0] == 0


def test_a_command_that_can_do_nothing_says_why(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        command("import_catalogue", "products", tmp_path / "none.csv")
    unclear = tmp_path / "file"
    unclear.write_text(PRODUCTS)
    with pytest.raises(CommandError, match="--format"):
        command("import_catalogue", "products", unclear)
    with pytest.raises(CommandError, match="No column external_id"):
        command("import_catalogue", "stock", unclear, "--format", "csv")
    assert Product.objects.count() == 0


def test_nothing_of_a_refused_file_is_kept(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[str] = []
    monkeypatch.setattr(imports, "delete", kept.append)
    post("products", "nothing\n")
    assert len(kept) == 1
