"""The catalogue that is made up for measuring."""

from __future__ import annotations

from random import Random

import pytest
from django.db import connections
from django.test import Client

from benchmarks.catalogue import filling
from benchmarks.catalogue.filling import fill
from benchmarks.catalogue.generate import CATEGORIES, Catalogue
from benchmarks.catalogue.run import statements
from benchmarks.catalogue.samples import of_catalogue
from domains.products.models import Category, Listing, ListingPrice, Price, StockItem, Variant
from domains.products.rules.barcodes import is_barcode
from infrastructure.database.contexts import alias_of
from tests.support.listing import contents


def test_the_same_seed_makes_the_same_rows() -> None:
    one, other = (list(Catalogue(Random(7), 50).batches(20)) for _ in range(2))
    assert one == other
    assert [len(rows.products) for rows in one] == [20, 20, 10]
    different = list(Catalogue(Random(8), 50).batches(20))
    assert different[0].products != one[0].products


@pytest.mark.django_db(transaction=True)
def test_it_can_be_listed_filtered_and_rebuilt(client: Client) -> None:
    variants = fill(products=120, seed=1)
    assert Listing.objects.count() == ListingPrice.objects.count() == 120
    assert Variant.objects.count() == Price.objects.count() == StockItem.objects.count() == variants
    assert Category.objects.count() == CATEGORIES == 4584
    assert all(is_barcode(code) for code in Variant.objects.values_list("barcode", flat=True))
    found = client.get("/api/v1/products", {"facets": "attributes,categories", "limit": 1}).json()
    assert found["facets"]["count"] == 120
    codes = {attribute["code"] for attribute in found["facets"]["attributes"]}
    assert {"brand", "material", "color", "wireless"} <= codes
    assert contents()["products"]


@pytest.mark.django_db(transaction=True)
def test_dying_half_way_it_leaves_no_row_and_every_index(monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: str, **options: int) -> None:
        assert Variant.objects.exists()
        raise KeyboardInterrupt

    before = _indexes_and_keys()
    monkeypatch.setattr(filling, "call_command", dies)
    with pytest.raises(KeyboardInterrupt):
        fill(products=10, seed=1)
    assert (_indexes_and_keys(), Variant.objects.exists()) == (before, False)

    monkeypatch.undo()
    fill(products=10, seed=1)
    assert _indexes_and_keys() == before


def _indexes_and_keys() -> set[tuple[str, str]]:
    with connections[alias_of("products")].cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'products' UNION ALL"
            " SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'products'::regnamespace"
        )
        return set(cursor.fetchall())


@pytest.mark.django_db(transaction=True)
def test_what_is_asked_of_it_takes_two_statements_at_most() -> None:
    fill(products=300, seed=1)
    sample = of_catalogue(Random(1))
    for paths in (
        sample.lists(),
        sample.products(),
        sample.searches(),
        sample.searches_for_few(),
    ):
        assert 1 <= statements(paths[:3]) <= 2


@pytest.mark.django_db(transaction=True)
def test_a_search_for_few_finds_a_page_or_a_few(client: Client) -> None:
    fill(products=300, seed=1)
    found = [client.get(path).json() for path in of_catalogue(Random(1)).searches_for_few()]
    assert found
    assert all(20 <= one["facets"]["count"] <= 200 for one in found)
