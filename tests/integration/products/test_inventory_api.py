"""Stock over HTTP: what staff see, adjust and count."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from domains.products.models import StockItem, StockLevel, StockMovement
from infrastructure.database.contexts import alias_of
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import products, users

pytestmark = pytest.mark.django_db

PATH = "/api/v1/inventory/85123A"


@pytest.fixture(autouse=True)
def lantern(now: datetime) -> None:
    products.product(now=now, sku="85123A")


def adjust(client: Client, delta: int, **headers: str) -> Any:
    return client.post(
        f"{PATH}/adjustments",
        {"delta": delta, "reason": "count"},
        content_type="application/json",
        headers=headers,
    )


def count(client: Client, **body: Any) -> Any:
    return client.put(PATH, body, content_type="application/json")


@pytest.mark.parametrize(
    ("send", "body"),
    [
        ("adjust", {"delta": 1}),
        ("count", {"on_hand": 1, "change_from": 0}),
        ("settings", {"backorder_limit": 1, "change_from": {"backorder_limit": 0}}),
        ("transfer", {"quantity": 1, "from_warehouse": "main", "to_warehouse": "north"}),
    ],
)
def test_the_ledger_has_no_cause_of_blanks(staff: Client, send: str, body: dict[str, Any]) -> None:
    ways = {
        "adjust": (staff.post, f"{PATH}/adjustments"),
        "count": (staff.put, PATH),
        "settings": (staff.patch, PATH),
        "transfer": (staff.post, f"{PATH}/transfers"),
    }
    method, path = ways[send]

    refused = method(path, body | {"reason": " \u00a0"}, content_type="application/json")

    assert refused.status_code == 400
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [
        ("/reason", "bad_format")
    ]
    assert StockMovement.objects.count() == 0


def test_the_white_space_around_a_cause_is_cut_off(staff: Client) -> None:
    body = {"delta": 1, "reason": " found behind the shelf\u2003"}
    made = staff.post(f"{PATH}/adjustments", body, content_type="application/json")
    assert made.status_code == 201
    assert StockMovement.objects.get().reason == "found behind the shelf"


def facts() -> list[str]:
    key = str(products.variant_id("85123A"))
    messages = OutboxMessage.objects.using(alias_of("products")).filter(key=key).order_by("id")
    assert [m.sequence for m in messages] == list(range(1, len(messages) + 1))
    return [m.name.removeprefix("products.stock_") for m in messages]


def test_an_adjustment_adds_to_the_stock_and_to_the_ledger(staff: Client) -> None:
    made = adjust(staff, 50)
    assert made.status_code == 201
    assert made["Location"] == PATH
    assert (
        staff.get(PATH).json()
        == made.json()
        == {
            "sku": "85123A",
            "on_hand": 50,
            "held": 0,
            "available": 50,
            "backorder_limit": 0,
            "low_stock_threshold": None,
            "low": False,
            "warehouses": [{"warehouse": "main", "on_hand": 50}],
        }
    )
    assert adjust(staff, -20).json()["on_hand"] == 30
    assert StockLevel.objects.get().on_hand == 30
    assert facts() == ["updated", "availability_changed", "updated"]
    assert list(StockMovement.objects.order_by("id").values_list("kind", "on_hand_delta")) == [
        ("ADJUSTMENT", 50),
        ("ADJUSTMENT", -20),
    ]


def test_the_same_key_adjusts_once(staff: Client) -> None:
    first, second = (adjust(staff, 50, idempotency_key="delivery-7") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert second["Idempotency-Replayed"] == "true"
    assert staff.get(PATH).json()["on_hand"] == 50
    other = adjust(staff, 51, idempotency_key="delivery-7")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("delta", "status", "code"), [(-1, 409, "negative_stock"), (0, 400, "invalid_quantity")]
)
def test_an_impossible_adjustment_changes_nothing(
    staff: Client, delta: int, status: int, code: str
) -> None:
    refused = adjust(staff, delta)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert StockMovement.objects.count() == 0
    assert facts() == []


def test_a_count_is_taken_when_the_stock_is_what_the_caller_believed(staff: Client) -> None:
    adjust(staff, 10)
    assert count(staff, on_hand=7, change_from=10).json()["on_hand"] == 7
    refused = count(staff, on_hand=9, change_from=10)
    assert (refused.status_code, refused.json()["code"]) == (409, "stock_changed")
    assert refused.json()["errors"] == [
        {
            "pointer": "/change_from",
            "code": "stock_changed",
            "detail": "There are 7 of 85123A, not 10.",
            "current": 7,
        }
    ]
    assert count(staff, on_hand=9, change_from=7).json()["on_hand"] == 9
    assert count(staff, on_hand=9, change_from=9).status_code == 200
    kinds = list(StockMovement.objects.order_by("id").values_list("kind", "on_hand_delta"))
    assert kinds == [("ADJUSTMENT", 10), ("COUNT", -3), ("COUNT", 2)]


def test_an_honest_count_may_fall_below_what_is_held_and_is_published(
    staff: Client, now: datetime
) -> None:
    adjust(staff, 10)
    products.held({"85123A": 8}, now=now)
    assert count(staff, on_hand=5, change_from=10).json() == {
        "sku": "85123A",
        "on_hand": 5,
        "held": 8,
        "available": -3,
        "backorder_limit": 0,
        "low_stock_threshold": None,
        "low": False,
        "warehouses": [{"warehouse": "main", "on_hand": 5}],
    }
    assert facts()[2:] == ["updated", "availability_changed", "short"]
    item = StockItem.objects.get()
    assert item.events_recorded == 5


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"on_hand": -1, "change_from": 0}, "/on_hand", "out_of_range"),
        ({"on_hand": 1}, "/change_from", "required"),
        ({"on_hand": 1, "change_from": None}, "/change_from", "invalid_type"),
        ({"on_hand": 1, "change_from": 0, "held": 3}, "/held", "unknown_field"),
    ],
)
def test_bad_counts_are_named(staff: Client, body: dict[str, Any], pointer: str, code: str) -> None:
    refused = count(staff, **body)
    assert refused.status_code == 400
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [(pointer, code)]


def test_the_ledger_is_read_page_by_page_the_newest_first(staff: Client, now: datetime) -> None:
    adjust(staff, 10)
    order_id = products.held({"85123A": 3}, now=now)
    adjust(staff, 1)
    path = f"{PATH}/movements"
    first = staff.get(path, {"limit": 2}).json()
    assert [(m["kind"], m["on_hand_delta"], m["held_delta"]) for m in first["items"]] == [
        ("ADJUSTMENT", 1, 0),
        ("HOLD", 0, 3),
    ]
    assert first["items"][1]["order_id"] == str(order_id)
    assert first["items"][0]["actor_id"] is not None
    last = staff.get(path, {"limit": 2, "cursor": first["next"]}).json()
    assert [m["on_hand_delta"] for m in last["items"]] == [10]
    assert last["next"] is None


def test_stock_is_for_staff(client: Client, customer: Client, now: datetime) -> None:
    support = users.client_of(users.staff("support"))
    for caller, status in ((client, 401), (customer, 403)):
        assert caller.get(PATH).status_code == status
        assert caller.get(f"{PATH}/movements").status_code == status
        assert count(caller, on_hand=1, change_from=0).status_code == status
    assert support.get(PATH).status_code == 200
    assert adjust(support, 1).status_code == 403


def test_an_unknown_sku_is_not_found(staff: Client) -> None:
    for path in ("/api/v1/inventory/85123a", "/api/v1/inventory/85123a/movements"):
        missing = staff.get(path)
        assert (missing.status_code, missing.json()["code"]) == (404, "variant_not_found")
