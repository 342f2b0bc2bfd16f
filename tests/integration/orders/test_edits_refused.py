"""Edits that ask for nothing, or cannot be told apart, are refused before anything is written."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from domains.orders.models import Order
from infrastructure.ids import new_id
from tests.support.after_placement import codes_of
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, customer, staff
from tests.support.placing_api import ADDRESS, body, post

pytestmark = pytest.mark.django_db

BILLING = ADDRESS | {"name": "Ann Smith Ltd", "vat_id": "GB123456789"}


@pytest.fixture
def clerk() -> Client:
    return client_of(staff("admin"))


@pytest.fixture
def order(now: datetime) -> dict[str, Any]:
    goods.stocked({"A": 10, "B": 10}, now=now)
    lines = [{"sku": "A", "quantity": 2}, {"sku": "B", "quantity": 1}]
    content = body(lines=lines, billing_address=BILLING)
    placed: dict[str, Any] = post(client_of(customer()), content).json()
    return placed


def edit(clerk: Client, order: dict[str, Any], content: Any, *, key: str = "") -> Any:
    return clerk.post(
        f"/api/v1/orders/{order['id']}/edits",
        content,
        content_type="application/json",
        headers={"Idempotency-Key": key or str(new_id())},
    )


def faults(answer: Any) -> list[tuple[str, str]]:
    return [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]


def assert_nothing_was_written(order: dict[str, Any]) -> None:
    found = Order.objects.whole(order["id"])
    assert [(line.sku, line.standing) for line in found.lines] == [("A", 2), ("B", 1)]
    assert found.steps == []
    assert codes_of(found) == []


def what_is_there(order: dict[str, Any]) -> dict[str, Any]:
    return {
        "lines": [{"line_id": line["id"], "quantity": line["quantity"]} for line in order["lines"]],
        "shipping_address": order["shipping_address"],
        "billing_address": order["billing_address"],
        "expected_total": order["total"],
        "reason": "customer_request",
    }


def test_an_edit_that_changes_nothing_is_refused_and_not_recorded(
    order: dict[str, Any], clerk: Client
) -> None:
    paid = {"payment": {"method": "card", "token": "tok_visa"}}
    for content in ({}, {"lines": []}, {"reason": "staff_error"}, paid, what_is_there(order)):
        refused = edit(clerk, order, content)
        assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_change"), content
    assert_nothing_was_written(order)


def test_an_edit_is_known_again_though_by_now_it_would_change_nothing(
    order: dict[str, Any], clerk: Client
) -> None:
    fewer = {"lines": [{"line_id": order["lines"][0]["id"], "quantity": 1}]}
    done = edit(clerk, order, fewer, key="fewer")
    again = edit(clerk, order, fewer, key="fewer")
    assert (done.status_code, again.status_code) == (200, 200)
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (done.json(), "true")
    assert edit(clerk, order, fewer).json()["code"] == "nothing_to_change"


@pytest.mark.parametrize(
    "change",
    [
        {"shipping_address": ADDRESS | {"line2": "Flat 2"}},
        {"billing_address": BILLING | {"company": "Smith"}},
        {"billing_address": None},
    ],
)
def test_an_address_in_which_one_part_differs_is_a_change(
    order: dict[str, Any], clerk: Client, change: dict[str, Any]
) -> None:
    assert edit(clerk, order, change).json()["state"] == "DONE"
    assert edit(clerk, order, change).json()["code"] == "nothing_to_change"


def test_a_line_is_named_once(order: dict[str, Any], clerk: Client) -> None:
    first, second = (line["id"] for line in order["lines"])
    named = [(first, 1), (second, 2), (first, 3)]
    lines = [{"line_id": line_id, "quantity": quantity} for line_id, quantity in named]
    refused = edit(clerk, order, {"lines": lines})
    assert (refused.status_code, refused.json()["code"]) == (422, "duplicate_line")
    assert faults(refused) == [("/lines/2/line_id", "duplicate_line")]
    assert_nothing_was_written(order)


def test_a_line_that_is_not_there_or_is_of_another_sku_is_unknown(
    order: dict[str, Any], clerk: Client
) -> None:
    lines = [
        {"line_id": order["lines"][0]["id"], "sku": "A", "quantity": 1},
        {"line_id": str(new_id()), "quantity": 1},
        {"line_id": order["lines"][1]["id"], "sku": "A", "quantity": 3},
    ]
    refused = edit(clerk, order, {"lines": lines})
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_line")
    assert faults(refused) == [
        ("/lines/1/line_id", "unknown_line"),
        ("/lines/2/sku", "unknown_line"),
    ]
    assert_nothing_was_written(order)
    assert edit(clerk, order, {"lines": lines[:1]}).json()["state"] == "DONE"


def test_an_item_that_names_neither_a_line_nor_a_sku_lacks_one(
    order: dict[str, Any], clerk: Client
) -> None:
    lines = [{"sku": "B", "quantity": 1}, {"quantity": 2}]
    refused = edit(clerk, order, {"lines": lines})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_body")
    assert faults(refused) == [("/lines/1", "required")]
    assert_nothing_was_written(order)
