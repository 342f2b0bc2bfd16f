"""Products in bulk, offers, races for a slug and a price, and the indexes behind the reads."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from domains.products.errors import SkuTaken, VariantNotFound
from domains.products.models import Price, Product, StockItem, Warehouse
from domains.products.public import (
    NewProduct,
    NewVariant,
    NotOffered,
    Offer,
    categories_of,
    create_products,
    event_counts,
    offers,
    set_stock,
    stock_audit,
    why_not_offered,
)
from domains.products.services import inventory, prices
from domains.products.services import products as services
from infrastructure.database.contexts import alias_of
from infrastructure.database.threads import in_threads
from infrastructure.http import idempotency
from infrastructure.http.idempotency import Duplicate, IdempotencyKey
from infrastructure.money import Money
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import products


def new(name: str, sku: str, **fields: Any) -> NewProduct:
    variant = NewVariant(sku=sku, prices=(Money(250, "GBP"),))
    return NewProduct(name=name, status="active", variants=(variant,), **fields)


@pytest.mark.django_db
def test_many_products_are_made_with_prices_stock_and_facts(now: datetime) -> None:
    # More than one batch, and a name that many have.
    items = [new(f"Lantern {n % 300}", f"S{n}") for n in range(600)]
    ids = create_products(products=items, now=now)
    assert len(set(ids)) == Product.objects.count() == 600
    assert Product.objects.filter(slug__in=["lantern-7", "lantern-7-2"]).count() == 2
    assert Price.objects.count() == StockItem.objects.count() == 600
    set_stock(levels={f"S{n}": n for n in range(600)}, reason="opening stock", now=now)
    for stock in stock_audit():
        assert stock.on_hand == stock.ledger_on_hand == stock.levels_on_hand == int(stock.sku[1:])
    messages = OutboxMessage.objects.using(alias_of("products"))
    recorded = {str(key): n for key, _, n in event_counts()}
    # One for each product and price; S0 was counted and found to be what it was.
    assert sum(recorded.values()) == messages.count() == 600 + 600 + 599 * 2
    assert list(recorded) == sorted(recorded)


@pytest.mark.django_db
def test_a_batch_with_a_taken_sku_leaves_nothing(now: datetime) -> None:
    products.product(now=now, sku="A")
    with pytest.raises(SkuTaken):
        create_products(products=[new("One", "B"), new("Two", "A")], now=now)
    assert set(StockItem.objects.values_list("sku", flat=True)) == {"A"}


@pytest.mark.django_db
def test_the_stock_of_an_unknown_sku_cannot_be_set(now: datetime) -> None:
    products.product(now=now, sku="A")
    with pytest.raises(VariantNotFound):
        set_stock(levels={"A": 1, "B": 1}, reason="count", now=now)
    assert StockItem.objects.get().on_hand == 0


@pytest.mark.django_db
def test_offers_tell_price_and_what_is_left_in_one_statement(
    now: datetime, django_assert_num_queries: Any
) -> None:
    lantern = products.product(now=now, name="Lantern", sku="85123A", stock=5, backorder_limit=2)
    cup = services.create_product(
        product=NewProduct(
            name="Cup",
            variants=(
                NewVariant(
                    sku="85123a",
                    prices=(Money(339, "GBP"),),
                    tax_class="books",
                    weight_g=250,
                ),
            ),
        ),
        actor_id=None,
        now=now,
    )
    prices.set_price(sku="85123a", money=Money(300, "GBP"), kind="sale", actor_id=None, now=now)
    products.product(now=now, name="Bell", sku="no price", price_minor=None)
    products.held({"85123A": 3}, now=now)
    skus = ["85123A", "85123a", "no price", "unknown", "{,\"'"]
    with django_assert_num_queries(1, using=alias_of("products")):
        found = offers(dict.fromkeys(skus, 1), currency="GBP", now=now)
    assert found == {
        "85123A": Offer(
            variant_id=products.variant_id("85123A"),
            product_id=lantern,
            sku="85123A",
            name="Lantern",
            unit_price=Money(339, "GBP"),
            available=4,
            active=True,
            tax_class="standard",
            weight_g=None,
            on_sale=False,
        ),
        "85123a": Offer(
            variant_id=products.variant_id("85123a"),
            product_id=cup,
            sku="85123a",
            name="Cup",
            unit_price=Money(300, "GBP"),
            available=0,
            active=False,
            tax_class="books",
            weight_g=250,
            on_sale=True,
        ),
    }
    assert offers(dict.fromkeys(skus, 1), currency="EUR", now=now) == {}


@pytest.mark.django_db
def test_why_something_is_not_offered_is_told_in_one_statement(
    now: datetime, django_assert_num_queries: Any
) -> None:
    products.product(now=now, sku="A")
    products.product(now=now, sku="B", status="draft")
    with django_assert_num_queries(1, using=alias_of("products")):
        assert why_not_offered(["A", "B", "C"], currency="EUR") == {
            "A": NotOffered("not_sold_in_currency", "A is not sold in EUR."),
            "B": NotOffered("unknown_sku", "B is not sold here."),
            "C": NotOffered("unknown_sku", "C is not sold here."),
        }
    with django_assert_num_queries(0, using=alias_of("products")):
        assert why_not_offered([], currency="EUR") == {}


@pytest.mark.django_db
def test_the_categories_of_products_include_those_above_them(
    now: datetime, django_assert_num_queries: Any
) -> None:
    products.category(name="Home", now=now)
    products.category(name="Light", parent="home", now=now)
    products.category(name="Sale", now=now)
    lantern = products.product(now=now, sku="A", categories=("light", "sale"))
    bell = products.product(now=now, sku="B", name="Bell")
    with django_assert_num_queries(1, using=alias_of("products")):
        found = categories_of([lantern, bell])
    assert found == {lantern: frozenset({"home", "light", "sale"})}


@pytest.mark.django_db
def test_the_main_warehouse_is_always_there() -> None:
    assert list(Warehouse.objects.values_list("code", flat=True)) == ["main"]


@pytest.mark.django_db(transaction=True)
def test_products_of_one_name_made_at_once_get_different_slugs(now: datetime) -> None:
    def make(number: int) -> None:
        services.create_product(product=new("Lantern", f"S{number}"), actor_id=None, now=now)

    in_threads(make, range(3), threads=3)
    slugs = set(Product.objects.values_list("slug", flat=True))
    assert slugs == {"lantern", "lantern-2", "lantern-3"}


@pytest.mark.django_db(transaction=True)
def test_a_price_that_many_set_at_once_is_one_price_with_a_whole_history(now: datetime) -> None:
    products.product(now=now, sku="A", price_minor=None)

    def price(amount_minor: int) -> None:
        prices.set_price(sku="A", money=Money(amount_minor, "GBP"), actor_id=None, now=now)

    in_threads(price, range(1, 41), threads=8)
    found = Price.objects.get()
    numbers = list(found.entry_rows.order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, 41))
    assert found.events_recorded == found.version == found.entries_recorded == 40
    last = found.entry_rows.get(ended_at=None)
    assert (last.number, last.amount_minor) == (40, found.amount_minor)
    last = OutboxMessage.objects.using(alias_of("products")).filter(key=str(found.id)).last()
    assert last is not None
    assert f'"amount_minor":{found.amount_minor}' in last.payload


@pytest.mark.django_db(transaction=True)
def test_one_key_from_many_threads_adjusts_once(now: datetime) -> None:
    products.product(now=now, sku="A")
    key = IdempotencyKey(client="c", route="r", key="k", fingerprint=b"f")
    outcomes: list[str] = []

    def adjust(_: int) -> None:
        try:
            inventory.adjust_stock(
                sku="A", delta=5, reason="delivery", actor_id=None, now=now, idempotency=key
            )
        except Duplicate:
            outcomes.append("duplicate")
        else:
            outcomes.append("adjusted")

    in_threads(adjust, range(8), threads=8)
    assert sorted(outcomes) == ["adjusted"] + ["duplicate"] * 7
    assert StockItem.objects.get().on_hand == 5
    assert idempotency.find(alias_of("products"), key) == products.variant_id("A")
