"""The list of products."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from domains.products.services import inventory
from domains.products.services.products import (
    NewProduct,
    NewVariant,
    create_product,
    create_products,
)
from infrastructure.database.contexts import alias_of
from infrastructure.money import Money
from tests.support.factories import products
from tests.support.product_pages import LIST, names

pytestmark = pytest.mark.django_db


def test_a_row_tells_what_staff_ask_first(clerk: Client, now: datetime) -> None:
    products.category(name="Home", now=now)
    create_product(
        product=NewProduct(
            name="Lantern",
            status="active",
            categories=("home",),
            variants=tuple(
                NewVariant(sku=sku, prices=(Money(amount, "GBP"),))
                for sku, amount in (("A", 300), ("B", 450), ("C", 300), ("D", 300))
            ),
        ),
        actor_id=None,
        now=now,
    )
    inventory.set_stock(levels={"A": 1200, "B": 34}, reason="delivery", now=now)
    page = clerk.get(reverse(LIST))
    [product] = page.context["cl"].result_list
    screen = page.context["cl"].model_admin
    assert screen.skus(product) == "A, B, C and 1 more"
    assert screen.price(product) == "3.00 – 4.50 GBP"
    assert screen.stock(product) == "1,234"
    assert screen.categories(product) == "Home"
    assert "no-thumbnail" in screen.picture(product)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("red lan", ["Red lantern"]),
        ("LANTERN", ["Blue lantern", "Red lantern"]),
        ("R-1", ["Red lantern"]),
        ("r-", ["Red lantern"]),
        ("4006381333931", ["Blue lantern"]),
        ("erp-7", ["Blue lantern"]),
        ("lamp", []),
    ],
)
def test_products_are_found_by_words_skus_barcodes_and_external_ids(
    clerk: Client, now: datetime, words: str, found: list[str]
) -> None:
    products.product(now=now, name="Red lantern", sku="R-1", status="draft")
    create_product(
        product=NewProduct(
            name="Blue lantern",
            external_id="erp-7",
            variants=(NewVariant(sku="B-1", prices=(Money(1, "GBP"),), barcode="4006381333931"),),
        ),
        actor_id=None,
        now=now,
    )
    assert names(clerk.get(reverse(LIST), {"q": words})) == found


def test_products_are_filtered(clerk: Client, now: datetime) -> None:
    products.category(name="Home", now=now)
    products.category(name="Lights", parent="home", now=now)
    products.product(now=now, name="Sold", sku="A", stock=3, categories=("lights",))
    products.product(now=now, name="Empty", sku="B", status="draft")
    products.product(now=now, name="Gone", sku="C", status="archived")
    products.product(now=now, name="Low", sku="D", stock=2, categories=("home",))
    inventory.configure_stock(
        sku="D",
        settings={"low_stock_threshold": 2},
        change_from={"low_stock_threshold": None},
        reason="season",
        actor_id=None,
        now=now,
    )

    def listed(**filters: str) -> list[str]:
        return names(clerk.get(reverse(LIST), filters))

    assert listed() == ["Empty", "Low", "Sold"]
    assert listed(status="any") == ["Empty", "Gone", "Low", "Sold"]
    assert listed(status="archived") == ["Gone"]
    assert listed(status="draft") == ["Empty"]
    assert listed(stock="some") == ["Low", "Sold"]
    assert listed(stock="none") == ["Empty"]
    assert listed(stock="low") == ["Low"]
    assert listed(category="home") == ["Low", "Sold"]
    assert listed(category="lights") == ["Sold"]


@pytest.mark.parametrize("count", [1, 100])
def test_a_list_costs_the_same_statements_however_long(
    clerk: Client, now: datetime, count: int
) -> None:
    create_products(
        products=[
            NewProduct(
                name=f"Thing {n}",
                variants=(NewVariant(sku=f"S{n}", prices=(Money(100, "GBP"),)),),
            )
            for n in range(count)
        ],
        now=now,
    )
    with CaptureQueriesContext(connections[alias_of("products")]) as statements:
        page = clerk.get(reverse(LIST), {"all": ""})
    assert len(names(page)) == count
    about_products = [one for one in statements if "products_" in one["sql"]]
    assert len(about_products) == LIST_STATEMENTS


# How many there are, once for the filters and once in all; the page; its pictures; what is shown of
# it; the choices of the filters by type and by category.
LIST_STATEMENTS = 6
