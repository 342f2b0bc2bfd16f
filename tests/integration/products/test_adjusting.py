"""Adjustments of many SKUs by several members of staff, while buyers buy."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import pytest

from domains.products.errors import StockChanged
from domains.products.models import StockItem, StockMovement
from domains.products.services import adjusting
from infrastructure.database.threads import in_threads
from tests.support.factories import products
from tests.support.stock import assert_books_are_right


@pytest.mark.django_db(transaction=True)
def test_of_those_who_saw_the_same_one_adjusts_and_the_rest_look_again(now: datetime) -> None:
    """In whatever order they name the SKUs, and whoever holds some of them meanwhile."""
    products.stocked(dict.fromkeys("ABC", 20), now=now)
    outcomes: Counter[str] = Counter()

    def work(number: int) -> None:
        skus = "ABC" if number % 2 else "CBA"
        if number >= 6:
            products.held(dict.fromkeys(skus, 1), now=now)
            return
        try:
            adjusting.adjust_stock_of_many(
                believed=dict.fromkeys(skus, 20),
                delta=-1,
                reason="broken",
                actor_id=None,
                now=now,
                warehouse="main",
            )
        except StockChanged:
            outcomes["stale"] += 1
        else:
            outcomes["adjusted"] += 1

    in_threads(work, range(12), threads=6)
    assert outcomes == {"adjusted": 1, "stale": 5}
    assert {(item.on_hand, item.held) for item in StockItem.objects.all()} == {(19, 6)}
    assert StockMovement.objects.filter(reason="broken").count() == 3
    assert_books_are_right()
