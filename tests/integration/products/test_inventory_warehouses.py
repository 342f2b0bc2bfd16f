"""Several warehouses over HTTP: opened and closed, adjusted, counted, and goods carried between."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from domains.products.models import StockItem, StockLevel, StockMovement, Warehouse
from infrastructure.database.contexts import alias_of
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import products, users

pytestmark = pytest.mark.django_db

PATH = "/api/v1/inventory/85123A"
WAREHOUSES = "/api/v1/warehouses"


@pytest.fixture
def leeds(staff: Client, now: datetime) -> None:
    products.product(now=now, sku="85123A")
    assert open_warehouse(staff, code="leeds", name="Leeds").status_code == 201


def open_warehouse(client: Client, **body: Any) -> Any:
    return client.post(WAREHOUSES, body, content_type="application/json")


def edit(client: Client, code: str, body: dict[str, Any], *, tag: str | None = None) -> Any:
    path = f"{WAREHOUSES}/{code}"
    tag = tag or client.get(path)["ETag"]
    return client.patch(path, body, content_type="application/json", headers={"If-Match": tag})


def adjust(client: Client, delta: int, **body: Any) -> Any:
    body = {"delta": delta, "reason": "delivery", **body}
    return client.post(f"{PATH}/adjustments", body, content_type="application/json")


def count(client: Client, **body: Any) -> Any:
    return client.put(PATH, body, content_type="application/json")


def transfer(client: Client, quantity: int, source: str, target: str, **headers: str) -> Any:
    body = {"quantity": quantity, "from_warehouse": source, "to_warehouse": target}
    return client.post(f"{PATH}/transfers", body, content_type="application/json", headers=headers)


def levels() -> dict[str, int]:
    return dict(StockLevel.objects.values_list("warehouse_id", "on_hand"))


def refusal(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def test_a_warehouse_is_opened_read_changed_and_listed(staff: Client) -> None:
    made = open_warehouse(staff, code="leeds", name="Leeds", address="Whitehall Road")
    assert made.status_code == 201
    assert made["Location"] == f"{WAREHOUSES}/leeds"
    assert made.json() == staff.get(f"{WAREHOUSES}/leeds").json()
    assert made.json() == {
        "code": "leeds",
        "name": "Leeds",
        "address": "Whitehall Road",
        "active": True,
    }
    changed = edit(staff, "leeds", {"name": "Leeds, returns"}, tag=made["ETag"])
    assert (changed.status_code, changed.json()["name"]) == (200, "Leeds, returns")
    assert refusal(edit(staff, "leeds", {"name": "Else"}, tag=made["ETag"])) == (
        412,
        "stale_version",
    )
    first = staff.get(WAREHOUSES, {"limit": 1}).json()
    assert [w["code"] for w in first["items"]] == ["leeds"]
    rest = staff.get(WAREHOUSES, {"limit": 1, "cursor": first["next"]}).json()
    assert ([w["code"] for w in rest["items"]], rest["next"]) == (["main"], None)


def test_a_code_is_taken_once_and_a_key_opens_once(staff: Client) -> None:
    body = {"code": "leeds", "name": "Leeds"}

    def send(key: str) -> Any:
        return staff.post(
            WAREHOUSES, body, content_type="application/json", headers={"Idempotency-Key": key}
        )

    first, second = send("one"), send("one")
    assert (first.status_code, second.status_code) == (201, 201)
    assert second["Idempotency-Replayed"] == "true"
    assert refusal(send("two")) == (409, "warehouse_exists")
    assert Warehouse.objects.count() == 2


def test_adjustments_say_where(staff: Client, leeds: None) -> None:
    adjust(staff, 5)
    made = adjust(staff, 7, warehouse="leeds")
    assert (made.json()["on_hand"], made.json()["warehouses"]) == (
        12,
        [{"warehouse": "leeds", "on_hand": 7}, {"warehouse": "main", "on_hand": 5}],
    )
    assert refusal(adjust(staff, -6)) == (409, "negative_stock")
    assert refusal(adjust(staff, 1, warehouse="nowhere")) == (400, "unknown_warehouse")
    assert levels() == {"main": 5, "leeds": 7}


def test_a_count_names_its_warehouse_once_there_are_several(staff: Client, leeds: None) -> None:
    adjust(staff, 7, warehouse="leeds")
    # All of it lies in Leeds, so that is where was counted.
    assert count(staff, on_hand=6, change_from=7).status_code == 200
    assert levels() == {"leeds": 6}
    adjust(staff, 5)
    assert refusal(count(staff, on_hand=9, change_from=11)) == (409, "several_warehouses")
    wrong = count(staff, on_hand=9, change_from=11, warehouse="leeds")
    assert refusal(wrong) == (409, "stock_changed")
    assert wrong.json()["errors"][0]["current"] == 6
    assert count(staff, on_hand=9, change_from=6, warehouse="leeds").json()["on_hand"] == 14
    assert levels() == {"leeds": 9, "main": 5}


def test_a_transfer_moves_goods_and_nothing_else(staff: Client, leeds: None, now: datetime) -> None:
    adjust(staff, 10)
    products.held({"85123A": 10}, now=now)
    made = transfer(staff, 4, "main", "leeds")
    assert (made.status_code, made.json()["on_hand"], made.json()["available"]) == (201, 10, 0)
    assert levels() == {"main": 6, "leeds": 4}
    pair = list(StockMovement.objects.filter(kind="TRANSFER").order_by("id"))
    assert [(m.warehouse_id, m.on_hand_delta) for m in pair] == [("main", -4), ("leeds", 4)]
    assert pair[0].transfer_id == pair[1].transfer_id is not None
    key = str(products.variant_id("85123A"))
    told = OutboxMessage.objects.using(alias_of("products")).filter(key=key).order_by("id")
    assert [m.name.removeprefix("products.stock_") for m in told] == [
        "updated",
        "availability_changed",
        "availability_changed",
        "updated",
        "updated",
    ]
    assert StockItem.objects.get().held == 10


def test_the_same_key_transfers_once(staff: Client, leeds: None) -> None:
    adjust(staff, 10)
    for _ in range(2):
        assert transfer(staff, 4, "main", "leeds", idempotency_key="van-3").status_code == 201
    assert levels() == {"main": 6, "leeds": 4}


@pytest.mark.parametrize(
    ("quantity", "source", "target", "expected"),
    [
        (11, "main", "leeds", (409, "negative_stock")),
        (1, "leeds", "main", (409, "negative_stock")),
        (1, "main", "main", (400, "same_warehouse")),
        (1, "main", "nowhere", (400, "unknown_warehouse")),
    ],
)
def test_an_impossible_transfer_changes_nothing(
    staff: Client,
    leeds: None,
    quantity: int,
    source: str,
    target: str,
    expected: tuple[int, str],
) -> None:
    adjust(staff, 10)
    assert refusal(transfer(staff, quantity, source, target)) == expected
    assert levels() == {"main": 10}
    assert StockMovement.objects.filter(kind="TRANSFER").count() == 0


def test_only_an_empty_warehouse_is_closed_and_a_closed_one_takes_nothing(
    staff: Client, leeds: None
) -> None:
    adjust(staff, 3, warehouse="leeds")
    assert refusal(edit(staff, "leeds", {"active": False})) == (409, "warehouse_not_empty")
    transfer(staff, 3, "leeds", "main")
    assert edit(staff, "leeds", {"active": False}).json()["active"] is False
    for refused in (
        adjust(staff, 1, warehouse="leeds"),
        count(staff, on_hand=1, change_from=0, warehouse="leeds"),
        transfer(staff, 1, "main", "leeds"),
    ):
        assert refusal(refused) == (409, "warehouse_inactive")
    assert edit(staff, "leeds", {"active": True}).json()["active"] is True
    assert adjust(staff, 1, warehouse="leeds").status_code == 201


def test_the_main_warehouse_stays_open(staff: Client) -> None:
    assert refusal(edit(staff, "main", {"active": False})) == (409, "main_warehouse_needed")
    assert Warehouse.objects.get(pk="main").active


def test_warehouses_are_for_staff(client: Client, customer: Client, leeds: None) -> None:
    support = users.client_of(users.staff("support"))
    for caller, status in ((client, 401), (customer, 403)):
        assert caller.get(WAREHOUSES).status_code == status
        assert open_warehouse(caller, code="x", name="X").status_code == status
        assert transfer(caller, 1, "main", "leeds").status_code == status
    assert support.get(WAREHOUSES).status_code == 200
    assert open_warehouse(support, code="x", name="X").status_code == 403
    missing = support.get(f"{WAREHOUSES}/nowhere")
    assert refusal(missing) == (404, "warehouse_not_found")
