"""The screens of operations, and what a scraper is told of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from infrastructure import clock
from infrastructure.database.contexts import alias_of, connection_at
from infrastructure.ids import new_id
from infrastructure.operations import leases, services
from infrastructure.operations.models import Operation
from infrastructure.operations.work import Fault, Work
from infrastructure.storage import exports
from tests.support.factories import users
from tests.support.operations import CONTEXT, KIND

pytestmark = pytest.mark.django_db

ALIAS = alias_of(CONTEXT)
PAGES = "/admin/platform/operation/"
LIST = f"{PAGES}?database={ALIAS}"


def start(actor_id: Any = None) -> Operation:
    return services.start(KIND, actor_id=actor_id, now=clock.now())


def worked(operation: Operation, now: datetime, *, faults: int = 0) -> Work:
    taken = leases.take(ALIAS, operation.id, now=now)
    assert taken is not None
    work = Work(taken, now=lambda: now)
    told = [Fault(row=n, code="fragile", detail=f"Row {n} would break.") for n in range(faults)]
    work.progress(done=250, total=1_000, faults=told)
    return work


@pytest.fixture
def support() -> Client:
    return users.admin_client_of(users.staff("support"))


def test_the_list_shows_how_far_each_has_come(support: Client, now: datetime) -> None:
    operation = start()
    worked(operation, now, faults=3)
    services.cancel(Operation.objects.using(ALIAS).get(pk=operation.pk), now=now)
    page = support.get(LIST).content.decode()
    assert "Running (to be cancelled)" in page
    assert '<progress max="1000" value="250"></progress> 250 of 1,000' in page
    assert KIND in page


def test_the_page_shows_the_first_faults(support: Client, now: datetime) -> None:
    operation = start()
    worked(operation, now, faults=60)
    page = support.get(f"{PAGES}{operation.id}/change/").content.decode()
    assert page.count("would break.") == 50
    assert "Row 49 would break." in page
    assert "row 49" in page


def test_staff_see_the_kinds_that_their_scopes_are_about_and_their_own(now: datetime) -> None:
    member = users.staff("catalogue")
    catalogue = users.admin_client_of(member)
    other = start()
    assert str(other.id) not in catalogue.get("/admin/").content.decode()
    assert str(other.id) not in catalogue.get(LIST).content.decode()
    assert catalogue.get(f"{PAGES}{other.id}/change/").status_code == 302
    assert catalogue.get(f"{PAGES}{other.id}/result").status_code == 404
    support = users.staff("support")
    assert str(start(support.id).id) in users.admin_client_of(support).get(LIST).content.decode()


def test_cancelling_asks_once_more(support: Client, now: datetime) -> None:
    waiting, running = start(), start()
    worked(running, now)
    chosen = {"action": "cancel", "_selected_action": [str(waiting.id), str(running.id)]}
    asked = support.post(LIST, chosen)
    assert "stops after its current batch" in asked.content.decode()
    assert set(Operation.objects.using(ALIAS).values_list("cancel_requested_at")) == {(None,)}
    done = support.post(LIST, {**chosen, "confirmed": "yes"}, follow=True).content.decode()
    assert f"{waiting.id}: is cancelled." in done
    assert f"{running.id}: stops after its current batch." in done
    states = Operation.objects.using(ALIAS).order_by("id").values_list("state", flat=True)
    assert list(states) == ["CANCELLED", "RUNNING"]


def test_a_result_is_downloaded_from_its_page(support: Client, now: datetime) -> None:
    operation = start()
    with exports.new(suffix=".csv", now=now) as new:
        new.file.write(b"sku\nA1\n")
    worked(operation, now).finish(result_file=new.key)
    link = f"{PAGES}{operation.id}/result"
    assert link in support.get(f"{PAGES}{operation.id}/change/").content.decode()
    answer = support.get(link)
    assert answer["Content-Disposition"] == (
        'attachment; filename="orders-pack_parcels-2026-03-02.csv"'
    )
    assert b"".join(answer.streaming_content) == b"sku\nA1\n"  # type: ignore[attr-defined]
    assert support.get(f"{PAGES}{start().id}/result").status_code == 404
    assert support.get(f"{PAGES}{new_id()}/result").status_code == 404


def test_a_scraper_is_told_what_waits_runs_and_failed_lately(client: Client) -> None:
    now = clock.now()
    assert "kontor_operations{" not in client.get("/metrics").content.decode()
    start()
    worked(start(), now)
    for ended in (now, now - timedelta(days=2)):
        work = worked(start(), now)
        leases.end(work.operation, state=Operation.State.FAILED, now=ended)
    Operation.objects.using(ALIAS).filter(state="QUEUED").update(
        created_at=now - timedelta(hours=1)
    )
    told = client.get("/metrics").content.decode().splitlines()
    assert {line for line in told if line.startswith("kontor_operations{")} == {
        f'kontor_operations{{kind="{KIND}",state="queued"}} 1.0',
        f'kontor_operations{{kind="{KIND}",state="running"}} 1.0',
        f'kontor_operations{{kind="{KIND}",state="failed"}} 1.0',
    }
    (oldest,) = (x for x in told if x.startswith("kontor_operations_oldest_queued_seconds{"))
    assert 3600 <= float(oldest.rpartition(" ")[2]) < 3700


def test_without_its_table_a_scrape_still_answers(client: Client) -> None:
    with connection_at(ALIAS).cursor() as cursor:
        cursor.execute("ALTER TABLE platform_operation RENAME TO platform_operation_gone")
    found = client.get("/metrics")
    assert found.status_code == 200
    assert "http_request_duration_seconds" in found.content.decode()
