"""Whether an order's prices are with tax was decided when it was placed, whatever holds by now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from django.test import override_settings

from domains.orders.errors import TaxModeChanged
from domains.orders.services.editing import LineEdit
from domains.products.services import price_lists
from infrastructure.money import Money
from tests.support.after_placement import assert_books_agree, assert_order_agrees, reread
from tests.support.factories import orders
from tests.support.factories import pricing as prices
from tests.support.factories import products as goods
from tests.support.order_steps import edit, more

pytestmark = pytest.mark.django_db

TRADE = "trade"
WITH_TAX, WITHOUT_TAX = True, False


@pytest.fixture(autouse=True)
def _shop(now: datetime) -> None:
    goods.stocked({"A": 9, "B": 9}, now=now)
    prices.tax_rate("20", now=now)
    price_lists.name_channel(code=TRADE, name="Trade")


@contextmanager
def prices_are(with_tax: bool) -> Iterator[None]:
    with override_settings(PRICES_INCLUDE_TAX_EXCEPT_ON=[] if with_tax else [TRADE]):
        yield


@pytest.mark.parametrize(
    ("before", "total_minor", "tax_minor"), [(WITH_TAX, 2000, 333), (WITHOUT_TAX, 2400, 400)]
)
def test_an_order_that_is_edited_keeps_its_tax_where_it_was(
    now: datetime, before: bool, total_minor: int, tax_minor: int
) -> None:
    with prices_are(before):
        order = orders.placed({"A": 3}, channel=TRADE, now=now)

    with prices_are(not before):
        edit(order, now, lines=[more(order, "A", 2)])

    order = reread(order)
    assert order.prices_include_tax is before
    assert (order.total_minor, order.tax_minor) == (total_minor, tax_minor)
    assert_order_agrees(order.id)
    assert_books_agree(now)


@pytest.mark.parametrize("before", [WITH_TAX, WITHOUT_TAX])
def test_what_is_priced_otherwise_by_now_does_not_come_to_an_order(
    now: datetime, before: bool
) -> None:
    with prices_are(before):
        order = orders.placed({"A": 1}, channel=TRADE, now=now)

    with prices_are(not before), pytest.raises(TaxModeChanged) as refused:
        edit(order, now, lines=[more(order, "A", 2), LineEdit(sku="B", quantity=1)])

    assert [(f.pointer, f.code) for f in refused.value.errors] == [
        ("/lines/1/sku", "tax_mode_changed")
    ]
    with prices_are(before):
        edit(order, now, lines=[LineEdit(sku="B", quantity=1)], token="tok_visa")
    assert reread(order).total == Money(2000 if before else 2400, "GBP")
