"""Whom an invoice is made out to is changed by an edit, until there is an invoice."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from domains.orders.errors import OrderInvoiced, OrderNotEditable
from domains.orders.models import Document, Order
from domains.orders.services.invoicing import issue_due
from infrastructure.database.threads import in_threads
from infrastructure.ids import new_id
from tests.support.after_placement import assert_books_agree, assert_order_agrees, reread
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, staff
from tests.support.order_steps import capture, edit, fulfil

pytestmark = pytest.mark.django_db

COMPANY = orders.ADDRESS | {"company": "Lamps Ltd", "vat_id": "GB123456789", "line1": "2 Dock Rd"}


@pytest.fixture
def order(now: datetime) -> Order:
    goods.stocked({"A": 900}, now=now)
    return orders.placed({"A": 2}, now=now)


def invoice(order: Order, now: datetime) -> Document:
    capture(order, now)
    [made] = issue_due(order_id=order.id, now=now)
    return made


def edited(client: Client, order: Order, **changes: Any) -> Any:
    return client.post(
        f"/api/v1/orders/{order.id}/edits",
        changes,
        content_type="application/json",
        headers={"Idempotency-Key": str(new_id())},
    )


def test_a_company_is_named_later_and_the_invoice_is_made_out_to_it(
    order: Order, now: datetime
) -> None:
    clerk = client_of(staff("admin"))
    before = clerk.get(f"/api/v1/orders/{order.id}").json()
    assert before["billing_address"] is None
    answer = edited(clerk, order, billing_address=COMPANY, expected_total=before["total"])
    assert (answer.status_code, answer.json()["state"]) == (200, "DONE")
    after = clerk.get(f"/api/v1/orders/{order.id}").json()
    assert after["billing_address"] == COMPANY
    unchanged = ("total", "tax", "lines", "shipping_address", "payment")
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}
    entry = clerk.get(f"/api/v1/orders/{order.id}/history").json()["items"][-1]
    told = entry["data"]["address_changed"], entry["data"]["billing_address_changed"]
    assert (entry["code"], told) == ("edited", (False, True))
    assert "Lamps" not in str(entry)
    (step,) = reread(order).steps
    assert (entry["data"]["step_id"], step.former_address) == (str(step.id), {"billing": {}})

    made = invoice(order, now)
    assert (made.buyer, made.buyer_vat_id) == (COMPANY, "GB123456789")
    assert made.delivery == orders.ADDRESS
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_with_null_it_is_whom_the_goods_go_to_again(order: Order, now: datetime) -> None:
    edit(order, now, billing_address=COMPANY)
    assert edited(client_of(staff("admin")), order, billing_address=None).status_code == 200
    assert reread(order).billing_address is None
    assert invoice(order, now).buyer == orders.ADDRESS


def test_it_changes_with_goods_and_place_at_once(order: Order, now: datetime) -> None:
    elsewhere = orders.ADDRESS | {"city": "York", "postcode": "YO1 7HH"}
    [line] = order.lines
    changes = {"lines": [{"line_id": str(line.id), "quantity": 1}], "shipping_address": elsewhere}
    answer = edited(client_of(staff("admin")), order, **changes, billing_address=COMPANY)
    assert answer.json()["state"] == "DONE"
    after = reread(order)
    assert (after.shipping_address, after.billing_address) == (elsewhere, COMPANY)
    assert after.steps[0].former_address == {"shipping": orders.ADDRESS, "billing": {}}
    assert after.total_minor == 1000
    assert_order_agrees(order.id)


def test_after_the_invoice_it_stays(order: Order, now: datetime) -> None:
    made = invoice(order, now)
    clerk = client_of(staff("admin"))
    for wanted in (COMPANY, None):
        refused = edited(clerk, order, billing_address=wanted)
        assert (refused.status_code, refused.json()["code"]) == (409, "order_invoiced")
    after = reread(order)
    assert (after.billing_address, after.step_id) == (None, None)
    assert [step.kind for step in after.steps] == ["CAPTURE"]
    assert Document.objects.whole(made.id).buyer == orders.ADDRESS
    # Where the goods go may still change.
    assert edited(clerk, order, shipping_address=orders.ADDRESS | {"phone": "1"}).status_code == 200


def test_where_the_goods_were_sent_the_refusal_still_names_the_invoice(
    order: Order, now: datetime
) -> None:
    fulfil(order, now)
    with pytest.raises(OrderNotEditable):
        edit(order, now, billing_address=COMPANY)
    issue_due(order_id=order.id, now=now)
    with pytest.raises(OrderInvoiced):
        edit(order, now, billing_address=COMPANY)


@pytest.mark.django_db(transaction=True)
def test_an_invoice_and_the_order_name_the_same_whichever_was_first(now: datetime) -> None:
    goods.stocked({"A": 900}, now=now)
    placed = [orders.placed({"A": 1}, now=now) for _ in range(8)]
    for order in placed:
        capture(order, now)

    def invoiced(order: Order) -> None:
        issue_due(order_id=order.id, now=now)

    def renamed(order: Order) -> None:
        with suppress(OrderInvoiced):
            edit(order, now, billing_address=COMPANY)

    doings = [(act, order) for order in placed for act in (renamed, invoiced)]
    in_threads(lambda doing: doing[0](doing[1]), doings, threads=8)
    for order in placed:
        [document] = Document.objects.of_order(order.id)
        after = reread(order)
        assert document.buyer == (after.billing_address or after.shipping_address)
        assert_order_agrees(order.id)
