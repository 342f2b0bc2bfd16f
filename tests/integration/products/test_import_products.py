from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.test.utils import CaptureQueriesContext

from domains.products.models import (
    Listing,
    Price,
    Product,
    StockItem,
)
from domains.products.services import products
from infrastructure.database.contexts import connection_of
from tests.support.factories.products import product
from tests.support.files import bring, counts, faults, written
from tests.support.imports import CATEGORIES, PRODUCTS, TYPES, events, load_all

pytestmark = pytest.mark.django_db


def test_a_file_makes_products_whole(now: datetime) -> None:
    load_all(now)

    hoodie = Product.objects.get(external_id="H1")
    assert (hoodie.slug, hoodie.status, hoodie.version) == ("hoodie", "active", 1)
    assert hoodie.attributes == {"material": "wool", "climate": ["cool", "hot"], "layers": 2.5}
    assert [text.told["name"] for text in hoodie.texts] == ["Kapuze"]
    assert [link.category.slug for link in hoodie.categories] == ["hoodies", "tops"]
    assert [(v.sku, v.options, v.attributes, v.weight_g) for v in hoodie.variants] == [
        ("H1-S", {"size": "S"}, {"sleeve": 61, "washable": True}, 300),
        ("H1-M", {"size": "M"}, {"sleeve": 62, "washable": False}, 310),
    ]
    assert set(Price.objects.values_list("sku", "currency", "amount_minor")) == {
        ("H1-S", "EUR", 5200),
        ("H1-M", "EUR", 5200),
        ("C1", "EUR", 990),
    }
    assert set(Price.objects.values_list("version", "events_recorded")) == {(1, 1)}
    assert StockItem.objects.count() == 3
    assert Listing.objects.filter(product=hoodie).count() == 1
    assert sorted(events()) == ["products.price_changed"] * 3 + ["products.product_created"] * 2


def test_the_same_file_again_writes_and_publishes_nothing(now: datetime) -> None:
    load_all(now)
    before = written()
    later = now + timedelta(days=1)
    assert counts(bring("product-types", TYPES, now=later)) == (0, 0, 1, 0)
    assert counts(bring("categories", CATEGORIES, now=later)) == (0, 0, 2, 0)
    assert counts(bring("products", PRODUCTS, now=later)) == (0, 0, 2, 0)
    assert written() == before


def test_only_what_a_row_names_and_what_differs_is_changed(now: datetime) -> None:
    load_all(now)
    done = bring(
        "products",
        "external_id,sku,name,name.de,attr.layers,attr.climate,option.size,price.EUR,price.USD\n"
        "H1,H1-S,Hooded jacket,\\N,3,\\N,XS,49.00,55.00\n"
        "H1,H1-L,,,,,L,52.00,\n"
        "C1,C1,Cap,,,,,9.90,\n",
        now=now,
    )
    assert (counts(done), faults(done)) == ((0, 1, 1, 0), [])

    hoodie = Product.objects.get(external_id="H1")
    assert (hoodie.name, hoodie.slug) == ("Hooded jacket", "hoodie")
    assert hoodie.texts == []
    assert hoodie.attributes == {"material": "wool", "layers": 3}
    assert [(v.sku, v.options, v.position) for v in hoodie.variants] == [
        ("H1-S", {"size": "XS"}, 0),
        ("H1-M", {"size": "M"}, 1),
        ("H1-L", {"size": "L"}, 2),
    ]
    assert set(Price.objects.filter(sku__startswith="H1").values_list("sku", "amount_minor")) == {
        ("H1-S", 4900),
        ("H1-S", 5500),
        ("H1-M", 5200),
        ("H1-L", 5200),
    }
    assert StockItem.objects.filter(sku="H1-L").exists()
    assert Product.objects.get(external_id="C1").version == 1


