"""The invoice routes: JSON, a page and a PDF, for whoever may read the order."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from domains.orders.models import Document, Order
from domains.orders.services import fulfilling, invoice_page, invoice_pdf
from domains.orders.services.invoicing import issue_due
from domains.orders.services.tokens import order_token
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from tests.support.after_placement import STAFF
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, customer, staff

pytestmark = pytest.mark.django_db


def invoiced(now: datetime, **changes: object) -> tuple[Order, Document]:
    goods.stocked({"A": 9}, now=now)
    order = orders.placed({"A": 2}, now=now, **changes)
    fulfilling.capture(order_id=order.id, by=STAFF, key=orders.key(), now=now)
    (invoice,) = issue_due(order_id=order.id, now=now)
    return order, invoice


def test_the_owner_lists_and_reads_them(now: datetime) -> None:
    ann = customer()
    order, invoice = invoiced(now, customer_id=ann.pk)
    client = client_of(ann)
    with CaptureQueriesContext(connections[alias_of("orders")]) as seen:
        listed = client.get(f"/api/v1/orders/{order.id}/invoices")
    assert listed.status_code == 200
    statements = [one["sql"] for one in seen if "orders_" in one["sql"]]
    assert len(statements) <= 3
    (item,) = listed.json()["items"]
    assert (item["id"], item["kind"], item["number"]) == (
        str(invoice.id),
        "INVOICE",
        "INV-2026-000001",
    )
    read = client.get(f"/api/v1/invoices/{invoice.id}").json()
    assert read["total"] == {"amount": "20.00", "currency": "GBP"}
    assert read["buyer"] == {
        "name": "Ann Smith",
        "address": ["1 Mill Lane", "LS1 1AA Leeds", "GB"],
        "vat_id": "",
    }
    assert [(line["sku"], line["quantity"]) for line in read["lines"]] == [("A", 2)]
    assert (read["order_number"], read["credits"]) == (order.number, None)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/html", "text/html; charset=utf-8"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("application/pdf", "application/pdf"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("application/pdf;q=0.5, text/*", "text/html; charset=utf-8"),
    ],
)
def test_accept_chooses_the_form(now: datetime, accept: str, content_type: str) -> None:
    ann = customer()
    _, invoice = invoiced(now, customer_id=ann.pk)
    answer = client_of(ann).get(f"/api/v1/invoices/{invoice.id}", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, content_type)
    assert answer.headers["Vary"] == "Accept"


def test_other_forms_are_not_served(now: datetime) -> None:
    ann = customer()
    _, invoice = invoiced(now, customer_id=ann.pk)
    url = f"/api/v1/invoices/{invoice.id}"
    answer = client_of(ann).get(url, headers={"Accept": "image/png"})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


def test_nobody_else_sees_that_they_exist(now: datetime) -> None:
    order, invoice = invoiced(now, customer_id=customer().pk)
    other = client_of(customer())
    assert other.get(f"/api/v1/invoices/{invoice.id}").json()["code"] == "invoice_not_found"
    assert other.get(f"/api/v1/orders/{order.id}/invoices").json()["code"] == "order_not_found"
    assert other.get(f"/api/v1/invoices/{new_id()}").status_code == 404
    assert Client().get(f"/api/v1/invoices/{invoice.id}").status_code == 401
    assert Client().get(f"/api/v1/invoices/{new_id()}").status_code == 401


def test_staff_and_the_guest_with_the_token_read_them(now: datetime) -> None:
    order, invoice = invoiced(now, customer_id=None, email="guest@example.com")
    url = f"/api/v1/invoices/{invoice.id}"
    assert client_of(staff("support")).get(url).status_code == 200
    assert Client(headers={"Order-Token": order_token(order.id)}).get(url).status_code == 200
    assert Client(headers={"Order-Token": order_token(new_id())}).get(url).status_code == 404


def test_the_page_says_everything_and_lets_nothing_in(now: datetime) -> None:
    ann = customer()
    address = orders.ADDRESS | {"name": "<b>Ann</b> & Söhne"}
    order, invoice = invoiced(now, customer_id=ann.pk, shipping_address=address)
    answer = client_of(ann).get(f"/api/v1/invoices/{invoice.id}", headers={"Accept": "text/html"})
    page = answer.content.decode()
    for said in (
        "INV-2026-000001",
        "Kontor Demo Shop",
        "&lt;b&gt;Ann&lt;/b&gt; &amp; Söhne",
        "1 Mill Lane",
        "2026-03-02",
        "Thing A",
        "20.00 GBP",
        order.number,
    ):
        assert said in page
    assert answer.headers["Content-Security-Policy"] == invoice_page.POLICY
    assert invoice_page.STYLE in page


def test_the_same_document_is_the_same_file(now: datetime) -> None:
    _, invoice = invoiced(now)
    stored = Document.objects.whole(invoice.id)
    first = invoice_pdf.pdf_of(stored)
    assert first.startswith(b"%PDF-")
    assert invoice_pdf.pdf_of(Document.objects.whole(invoice.id)) == first


def test_a_business_is_named_with_its_vat_number(now: datetime) -> None:
    goods.stocked({"A": 9}, now=now)
    ann = customer()
    billing = orders.ADDRESS | {"company": "Mill Ltd", "vat_id": "GB123456789"}
    answer = client_of(ann).post(
        "/api/v1/orders",
        {
            "lines": [{"sku": "A", "quantity": 1}],
            "shipping_address": orders.ADDRESS,
            "billing_address": billing,
            "payment": {"method": "card", "token": "tok_visa"},
        },
        content_type="application/json",
        headers={"Idempotency-Key": "one"},
    )
    assert answer.json()["billing_address"] == billing
    order_id = answer.json()["id"]
    fulfilling.capture(order_id=order_id, by=STAFF, key=orders.key(), now=now)
    (invoice,) = issue_due(order_id=order_id, now=now)
    read = client_of(ann).get(f"/api/v1/invoices/{invoice.id}").json()
    assert read["buyer"] == {
        "name": "Ann Smith",
        "address": ["Mill Ltd", "1 Mill Lane", "LS1 1AA Leeds", "GB"],
        "vat_id": "GB123456789",
    }
    page = client_of(ann).get(f"/api/v1/invoices/{invoice.id}", headers={"Accept": "text/html"})
    assert "VAT ID GB123456789" in page.content.decode()
