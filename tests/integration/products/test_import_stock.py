from __future__ import annotations

from datetime import datetime

import pytest

from domains.products.models import (
    StockItem,
    StockMovement,
)
from domains.products.services import inventory, warehouses
from tests.support.files import bring, counts, faults
from tests.support.imports import load_all

pytestmark = pytest.mark.django_db


def test_counts_and_changes_of_stock_are_in_the_ledger(now: datetime) -> None:
    load_all(now)
    warehouses.open_warehouse(code="north", name="North", now=now)
    done = bring(
        "stock",
        "sku,warehouse,on_hand,change_from,delta,reason\n"
        "H1-S,,10,,,opening\n"
        "H1-S,north,5,0,,\n"
        "H1-S,,,,-3,broken\n"
        "C1,,7,3,,\n"
        "C1,,,,-1,\n"
        "C1,,,,,\n"
        "NOTHING,,1,,,\n"
        "C1,,0,,,\n",
        now=now,
    )
    assert faults(done) == [
        (5, "change_from", "stock_changed"),
        (6, "", "negative_stock"),
        (7, "", "invalid"),
        (8, "sku", "variant_not_found"),
    ]
    assert counts(done) == (0, 3, 1, 4)
    hoodie = StockItem.objects.get(sku="H1-S")
    assert (hoodie.on_hand, hoodie.in_warehouse("main"), hoodie.in_warehouse("north")) == (12, 7, 5)
    ledger = StockMovement.objects.filter(stock_item=hoodie).order_by("id")
    assert list(ledger.values_list("on_hand_delta", "reason")) == [
        (10, "opening"),
        (5, "import"),
        (-3, "broken"),
    ]


def test_a_closed_warehouse_costs_its_own_rows(now: datetime) -> None:
    load_all(now)
    done = bring("stock", "sku,warehouse,on_hand\nH1-S,nowhere,1\nH1-M,,2\n", now=now)
    assert faults(done) == [(2, "", "unknown_warehouse")]
    assert StockItem.objects.get(sku="H1-M").on_hand == 2


def test_a_hold_between_two_imports_is_kept(now: datetime) -> None:
    load_all(now)
    inventory.set_stock(levels={"C1": 5}, reason="delivery", now=now)
    assert counts(bring("stock", "sku,on_hand\nC1,5\n", now=now)) == (0, 0, 1, 0)
    assert counts(bring("stock", "sku,on_hand\nC1,6\n", now=now)) == (0, 1, 0, 0)
    assert StockItem.objects.get(sku="C1").on_hand == 6
