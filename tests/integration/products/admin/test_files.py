"""Imports and exports in the admin: tried out first, then done."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from domains.products.models import Product
from infrastructure import clock
from infrastructure.database.contexts import alias_of
from infrastructure.operations import leases, running
from infrastructure.operations import services as operations
from infrastructure.operations.models import Operation
from infrastructure.storage import imports
from tests.support.admin_pages import text_of
from tests.support.factories import products, users
from tests.support.files import keep_files_in, stored

pytestmark = pytest.mark.django_db

IMPORT, EXPORT = "admin:products_import", "admin:products_export"
CSV = b"sku,name,status,price.GBP\nA,Lantern,active,3.50\nB,Candle,active,1.20\n"


@pytest.fixture(autouse=True)
def by_a_worker(settings: Any, tmp_path: Path) -> None:
    settings.IMPORT_SYNC_BYTES = 0
    keep_files_in(tmp_path, settings)


def sent(client: Client, content: bytes, name: str = "goods.csv", **more: str) -> Any:
    form = {"kind": "products", "mode": "upsert", "file": SimpleUploadedFile(name, content)}
    return client.post(reverse(IMPORT), form | more)


def page_of(operation: Operation) -> str:
    return reverse("admin:products_file", args=[operation.pk])


def latest() -> Operation:
    found = Operation.objects.using(alias_of("products")).order_by("-id").first()
    assert found is not None
    return found


def worked() -> Operation:
    """The latest operation, after a worker has carried it out."""
    operation = leases.take(alias_of("products"), latest().pk, now=clock.now())
    assert operation is not None
    running.carry_out(operation, now=clock.now)
    return latest()


def test_a_file_is_tried_out_shown_and_then_imported_once(clerk: Client) -> None:
    answer = sent(clerk, CSV)
    assert (answer.status_code, answer.headers["Location"]) == (302, page_of(latest()))
    assert latest().dry_run
    waiting = text_of(clerk.get(page_of(latest())))
    assert '<meta http-equiv="refresh" content="2">' in waiting
    tried = worked()
    assert Product.objects.count() == 0
    page = clerk.get(page_of(tried))
    assert page.context["counts"] == [
        *(("created", 2), ("changed", 0), ("unchanged", 0), ("failed", 0)),
    ]
    assert 'value="Import 2"' in text_of(page)
    assert "refresh" not in text_of(page)
    first = clerk.post(page_of(tried))
    again = clerk.post(page_of(tried))
    assert first.headers["Location"] == again.headers["Location"]
    assert Operation.objects.using(alias_of("products")).count() == 2
    done = worked()
    assert (done.dry_run, done.result["created"]) == (False, 2)
    assert set(Product.objects.values_list("name", flat=True)) == {"Lantern", "Candle"}
    assert "The import is done." in text_of(clerk.get(page_of(done)))


def test_what_a_small_file_would_change_is_shown_at_once(clerk: Client, settings: Any) -> None:
    settings.IMPORT_SYNC_BYTES = len(CSV)
    page = clerk.get(sent(clerk, CSV).headers["Location"])
    assert dict(page.context["counts"])["created"] == 2
    assert 'value="Import 2"' in text_of(page)
    assert Product.objects.count() == 0


def test_errors_are_shown_with_their_rows_before_anything_is_imported(clerk: Client) -> None:
    sent(clerk, CSV + b"C,,active,x\n")
    page = clerk.get(page_of(worked()))
    assert dict(page.context["counts"])["failed"] == 1
    assert {fault.row_number for fault in page.context["faults"]} == {4}
    assert "What has errors is left out" in text_of(page)


def test_a_file_that_changes_nothing_offers_nothing(clerk: Client) -> None:
    sent(clerk, CSV)
    clerk.post(page_of(worked()))
    worked()
    sent(clerk, CSV)
    page = text_of(clerk.get(page_of(worked())))
    assert "everything is as the file says already" in page
    assert 'value="Import' not in page


def test_what_would_change_is_shown_as_it_is_now_and_then(clerk: Client) -> None:
    sent(clerk, CSV)
    clerk.post(page_of(worked()))
    worked()
    sent(clerk, CSV.replace(b"Lantern", b"<b>Lamp").replace(b"1.20", b"1.30") + b"C,Cup,active,1\n")
    page = text_of(clerk.get(page_of(worked())))
    rows = re.findall(r"<tr>(.*?)</tr>", page.partition("<h2>What would change</h2>")[2])
    assert [
        re.findall(r"<td[^>]*>(?:<strong>)?(.*?)(?:</strong>)?</td>", row) for row in rows[1:]
    ] == [
        ["2", "A", "name", "Lantern", "&lt;b&gt;Lamp"],
        ["3", "B", "B: price.GBP", "1.20", "1.30"],
        ["4", "C", "new"],
    ]
    clerk.post(page_of(latest()))
    assert "What would change" not in text_of(clerk.get(page_of(worked())))


def test_of_many_changes_the_first_are_shown(clerk: Client) -> None:
    sent(clerk, b"sku,name\n" + b"".join(b"S%d,Thing\n" % n for n in range(51)))
    assert "<h2>What would change: the first 50</h2>" in text_of(clerk.get(page_of(worked())))


@pytest.mark.parametrize("content", [b"sku,name\n", b"sku,name\n\n\n"])
def test_a_file_with_no_rows_is_called_so(clerk: Client, content: bytes) -> None:
    sent(clerk, content)
    page = text_of(clerk.get(page_of(worked())))
    assert "the file has no rows" in page
    assert "everything is as the file says already" not in page
    assert 'value="Import' not in page


@pytest.mark.parametrize(
    ("content", "name", "fault"),
    [
        (b"colour\nred\n", "goods.csv", "colour"),
        (CSV, "goods.xlsx", "Its name has to end with .csv or .jsonl"),
        (CSV, "goods.csv.gz", "It is not packed with gzip."),
    ],
)
def test_a_file_of_another_kind_is_refused_at_its_field(
    clerk: Client, content: bytes, name: str, fault: str
) -> None:
    page = sent(clerk, content, name)
    assert fault in " ".join(page.context["form"].errors["file"])
    assert Operation.objects.using(alias_of("products")).count() == 0


def test_only_a_finished_trial_is_confirmed(clerk: Client) -> None:
    sent(clerk, CSV)
    answer = clerk.post(page_of(latest()), follow=True)
    assert [str(one) for one in answer.context["messages"]] == [
        "Only what a finished trial has looked at can be imported like this."
    ]
    clerk.post(page_of(latest()), {"cancel": "yes"})
    assert latest().state == "CANCELLED"
    assert "It was cancelled." in text_of(clerk.get(page_of(latest())))


def test_what_was_confirmed_outlives_its_trial(clerk: Client, tmp_path: Path) -> None:
    sent(clerk, CSV)
    tried = worked()
    clerk.post(page_of(tried))
    clerk.post(page_of(tried))
    assert stored(tmp_path) == 2
    last_day = clock.now() + timedelta(days=30, seconds=1)
    assert operations.forget(alias_of("products"), now=last_day) == 1
    assert stored(tmp_path) == 1
    done = worked()
    assert (done.state, done.result["created"]) == ("SUCCEEDED", 2)


def test_a_trial_whose_file_is_gone_is_refused(clerk: Client) -> None:
    sent(clerk, CSV)
    tried = worked()
    imports.delete(tried.input_file)
    answer = clerk.post(page_of(tried), follow=True)
    assert [str(one) for one in answer.context["messages"]] == [
        "Its file is not kept any more. Bring it again."
    ]
    assert latest() == tried


def test_an_export_is_made_with_its_filters_and_downloaded(clerk: Client, now: datetime) -> None:
    products.product(now=now, sku="A", name="Lantern")
    products.product(now=now, sku="B", name="Candle", status="draft")
    form = {"kind": "products", "file_format": "csv", "status": ["active"], "warehouse": "main"}
    answer = clerk.post(reverse(EXPORT), form)
    assert answer.headers["Location"] == page_of(latest())
    assert latest().params["filters"] == {"status": ["active"]}
    page = clerk.get(page_of(worked()))
    assert "1 rows." in text_of(page)
    file = clerk.get(page.context["result_address"])
    lines = b"".join(file.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 2
    assert "Lantern" in lines[1]


def test_who_may_do_what(clerk: Client, reader: Client, stranger: Client) -> None:
    assert reader.get(reverse(IMPORT)).status_code == 403
    assert sent(reader, CSV).status_code == 403
    assert reader.get(reverse(EXPORT)).status_code == 200
    assert stranger.get(reverse(EXPORT)).status_code == 403
    fulfilment = users.admin_client_of(users.staff("fulfilment"))
    assert fulfilment.get(reverse(IMPORT)).status_code == 403
    sent(clerk, CSV)
    assert reader.post(page_of(worked())).status_code in (403, 404)
    assert stranger.get(page_of(latest())).status_code == 403
    assert Product.objects.count() == 0
