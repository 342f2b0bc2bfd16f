"""Operations over HTTP: who sees them, how they are followed, cancelled and downloaded."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.test.utils import CaptureQueriesContext

from infrastructure import clock
from infrastructure.database.contexts import alias_of, connection_at
from infrastructure.ids import new_id
from infrastructure.operations import leases, running, services
from infrastructure.operations.models import Operation
from infrastructure.storage import exports
from tests.support.factories import users
from tests.support.operations import CONTEXT, KIND

pytestmark = pytest.mark.django_db

ALIAS = alias_of(CONTEXT)
OPERATIONS = "/api/v1/operations"


@pytest.fixture
def owner() -> Any:
    return users.customer()


def start(owner_id: UUID | None = None, **params: Any) -> Operation:
    return services.start(KIND, params={"count": 25, **params}, actor_id=owner_id, now=clock.now())


def run(operation: Operation) -> Operation:
    taken = leases.take(ALIAS, operation.id, now=clock.now())
    assert taken is not None
    running.carry_out(taken)
    return Operation.objects.using(ALIAS).get(pk=operation.pk)


def cancel(client: Client, operation: Operation, *, key: str | None = None) -> Any:
    path = f"{OPERATIONS}/{operation.id}/cancel"
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(path, content_type="application/json", headers=headers)


def with_file(operation: Operation, content: bytes, suffix: str, now: datetime) -> Operation:
    with exports.new(suffix=suffix, now=now) as new:
        new.file.write(content)
    Operation.objects.using(ALIAS).filter(pk=operation.pk).update(result_file=new.key)
    return operation


def test_an_owner_follows_an_operation_to_its_end(owner: Any) -> None:
    operation = start(owner.id, refuse=[3, 4])
    client = users.client_of(owner)
    path = f"{OPERATIONS}/{operation.id}"
    waiting = client.get(path)
    assert (waiting.status_code, waiting["Retry-After"]) == (200, "1")
    body = waiting.json()
    assert body.pop("created_at") is not None
    assert body == {
        "id": str(operation.id),
        "kind": KIND,
        "state": "QUEUED",
        "dry_run": False,
        "progress": {"total": None, "done": 0, "failed": 0},
        "faults_left_out": 0,
        "result": None,
        "changes": None,
        "error": None,
        "started_at": None,
        "cancel_requested_at": None,
        "finished_at": None,
        "links": {
            "self": path,
            "faults": f"{path}/faults",
            "cancel": f"{path}/cancel",
            "result": None,
        },
    }

    run(operation)
    over = client.get(path)
    assert "Retry-After" not in over
    assert over.json()["state"] == "SUCCEEDED"
    assert over.json()["progress"] == {"total": 25, "done": 25, "failed": 2}
    assert over.json()["result"] == {"packed": 23}
    assert over.json()["links"]["cancel"] is None

    first = client.get(f"{path}/faults", {"limit": 1}).json()
    assert first["items"] == [
        {"row": 3, "pointer": "/label", "code": "fragile", "detail": "It would break."}
    ]
    second = client.get(f"{path}/faults", {"limit": 1, "cursor": first["next"]}).json()
    assert ([fault["row"] for fault in second["items"]], second["next"]) == ([4], None)


def test_a_failed_operation_says_why(owner: Any) -> None:
    operation = run(start(owner.id, fail="refusal"))
    shown = users.client_of(owner).get(f"{OPERATIONS}/{operation.id}").json()
    assert shown["error"] == {"code": "no_paper", "detail": "The paper is used up."}


def test_strangers_see_and_touch_nothing(owner: Any, now: datetime) -> None:
    operation = with_file(start(owner.id), b"a,b\n", ".csv", now)
    stranger = users.client_of(users.customer())
    catalogue = users.client_of(users.staff("catalogue"))
    for client in (stranger, catalogue):
        path = f"{OPERATIONS}/{operation.id}"
        for answer in (
            client.get(path),
            client.get(f"{path}/faults"),
            client.get(f"{path}/result"),
            cancel(client, operation),
        ):
            assert answer.status_code == 404
            assert answer.json()["code"] == "operation_not_found"
        assert client.get(OPERATIONS).json() == {"items": [], "next": None}
    assert Client().get(f"{OPERATIONS}/{operation.id}").status_code == 401
    assert Operation.objects.using(ALIAS).get().cancel_requested_at is None


def test_staff_with_the_scope_of_the_kind_see_and_cancel_it(owner: Any) -> None:
    operation = start(owner.id)
    staff = users.client_of(users.staff("support"))
    assert [o["id"] for o in staff.get(OPERATIONS).json()["items"]] == [str(operation.id)]
    cancelled = cancel(staff, operation)
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "CANCELLED")


def test_the_list_is_newest_first_in_pages_and_by_filter(owner: Any) -> None:
    made = [start(owner.id) for _ in range(5)]
    services.cancel(made[1], now=clock.now())
    client = users.client_of(owner)
    first = client.get(OPERATIONS, {"limit": 3}).json()
    rest = client.get(OPERATIONS, {"limit": 3, "cursor": first["next"]}).json()
    shown = [o["id"] for o in first["items"] + rest["items"]]
    assert shown == [str(o.id) for o in reversed(made)]
    assert rest["next"] is None
    found = client.get(OPERATIONS, {"state": "CANCELLED", "kind": KIND}).json()["items"]
    assert [o["id"] for o in found] == [str(made[1].id)]
    assert client.get(OPERATIONS, {"kind": "orders.other"}).json()["items"] == []


def test_reading_takes_one_statement_per_database(owner: Any) -> None:
    operation = start(owner.id)
    client = users.client_of(owner)
    client.get(OPERATIONS)  # who calls is remembered for a moment
    for path in (OPERATIONS, f"{OPERATIONS}/{operation.id}"):
        with CaptureQueriesContext(connection_at(ALIAS)) as queries:
            client.get(path)
        assert len(queries) == 1, path


def test_cancelling_twice_is_cancelling_once_and_what_is_over_is_refused(owner: Any) -> None:
    client = users.client_of(owner)
    operation = start(owner.id)
    first, second = cancel(client, operation), cancel(client, operation)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    finished = run(start(owner.id))
    refused = cancel(client, finished)
    assert (refused.status_code, refused.json()["code"]) == (409, "operation_finished")


def test_whoever_cancelled_is_told_so_again_under_their_key_whatever_came_of_it(owner: Any) -> None:
    client = users.client_of(owner)
    operation = start(owner.id)
    taken = leases.take(ALIAS, operation.id, now=clock.now())
    assert taken is not None
    first = cancel(client, operation, key="mine")
    assert (first.status_code, first.json()["state"]) == (200, "RUNNING")
    assert "Idempotency-Replayed" not in first
    leases.end(taken, state=Operation.State.SUCCEEDED, now=clock.now())
    again = cancel(client, operation, key="mine")
    assert (again.status_code, again.json()["state"]) == (200, "SUCCEEDED")
    assert again["Idempotency-Replayed"] == "true"
    other = cancel(client, operation, key="another")
    assert (other.status_code, other.json()["code"]) == (409, "operation_finished")


def test_what_runs_says_that_it_was_asked_to_stop(owner: Any) -> None:
    operation = start(owner.id)
    leases.take(ALIAS, operation.id, now=clock.now())
    asked = cancel(users.client_of(owner), operation)
    assert (asked.json()["state"], asked["Retry-After"]) == ("RUNNING", "1")
    assert asked.json()["cancel_requested_at"] is not None


@pytest.mark.parametrize(
    ("suffix", "media_type"),
    [
        (".csv", "text/csv; charset=utf-8"),
        (".jsonl", "application/x-ndjson"),
        (".bin", "application/octet-stream"),
    ],
)
def test_a_result_is_downloaded_in_a_stream(
    owner: Any, now: datetime, suffix: str, media_type: str
) -> None:
    content = b"sku,name\n" + b"A1,Lantern\n" * 100_000
    operation = with_file(run(start(owner.id)), content, suffix, now)
    client = users.client_of(owner)
    link = client.get(f"{OPERATIONS}/{operation.id}").json()["links"]["result"]
    answer = client.get(link, headers={"Accept": media_type})
    assert (answer.status_code, answer.streaming) == (200, True)
    assert answer["Content-Type"] == media_type
    day = operation.finished_at.date().isoformat()  # type: ignore[union-attr]
    name = f"orders-pack_parcels-{day}{suffix}"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    assert int(answer["Content-Length"]) == len(content)
    assert b"".join(answer.streaming_content) == content  # type: ignore[attr-defined]


def test_without_a_file_there_is_nothing_to_download(owner: Any, now: datetime) -> None:
    client = users.client_of(owner)
    operation = start(owner.id)
    missing = client.get(f"{OPERATIONS}/{operation.id}/result")
    assert (missing.status_code, missing.json()["code"]) == (404, "no_result")
    with_file(operation, b"{}", ".json", now)
    exports.delete(Operation.objects.using(ALIAS).get(pk=operation.pk).result_file)
    gone = client.get(f"{OPERATIONS}/{operation.id}/result")
    assert (gone.status_code, gone.json()["code"]) == (404, "no_result")


def test_an_id_that_is_none_is_not_found(owner: Any) -> None:
    answer = users.client_of(owner).get(f"{OPERATIONS}/{new_id()}")
    assert (answer.status_code, answer.json()["code"]) == (404, "operation_not_found")
    assert json.loads(answer.content)["instance"].startswith(OPERATIONS)
