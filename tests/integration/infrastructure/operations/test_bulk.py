"""Many rows in one request: few at once, many as an operation, both exactly once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.test.utils import CaptureQueriesContext

from infrastructure import clock
from infrastructure.database.contexts import alias_of, connection_at
from infrastructure.http.openapi.document import document
from infrastructure.operations import leases, running, services
from infrastructure.operations.models import Operation
from tests.support.factories import users
from tests.support.operations import CONTEXT
from tests.support.sample.models import Parcel

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.support.operations")]

ALIAS = alias_of(CONTEXT)
BULK = "/api/v1/parcels/bulk"
ASYNC = {"Prefer": "respond-async"}


@pytest.fixture
def client() -> Client:
    return users.client_of(users.customer())


def post(client: Client, *labels: str, dry_run: bool = False, **headers: str) -> Any:
    body = {"items": [{"label": label} for label in labels], "dry_run": dry_run}
    return client.post(BULK, body, content_type="application/json", headers=headers)


def labels() -> list[str]:
    return sorted(Parcel.objects.using(ALIAS).values_list("label", flat=True))


def operations() -> list[Operation]:
    return list(Operation.objects.using(ALIAS).order_by("id"))


def run(operation: Operation) -> Operation:
    taken = leases.take(ALIAS, operation.id, now=clock.now())
    assert taken is not None
    running.carry_out(taken)
    return Operation.objects.using(ALIAS).get(pk=operation.pk)


def test_few_rows_are_written_at_once_and_each_has_its_outcome(client: Client) -> None:
    answer = post(client, "a", "taken", "b")
    assert answer.status_code == 200
    ids = {parcel.label: str(parcel.id) for parcel in Parcel.objects.using(ALIAS)}
    assert answer.json() == {
        "items": [
            {"index": 0, "status": "created", "id": ids["a"]},
            {
                "index": 1,
                "status": "failed",
                "code": "label_taken",
                "detail": "taken is taken.",
                "pointer": "/label",
            },
            {"index": 2, "status": "created", "id": ids["b"]},
        ]
    }
    assert labels() == ["a", "b"]
    (record,) = operations()
    assert (record.state, record.done, record.total, record.failed) == ("SUCCEEDED", 3, 3, 1)


def test_a_refusal_of_the_whole_leaves_nothing(client: Client) -> None:
    answer = post(client, "no paper", "b")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_paper")
    assert (labels(), operations()) == ([], [])


def test_a_repetition_under_the_same_key_writes_nothing_more(client: Client) -> None:
    first = post(client, "a", "taken", **{"Idempotency-Key": "k1"})
    again = post(client, "a", "taken", **{"Idempotency-Key": "k1"})
    assert (again.status_code, again["Idempotency-Replayed"]) == (200, "true")
    assert again.json() == first.json()
    assert (labels(), len(operations())) == (["a"], 1)
    other = post(client, "c", **{"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_a_dry_run_says_what_would_happen_and_writes_nothing(client: Client) -> None:
    answer = post(client, "a", "taken", dry_run=True)
    assert [item["status"] for item in answer.json()["items"]] == ["created", "failed"]
    assert labels() == []
    (record,) = operations()
    assert (record.dry_run, record.done) == (True, 2)


def test_who_prefers_so_gets_an_operation(client: Client) -> None:
    answer = post(client, "a", "taken", "b", **ASYNC)
    assert (answer.status_code, answer["Preference-Applied"]) == (202, "respond-async")
    (queued,) = operations()
    assert answer["Location"] == f"/api/v1/operations/{queued.id}"
    assert answer.json()["progress"] == {"total": 3, "done": 0, "failed": 0}
    assert labels() == []
    ended = run(queued)
    assert (ended.state, ended.done, ended.failed) == ("SUCCEEDED", 3, 1)
    assert ended.result == {"created": 2, "failed": 1}
    faults = services.faults_of(ended).values_list("row_number", "pointer", "code", "detail")
    assert list(faults) == [(1, "/label", "label_taken", "taken is taken.")]
    assert labels() == ["a", "b"]


def test_many_rows_become_an_operation_unasked(client: Client, settings: Any) -> None:
    settings.BULK_SYNC_LIMIT = 2
    assert post(client, "a", "b").status_code == 200
    answer = post(client, "c", "d", "e")
    assert answer.status_code == 202
    assert "Preference-Applied" not in answer
    run(operations()[-1])
    assert labels() == ["a", "b", "c", "d", "e"]


def test_an_operation_is_repeated_under_its_key_without_another_file(
    client: Client, tmp_path: Path
) -> None:
    first = post(client, "a", **ASYNC, **{"Idempotency-Key": "k1"})
    again = post(client, "a", **ASYNC, **{"Idempotency-Key": "k1"})
    assert (again.status_code, again["Idempotency-Replayed"]) == (202, "true")
    assert again["Location"] == first["Location"]
    assert len(operations()) == 1
    assert len([path for path in (tmp_path / "imports").rglob("*") if path.is_file()]) == 1


def test_a_dry_operation_writes_nothing(client: Client) -> None:
    post(client, "a", "taken", dry_run=True, **ASYNC)
    ended = run(operations()[0])
    assert (ended.state, ended.result) == ("SUCCEEDED", {"created": 1, "failed": 1})
    assert labels() == []


def test_an_operation_goes_on_at_the_row_where_it_was_left(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.operations.bulk._BATCH", 2)
    post(client, *[f"p{n}" for n in range(5)], **ASYNC)
    (queued,) = operations()
    taken = leases.take(ALIAS, queued.id, now=clock.now())
    assert taken is not None
    turns = iter([False, False, True])
    assert running.carry_out(taken, must_rest=lambda: next(turns))
    assert labels() == ["p0", "p1"]
    ended = run(queued)
    assert (ended.done, ended.result) == (5, {"created": 5})
    assert labels() == [f"p{n}" for n in range(5)]


def test_queueing_costs_a_fixed_number_of_statements(client: Client) -> None:
    post(client, "a", **ASYNC)
    with CaptureQueriesContext(connection_at(ALIAS)) as queries:
        post(client, *[f"p{n}" for n in range(50)], **ASYNC)
    statements = [q["sql"] for q in queries if not q["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert len(statements) == 1
    assert statements[0].startswith('INSERT INTO "platform_operation"')


NUL, PRETTY = '{"label": "a\\u0000"}', '{\n  "label": ""\n}'


def send(client: Client, body: str, **headers: str) -> Any:
    return client.post(BULK, body, content_type="application/json", headers=headers)


MALFORMED = f'{{"items": [{PRETTY}, {{"label": "a"}}, 5, {NUL}, {{"label": "taken"}}, {{}}]}}'
REFUSED = [
    (0, "too_short", "/label"),
    (2, "invalid_type", ""),
    (3, "bad_format", "/label"),
    (4, "label_taken", "/label"),
    (5, "required", "/label"),
]


def test_a_row_that_is_none_is_refused_by_itself(client: Client) -> None:
    answer = send(client, MALFORMED, **{"Idempotency-Key": "k1"})
    assert answer.status_code == 200
    items = answer.json()["items"]
    failed = [(i["index"], i["code"], i.get("pointer", "")) for i in items if "code" in i]
    assert failed == REFUSED
    assert [item["status"] for item in items if "code" not in item] == ["created"]
    assert labels() == ["a"]
    again = send(client, MALFORMED.replace("\n", ""), **{"Idempotency-Key": "k1"})
    assert (again["Idempotency-Replayed"], again.json()) == ("true", answer.json())
    other = send(client, MALFORMED.replace("5", "6"), **{"Idempotency-Key": "k1"})
    assert other.json()["code"] == "idempotency_key_reused"


def test_a_row_that_is_none_is_a_fault_of_the_operation(client: Client) -> None:
    assert send(client, MALFORMED, **ASYNC).status_code == 202
    ended = run(operations()[0])
    assert (ended.total, ended.result) == (6, {"created": 1, "failed": 5})
    faults = services.faults_of(ended).values_list("row_number", "code", "pointer")
    assert sorted(faults) == REFUSED
    assert labels() == ["a"]


@pytest.mark.parametrize("headers", [{}, ASYNC])
def test_a_row_may_call_its_fields_what_cannot_be_stored(
    client: Client, headers: dict[str, str]
) -> None:
    answer = send(client, '{"items": [{"label": "a", "b\\u0000": 1}]}', **headers)
    ended = run(operations()[0]) if headers else operations()[0]
    assert (answer.status_code, ended.failed) == (202 if headers else 200, 1)


def test_rows_may_all_be_wrong(client: Client) -> None:
    answer = send(client, '{"items": [{}], "dry_run": true}')
    assert [item["code"] for item in answer.json()["items"]] == ["required"]
    assert operations()[0].dry_run is True


@pytest.mark.parametrize(
    ("body", "code", "pointers"),
    [
        ('{"items": [{"label": ""}', "invalid_json", []),
        ("[{}]", "invalid_body", [""]),
        ('{"items": {"label": "a"}}', "invalid_body", ["/items"]),
        ('{"items": []}', "invalid_body", ["/items"]),
        ('{"items": [{}], "dry": true}', "invalid_body", ["/dry"]),
        ('{"items": [{}], "dry_run": "yes"}', "invalid_body", ["/dry_run"]),
        ('{"items": [' + ",".join(["{}"] * 1001) + "]}", "invalid_body", ["/items"]),
    ],
)
def test_a_body_that_is_none_is_refused_as_a_whole(
    client: Client, body: str, code: str, pointers: list[str]
) -> None:
    answer = send(client, body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers
    assert operations() == []


def test_an_upload_is_of_a_type_and_a_size_that_are_taken(client: Client) -> None:
    sent = client.post("/api/v1/uploads", b"x" * 1_000, content_type="text/csv; charset=utf-8")
    assert sent.status_code == 200
    large = client.post("/api/v1/uploads", b"x" * 1_001, content_type="text/csv")
    assert (large.status_code, large.json()["code"]) == (413, "body_too_large")
    other = client.post("/api/v1/uploads", b"{}", content_type="application/json")
    assert (other.status_code, other["Accept"]) == (415, "text/csv")
    empty = client.post("/api/v1/uploads", b"", content_type="", CONTENT_TYPE="text/csv")
    assert (empty.status_code, empty.json()["code"]) == (400, "invalid_body")


def test_the_document_says_what_is_brought_and_taken_away_as_a_file(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.support.operations"
    paths = document()["paths"]
    file = {"type": "string", "format": "binary"}
    brought = paths["/api/v1/uploads"]["post"]
    assert brought["requestBody"] == {"required": True, "content": {"text/csv": {"schema": file}}}
    assert {"411", "413", "415"} <= brought["responses"].keys()
    result = paths["/api/v1/operations/{operation_id}/result"]["get"]
    assert result["tags"] == ["operations"]
    taken_away = result["responses"]["200"]["content"]
    assert {kind: content["schema"] for kind, content in taken_away.items()} == {
        "application/json": file,
        "application/x-ndjson": file,
        "text/csv": file,
    }
    assert "Content-Disposition" in result["responses"]["200"]["headers"]
    assert "406" not in result["responses"]
    bulk = paths["/api/v1/parcels/bulk"]["post"]["responses"]
    assert bulk["202"]["content"]["application/json"]["schema"]["$ref"].endswith("/Operation")
    assert "Preference-Applied" in bulk["202"]["headers"]
