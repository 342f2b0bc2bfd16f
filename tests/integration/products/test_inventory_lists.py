"""What staff decide about a SKU, and the lists that tell them what needs their attention."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from domains.products.models import StockItem, StockMovement
from domains.products.public import Held, hold
from domains.products.services import inventory, warehouses
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import products

pytestmark = pytest.mark.django_db

LIST = "/api/v1/inventory"


def configure(client: Client, sku: str, **body: Any) -> Any:
    return client.patch(f"{LIST}/{sku}", body, content_type="application/json")


def told(sku: str) -> list[str]:
    key = str(products.variant_id(sku))
    rows = OutboxMessage.objects.using(alias_of("products")).filter(key=key).order_by("id")
    return [row.name.removeprefix("products.stock_") for row in rows]


def skus(client: Client, path: str = LIST, **query: Any) -> list[str]:
    return [item["sku"] for item in client.get(path, query).json()["items"]]


def test_a_backorder_limit_makes_a_sku_available_and_its_end_unavailable(
    staff: Client, now: datetime
) -> None:
    products.stocked({"A": 1}, now=now)
    products.held({"A": 1}, now=now)
    before = len(told("A"))
    raised = configure(staff, "A", backorder_limit=2, change_from={"backorder_limit": 0})
    assert (raised.json()["available"], raised.json()["backorder_limit"]) == (2, 2)
    lines = products.lines({"A": 2})
    assert hold(order_id=new_id(), lines=lines, now=now) == Held()
    ended = configure(
        staff, "A", backorder_limit=0, change_from={"backorder_limit": 2}, reason="no supplier"
    )
    assert ended.json()["available"] == -2
    assert told("A")[before:] == ["availability_changed", "availability_changed", "short"]
    movements = StockMovement.objects.filter(kind="LIMIT").order_by("id")
    assert list(movements.values_list("backorder_delta", "on_hand_delta", "reason")) == [
        (2, 0, "settings"),
        (-2, 0, "no supplier"),
    ]
    assert movements[0].actor_id is not None


def test_a_threshold_tells_at_once_when_there_is_less_already(staff: Client, now: datetime) -> None:
    products.stocked({"A": 4}, now=now)
    changed = configure(
        staff, "A", low_stock_threshold=5, change_from={"low_stock_threshold": None}
    )
    assert (changed.json()["low"], changed.json()["low_stock_threshold"]) == (True, 5)
    assert told("A")[-1] == "low"
    message = OutboxMessage.objects.using(alias_of("products")).get(name="products.stock_low")
    assert json.loads(message.payload) == {
        "variant_id": str(products.variant_id("A")),
        "sku": "A",
        "available": 4,
        "threshold": 5,
    }
    # Still low: nothing new. Above and down again: told again.
    configure(staff, "A", low_stock_threshold=6, change_from={"low_stock_threshold": 5})
    inventory.adjust_stock(sku="A", delta=5, reason="delivery", actor_id=None, now=now)
    inventory.adjust_stock(sku="A", delta=-3, reason="broken", actor_id=None, now=now)
    assert told("A").count("low") == 2


def test_settings_are_changed_from_what_they_are_only(staff: Client, now: datetime) -> None:
    products.stocked({"A": 4}, now=now)
    refused = configure(
        staff,
        "A",
        backorder_limit=3,
        low_stock_threshold=1,
        change_from={"backorder_limit": 1, "low_stock_threshold": None},
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "stock_changed")
    assert [(e["pointer"], e["current"]) for e in refused.json()["errors"]] == [
        ("/change_from/backorder_limit", 0)
    ]
    unnamed = configure(staff, "A", backorder_limit=3, change_from={})
    assert unnamed.json()["errors"][0]["current"] == 0
    item = StockItem.objects.get(sku="A")
    assert (item.backorder_limit, item.low_stock_threshold, item.version) == (0, None, 2)
    assert configure(staff, "A", change_from={}).status_code == 200


def test_the_list_is_filtered_and_paged_by_sku(
    staff: Client, now: datetime, django_assert_num_queries: Any
) -> None:
    products.stocked({"A1": 1, "A2": 9, "a3": 9, "B1": 0}, now=now)
    warehouses.open_warehouse(code="leeds", name="Leeds", now=now)
    inventory.adjust_stock(
        sku="A2", delta=1, reason="delivery", actor_id=None, warehouse="leeds", now=now
    )
    for sku in ("A1", "A2"):
        configure(staff, sku, low_stock_threshold=5, change_from={"low_stock_threshold": None})
    assert skus(staff, sku="A") == ["A1", "A2"]
    assert skus(staff, warehouse="leeds") == ["A2"]
    assert skus(staff, low="true") == ["A1"]
    assert sorted(skus(staff, low="false")) == ["A2", "B1", "a3"]
    with django_assert_num_queries(2, using=alias_of("products")):
        first = staff.get(LIST, {"limit": 3, "short": "false"}).json()
    query = {"limit": "3", "short": "false", "cursor": str(first["next"])}
    rest = staff.get(LIST, query).json()
    seen = [item["sku"] for item in first["items"] + rest["items"]]
    assert (len(first["items"]), sorted(seen)) == (3, ["A1", "A2", "B1", "a3"])
    assert next(item for item in first["items"] if item["sku"] == "A2")["warehouses"] == [
        {"warehouse": "leeds", "on_hand": 1},
        {"warehouse": "main", "on_hand": 9},
    ]


def test_shortages_are_listed_with_what_is_missing(staff: Client, now: datetime) -> None:
    products.stocked({"A": 5, "B": 5, "C": 5}, now=now)
    products.held({"A": 5, "B": 4, "C": 5}, now=now)
    inventory.set_stock(levels={"A": 2, "B": 4}, reason="count", now=now)
    assert staff.get(f"{LIST}/shortages").json() == {
        "items": [{"sku": "A", "on_hand": 2, "held": 5, "backorder_limit": 0, "missing": 3}],
        "next": None,
    }
    assert skus(staff, short="true") == ["A"]


def test_backorders_are_listed_apart_from_shortages(staff: Client, now: datetime) -> None:
    products.stocked({"A": 0, "B": 2}, now=now)
    configure(staff, "A", backorder_limit=3, change_from={"backorder_limit": 0})
    products.held({"A": 2, "B": 2}, now=now)

    assert staff.get(f"{LIST}/shortages").json() == {"items": [], "next": None}
    assert skus(staff, backordered="true") == ["A"]
    assert skus(staff, backordered="false") == ["B"]


def test_movements_name_their_cause(staff: Client, now: datetime) -> None:
    products.stocked({"A": 5}, now=now)
    order_id = products.held({"A": 2}, now=now)
    found = staff.get(f"{LIST}/A/movements").json()["items"]
    assert [(m["kind"], m["order_id"], m["cart_id"], m["reason"]) for m in found] == [
        ("HOLD", str(order_id), None, ""),
        ("COUNT", None, None, "delivery"),
    ]


def test_lists_are_for_staff(client: Client, customer: Client) -> None:
    for path in (LIST, f"{LIST}/shortages"):
        assert client.get(path).status_code == 401
        assert customer.get(path).status_code == 403