def test_products_are_found_by_external_id_slug_or_sku(now: datetime) -> None:
    product_id = product(now=now, name="Lantern", sku="L1")
    file = "external_id,slug,sku,weight_g,name\n"
    assert counts(bring("products", file + ",,L1,5,\n", now=now)) == (0, 1, 0, 0)
    assert counts(bring("products", file + ",lantern,L1,6,\n", now=now)) == (0, 1, 0, 0)
    assert counts(bring("products", file + "EXT,,L1,7,\n", now=now)) == (0, 1, 0, 0)
    assert counts(bring("products", file + "EXT,,,,Lamp\n", now=now)) == (0, 1, 0, 0)
    lamp = Product.objects.get(pk=product_id)
    assert (lamp.name, lamp.external_id, lamp.variants[0].weight_g) == ("Lamp", "EXT", 7)
    products.edit_product(product_id=product_id, version=None, now=now, slug="lamp")
    assert counts(bring("products", file + ",lantern,L1,8,\n", now=now)) == (0, 1, 0, 0)


def test_every_fault_is_told_with_its_row_and_column(now: datetime) -> None:
    load_all(now)
    product(now=now, name="Other", sku="TAKEN", external_id="O")
    before = written()
    done = bring(
        "products",
        "external_id,slug,sku,name,status,product_type,categories,attr.material,price.EUR\n"
        "N1,,N1,,,,,,\n"  # 2: no name
        "N2,,N2,Name,,nothing,,,\n"  # 3: no such type
        "N3,,N3,Name,,,nowhere,,\n"  # 4: no such category
        "N4,,N4,Name,,top,,silk,\n"  # 5: no such choice
        "N5,,N5,Name,active,top,,,\n"  # 6: a required attribute
        "N6,,TAKEN,Name,,,,,\n"  # 7: another product's SKU
        "N7,,N7,Name,sold,,,,\n"  # 8: no such status
        "N8,n8,N8,Name,,,,,1.005\n"  # 9: too many decimals
        "H1,,H1-S,,,,,silk,\n"  # 10: what is there stays as it is
        "N10,,,Name,,,,,\n",  # 11: nothing to sell
        now=now,
    )
    assert faults(done) == [
        (2, "name", "required"),
        (3, "product_type", "unknown_product_type"),
        (4, "categories", "unknown_category"),
        (5, "attr.material", "unknown_choice"),
        (6, "attr.material", "attribute_required"),
        (7, "sku", "sku_taken"),
        (8, "status", "invalid_choice"),
        (9, "price.EUR", "too_many_decimals"),
        (10, "attr.material", "unknown_choice"),
        (11, "", "nothing_to_sell"),
    ]
    assert (counts(done), done.failed, done.done) == ((0, 0, 0, 10), 10, 10)
    assert written() == before


def test_a_row_of_a_product_that_is_refused_keeps_the_others(now: datetime) -> None:
    product(now=now, name="Other", sku="TAKEN", external_id="O")
    done = bring(
        "products",
        "external_id,sku,name,weight_g\nP,P-1,Pot,5\nP,TAKEN,,5\nP,P-2,,heavy\nP,P-3,,7\n",
        now=now,
    )
    assert faults(done) == [(3, "sku", "sku_taken"), (4, "weight_g", "invalid_type")]
    assert (counts(done), done.failed) == ((1, 0, 0, 0), 2)
    assert [v.sku for v in Product.objects.get(external_id="P").variants] == ["P-1", "P-3"]


def test_a_line_of_json_is_taken_whole_or_not(now: datetime) -> None:
    product(now=now, name="Other", sku="TAKEN", external_id="O")
    done = bring(
        "products",
        '{"external_id":"P","name":"Pot","variants":[{"sku":"P-1"},{"sku":"TAKEN"}]}\n'
        '{"external_id":"Q","name":"Pan","variants":[{"sku":"Q-1","barcode":"4006381333932"}]}\n'
        '{"external_id":"R","name":"Jug","variants":[{"sku":"R-1","prices":{"EUR":"1.00"}}]}\n',
        now=now,
        file_format="jsonl",
    )
    assert faults(done) == [
        (1, "/variants/1/sku", "sku_taken"),
        (2, "/variants/0/barcode", "invalid_barcode"),
    ]
    assert counts(done) == (1, 0, 0, 2)
    assert Price.objects.get(sku="R-1").amount_minor == 100
    assert sorted(Product.objects.values_list("external_id", flat=True)) == ["O", "R"]


