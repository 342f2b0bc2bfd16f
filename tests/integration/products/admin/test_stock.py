"""Stock and warehouses in the admin."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from domains.products.admin import bulk
from domains.products.errors import StockChanged
from domains.products.models import StockItem, StockMovement, Warehouse
from domains.products.services import adjusting, inventory, warehouses
from infrastructure.database.contexts import alias_of
from tests.support.admin_pages import filled, text_of
from tests.support.factories import products

pytestmark = pytest.mark.django_db

STOCK = "admin:products_stockitem_changelist"


def page_of(sku: str) -> str:
    return reverse("admin:products_stockitem_change", args=[products.variant_id(sku)])


def told(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


# The list


@pytest.mark.parametrize(
    ("kind", "found"),
    [("short", "A"), ("none", "AB"), ("some", "CD"), ("low", "D"), ("backorder", "")],
)
def test_stock_is_filtered_by_availability(
    clerk: Client, now: datetime, kind: str, found: str
) -> None:
    products.stocked({"A": 2, "B": 0, "C": 1, "D": 1}, now=now)
    products.held({"A": 2}, now=now)
    inventory.count_stock(sku="A", on_hand=1, change_from=2, reason="count", actor_id=None, now=now)
    inventory.configure_stock(
        sku="D",
        settings={"low_stock_threshold": 1},
        change_from={"low_stock_threshold": None},
        reason="season",
        actor_id=None,
        now=now,
    )
    page = clerk.get(reverse(STOCK), {"availability": kind})
    assert [item.sku for item in page.context["cl"].result_list] == list(found)


def test_stock_is_found_by_sku_and_by_the_name_of_its_product(clerk: Client, now: datetime) -> None:
    products.product(now=now, sku="R-1", name="Red lantern")
    products.product(now=now, sku="B-1", name="Blue lantern")

    def found(**query: str) -> list[str]:
        page = clerk.get(reverse(STOCK), query)
        return [item.sku for item in page.context["cl"].result_list]

    assert found(q="R-") == ["R-1"]
    assert found(q="lantern") == ["B-1", "R-1"]
    assert found(warehouse="main") == []


def test_what_is_missing_is_said_in_the_list(clerk: Client, now: datetime) -> None:
    products.stocked({"A": 2}, now=now)
    products.held({"A": 2}, now=now)
    inventory.count_stock(sku="A", on_hand=1, change_from=2, reason="count", actor_id=None, now=now)
    page = text_of(clerk.get(reverse(STOCK), {"availability": "short"}))
    assert '<span class="bad">1 missing</span>' in page


@pytest.mark.parametrize("count", [1, 100])
def test_a_list_costs_the_same_statements_however_long(
    clerk: Client, now: datetime, count: int
) -> None:
    products.stocked({f"S{n}": 5 for n in range(count)}, now=now)
    with CaptureQueriesContext(connections[alias_of("products")]) as statements:
        page = clerk.get(reverse(STOCK), {"all": ""})
    assert len(page.context["cl"].result_list) == count
    # How many there are; the page with variants and products; its levels; its pictures; the
    # warehouses of the filter.
    assert len([one for one in statements if "products_" in one["sql"]]) == 5


# One SKU


def test_staff_adjust_with_a_reason_and_sending_it_twice_adjusts_once(
    clerk: Client, now: datetime
) -> None:
    products.product(now=now, sku="A", stock=3)
    form = filled(clerk.get(page_of("A"))) | {
        "do": "adjust",
        "adjust-delta": "-2",
        "adjust-reason": "broken",
    }
    assert told(clerk.post(page_of("A"), form, follow=True)) == ["A: -2, now 1 on hand."]
    again = clerk.post(page_of("A"), form, follow=True)
    assert told(again) == ["That was recorded already."]
    assert StockItem.objects.get().on_hand == 1
    movement = StockMovement.objects.order_by("id").last()
    assert movement is not None
    assert (movement.kind, movement.on_hand_delta, movement.reason) == ("ADJUSTMENT", -2, "broken")
    assert movement.actor_id is not None


def test_a_refused_adjustment_is_told_at_its_field_and_changes_nothing(
    clerk: Client, now: datetime
) -> None:
    products.product(now=now, sku="A", stock=3)
    form = filled(clerk.get(page_of("A"))) | {
        "do": "adjust",
        "adjust-delta": "-4",
        "adjust-reason": "broken",
    }
    page = clerk.post(page_of("A"), form)
    adjust = page.context["doings"][0].form
    assert adjust.errors == {"delta": ["There are 3 of A in main."]}
    missing = clerk.post(page_of("A"), form | {"adjust-reason": ""})
    assert missing.context["doings"][0].form.errors == {"reason": ["This field is required."]}
    assert StockItem.objects.get().on_hand == 3


def test_a_count_is_believed_only_against_what_its_counter_saw(
    clerk: Client, now: datetime
) -> None:
    products.product(now=now, sku="A", stock=3)
    form = filled(clerk.get(page_of("A"))) | {"do": "count-main", "count-main-on_hand": "5"}
    inventory.adjust_stock(sku="A", delta=4, reason="delivery", actor_id=None, now=now)
    stale = clerk.post(page_of("A"), form, follow=True)
    assert told(stale) == ["There are 7 of A, not 3. Nothing was saved; look again."]
    assert StockItem.objects.get().on_hand == 7
    fresh = filled(stale) | {"do": "count-main", "count-main-on_hand": "5"}
    assert told(clerk.post(page_of("A"), fresh, follow=True)) == [
        "A: counted 5, now 5 on hand in all."
    ]
    assert StockItem.objects.get().on_hand == 5


def test_goods_are_carried_to_another_warehouse(clerk: Client, now: datetime) -> None:
    warehouses.open_warehouse(code="leeds", name="Leeds", now=now)
    products.product(now=now, sku="A", stock=3)
    form = filled(clerk.get(page_of("A"))) | {
        "do": "transfer",
        "transfer-quantity": "2",
        "transfer-reason": "the shop is empty",
    }
    assert (form["transfer-from_warehouse"], form["transfer-to_warehouse"]) == ("main", "leeds")
    assert told(clerk.post(page_of("A"), form, follow=True)) == ["A: 2 carried to leeds."]
    levels = {level.warehouse_id: level.on_hand for level in StockItem.objects.get().levels}
    assert levels == {"main": 1, "leeds": 2}
    same = form | {"transfer-to_warehouse": "main", "transfer-token": "0" * 32}
    page = clerk.post(page_of("A"), same)
    [transfer] = [one.form for one in page.context["doings"] if one.what == "transfer"]
    assert transfer.errors == {"to_warehouse": ["The goods are in main already."]}


def test_backorders_and_the_threshold_are_set_from_what_was_seen(
    clerk: Client, now: datetime
) -> None:
    products.product(now=now, sku="A", stock=3)
    form = filled(clerk.get(page_of("A"))) | {
        "do": "settings",
        "settings-backorder_limit": "10",
        "settings-low_stock_threshold": "5",
        "settings-reason": "season",
    }
    assert told(clerk.post(page_of("A"), form, follow=True)) == ["A: the settings are saved."]
    item = StockItem.objects.get()
    assert (item.backorder_limit, item.low_stock_threshold) == (10, 5)
    stale = clerk.post(page_of("A"), form | {"settings-backorder_limit": "20"}, follow=True)
    assert told(stale) == [
        "The settings of A are not what was believed. Nothing was saved; look again."
    ]
    assert StockItem.objects.get().backorder_limit == 10


def test_the_page_says_who_holds_it_and_what_happened(clerk: Client, now: datetime) -> None:
    products.product(now=now, sku="A", stock=3)
    order_id = products.held({"A": 2}, now=now)
    page = text_of(clerk.get(page_of("A")))
    assert f"order {order_id}" in page
    assert "delivery" in page


def test_readers_see_the_stock_and_adjust_nothing(reader: Client, now: datetime) -> None:
    products.product(now=now, sku="A", stock=3)
    page = reader.get(page_of("A"))
    assert "Add or take away" not in text_of(page)
    answer = reader.post(page_of("A"), {"do": "adjust", "adjust-delta": "1"})
    assert answer.status_code == 403
    form = {"action": "adjust", "_selected_action": [str(products.variant_id("A"))]}
    sent = {"delta": "1", "reason": "x", "token": "0" * 32, "step": "apply", "seen": ""}
    reader.post(reverse(STOCK), form | sent)
    assert StockItem.objects.get().on_hand == 3


# Several SKUs


def chosen(*skus: str, **more: Any) -> dict[str, Any]:
    ids = [str(products.variant_id(sku)) for sku in skus]
    return {"action": "adjust", "_selected_action": ids, **more}


def previewed(client: Client, form: dict[str, Any]) -> Any:
    """The page that shows what would become of it."""
    asked = client.post(reverse(STOCK), chosen_of(form))
    assert asked.context["preview"] is None
    return client.post(reverse(STOCK), form | {"step": "preview", "token": filled(asked)["token"]})


def chosen_of(form: dict[str, Any]) -> dict[str, Any]:
    return {name: form[name] for name in ("action", "_selected_action")}


def agreed(form: dict[str, Any], page: Any) -> dict[str, Any]:
    shown = filled(page)
    return form | {"step": "apply", "seen": shown["seen"], "token": shown["token"]}


def on_hand() -> dict[str, int]:
    return {item.sku: item.on_hand for item in StockItem.objects.all()}


def test_several_are_adjusted_as_their_preview_said(clerk: Client, now: datetime) -> None:
    products.stocked({"A": 3, "B": 1, "C": 4}, now=now)
    products.held({"C": 3}, now=now)
    form = chosen("A", "B", "C", delta="-2", reason="broken")
    page = previewed(clerk, form)
    assert [
        (row.sku, row.there, row.then, row.held, row.left, row.is_short, row.refusal)
        for row in page.context["preview"].rows
    ] == [
        ("A", 3, 1, 0, 1, False, ""),
        ("B", 1, 1, 0, 1, False, "There are 1 of B in main."),
        ("C", 4, 2, 3, -1, True, ""),
    ]
    for sentence in (
        "2 SKUs in main",
        "1 of them promised beyond the stock then",
        "1 cannot be adjusted",
        "Less than is promised already.",
    ):
        assert sentence in text_of(page)
    assert on_hand() == {"A": 3, "B": 1, "C": 4}
    sent = agreed(form, page)
    answer = clerk.post(reverse(STOCK), sent, follow=True)
    assert told(answer) == ["2 SKUs adjusted by -2.", "B: There are 1 of B in main."]
    assert on_hand() == {"A": 1, "B": 1, "C": 2}
    reasons = StockMovement.objects.filter(on_hand_delta=-2).values_list("reason", flat=True)
    assert list(reasons) == ["broken", "broken"]
    again = clerk.post(reverse(STOCK), sent, follow=True)
    assert told(again) == ["That was recorded already."]
    assert on_hand() == {"A": 1, "B": 1, "C": 2}


def test_an_adjustment_that_became_another_one_is_shown_again(clerk: Client, now: datetime) -> None:
    products.stocked({"A": 3, "B": 5}, now=now)
    form = chosen("A", "B", delta="-2", reason="broken")
    page = previewed(clerk, form)
    inventory.adjust_stock(sku="A", delta=-2, reason="sold", actor_id=None, now=now)
    again = clerk.post(reverse(STOCK), agreed(form, page))
    assert "Nothing was adjusted: meanwhile something has changed." in text_of(again)
    rows = [(row.sku, row.there, row.then, row.refusal) for row in again.context["preview"].rows]
    assert rows == [("A", 1, 1, "There are 1 of A in main."), ("B", 5, 3, "")]
    assert on_hand() == {"A": 1, "B": 5}
    # Nor is another adjustment made than the one that was shown.
    more = clerk.post(reverse(STOCK), agreed(form, again) | {"delta": "-3"})
    assert more.context["outdated"]
    assert on_hand() == {"A": 1, "B": 5}
    done = clerk.post(reverse(STOCK), agreed(form, again), follow=True)
    assert told(done) == ["1 SKU adjusted by -2.", "A: There are 1 of A in main."]
    assert on_hand() == {"A": 1, "B": 3}


def test_that_more_is_held_matters_to_a_preview_only_where_it_is_too_much(
    clerk: Client, now: datetime
) -> None:
    products.stocked({"A": 9}, now=now)
    form = chosen("A", delta="-2", reason="broken")
    page = previewed(clerk, form)
    products.held({"A": 7}, now=now)
    assert told(clerk.post(reverse(STOCK), agreed(form, page), follow=True)) == [
        "1 SKU adjusted by -2."
    ]
    inventory.adjust_stock(sku="A", delta=3, reason="delivery", actor_id=None, now=now)
    page = previewed(clerk, form)
    products.held({"A": 2}, now=now)
    short = clerk.post(reverse(STOCK), agreed(form, page))
    [row] = short.context["preview"].rows
    assert (short.context["outdated"], row.is_short, row.left) == (True, True, -1)
    assert on_hand() == {"A": 10}


def test_an_adjustment_by_nothing_is_told_of_each(clerk: Client, now: datetime) -> None:
    products.stocked({"A": 3}, now=now)
    page = previewed(clerk, chosen("A", delta="0", reason="none"))
    [row] = page.context["preview"].rows
    assert row.refusal == "An adjustment by nothing is none."
    assert "Adjust 0" not in text_of(page)
    missing = previewed(clerk, chosen("A", delta="1", reason=""))
    assert missing.context["form"].errors == {"reason": ["This field is required."]}
    assert missing.context["preview"] is None


def test_each_page_says_that_it_is_about_the_first_of_too_many(
    clerk: Client, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MOST", 2)
    products.stocked({"A": 3, "B": 5, "C": 7}, now=now)
    asked = clerk.post(reverse(STOCK), chosen("A", "B", "C"))
    said = {"delta": "1", "reason": "found"}
    page = clerk.post(reverse(STOCK), filled(asked) | said | {"step": "preview"})
    inventory.adjust_stock(sku="A", delta=1, reason="found", actor_id=None, now=now)
    again = clerk.post(reverse(STOCK), filled(page) | {"step": "apply"})
    for shown in (asked, page, again):
        assert (
            "More than 2 SKUs are selected. This is about the first 2 of them, in their order;"
            " for all, import a file of stock."
        ) in text_of(shown)
    done = clerk.post(reverse(STOCK), filled(again) | {"step": "apply"}, follow=True)
    assert told(done) == ["2 SKUs adjusted by +1."]
    assert on_hand() == {"A": 5, "B": 6, "C": 7}


def test_what_was_seen_of_many_is_adjusted_in_all_or_in_none(now: datetime) -> None:
    products.stocked({"A": 3, "B": 5}, now=now)
    terms: dict[str, Any] = {"delta": -1, "reason": "broken", "actor_id": None, "warehouse": "main"}
    with pytest.raises(StockChanged, match=r"There are 5 of B in main, not 4\."):
        adjusting.adjust_stock_of_many(believed={"A": 3, "B": 4}, now=now, **terms)
    assert on_hand() == {"A": 3, "B": 5}


# Warehouses


def test_a_warehouse_is_opened_corrected_and_closed_when_it_is_empty(
    clerk: Client, now: datetime
) -> None:
    add = reverse("admin:products_warehouse_add")
    assert clerk.post(add, {"code": "leeds", "name": "Leeds", "address": ""}).status_code == 302
    taken = clerk.post(add, {"code": "leeds", "name": "Again"})
    assert taken.context["form"].errors == {"code": ["There is a warehouse leeds already."]}
    products.product(now=now, sku="A")
    inventory.adjust_stock(
        sku="A", delta=1, reason="delivery", warehouse="leeds", actor_id=None, now=now
    )
    page = reverse("admin:products_warehouse_change", args=["leeds"])
    form = filled(clerk.get(page)) | {"name": "Leeds North"}
    del form["active"]
    refused = clerk.post(page, form)
    assert list(refused.context["form"].errors) == ["active"]
    inventory.adjust_stock(
        sku="A", delta=-1, reason="sold", warehouse="leeds", actor_id=None, now=now
    )
    assert clerk.post(page, form).status_code == 302
    leeds = Warehouse.objects.get(pk="leeds")
    assert (leeds.name, leeds.active) == ("Leeds North", False)
    stale = clerk.post(page, form | {"name": "Too late"})
    assert stale.status_code == 200
    assert Warehouse.objects.get(pk="leeds").name == "Leeds North"