def test_a_name_as_long_as_a_line_is_a_fault_like_any_other(now: datetime) -> None:
    line = '{"slug":"a","%s":1,"variants":[]}' % ("x" * 100_000)
    done = bring("products", line, now=now, file_format="jsonl")
    [(row, pointer, code)] = faults(done)
    assert (row, len(pointer), code) == (1, 101, "unknown_field")


def test_what_only_the_database_refuses_costs_its_own_row_alone(now: datetime) -> None:
    """Two new products of one batch want the same: the batch fails as a whole, and is written one
    by one."""
    done = bring(
        "products",
        "external_id,sku,name,variant_external_id,price.EUR\n"
        "A,A1,Ant,V1,1.00\n"
        "B,B1,Bee,V1,1.00\n"
        "C,C1,Cat,V2,1.00\n",
        now=now,
    )
    assert faults(done) == [(3, "", "external_id_taken")]
    assert counts(done) == (2, 0, 0, 1)
    assert sorted(Product.objects.values_list("external_id", flat=True)) == ["A", "C"]
    assert sorted(StockItem.objects.values_list("sku", flat=True)) == ["A1", "C1"]
    assert events().count("products.product_created") == 2


def test_a_trial_finds_the_same_and_writes_nothing(now: datetime) -> None:
    load_all(now)
    file = (
        "external_id,sku,name,weight_g,price.EUR\n"
        "H1,H1-S,Jacket,5,52.00\n"
        "C1,C1,Cap,,9.90\n"
        "N1,N1,New,,1.00\n"
        "N2,N2,,,\n"
    )
    before = written()
    trial = bring("products", file, now=now, dry_run=True)
    assert written() == before
    assert Product.objects.count() == 2
    done = bring("products", file, now=now)
    assert counts(trial) == counts(done) == (1, 1, 1, 1)
    assert faults(trial) == faults(done) == [(5, "name", "required")]


@pytest.mark.parametrize(
    ("mode", "expected", "fault"),
    [
        ("create", (1, 0, 0, 1), (2, "", "already_there")),
        ("update", (0, 1, 0, 1), (3, "", "not_there")),
    ],
)
def test_modes_refuse_what_is_there_or_what_is_not(
    now: datetime, mode: str, expected: tuple[int, ...], fault: tuple[int, str, str]
) -> None:
    load_all(now)
    file = "external_id,sku,name\nC1,C1,Hat\nN1,N1,New\n"
    done = bring("products", file, now=now, mode=mode)
    assert (counts(done), faults(done)) == (expected, [fault])


def test_archived_products_stay_so(now: datetime) -> None:
    load_all(now)
    file = "external_id,sku,status,name\nC1,C1,archived,Cap\n"
    assert counts(bring("products", file, now=now)) == (0, 1, 0, 0)
    assert Product.objects.get(external_id="C1").status == "archived"
    assert counts(bring("products", file, now=now)) == (0, 0, 1, 0)
    done = bring("products", "external_id,sku,name\nC1,C1,Hat\n", now=now)
    assert faults(done) == [(2, "", "product_archived")]


def test_the_number_of_statements_does_not_grow_with_the_rows(now: datetime) -> None:
    def file(count: int, weight: int) -> str:
        rows = "".join(f"P{n},P{n},Pot {n},{weight},1.0{weight}\n" for n in range(count))
        return "external_id,sku,name,weight_g,price.EUR\n" + rows

    def statements(content: str) -> int:
        with CaptureQueriesContext(connection_of("products")) as captured:
            bring("products", content, now=now)
        return len(captured)

    statements(file(3, 0))
    changed, unchanged = statements(file(3, 1)), statements(file(3, 1))
    bring("products", file(300, 1), now=now)
    assert statements(file(300, 2)) == changed
    assert statements(file(300, 2)) == unchanged
