"""Catalogues of other shops, through the import that everybody uses."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import pytest

from domains.products.models import Category, Price, Product, StockItem, StockMovement, Variant
from tests.support.files import bring, counts, faults, take, written
from tests.support.real_catalogues import (
    best_buy_categories,
    luma_categories,
    luma_products,
    luma_stock,
    needs_catalogues,
)

pytestmark = [pytest.mark.django_db, needs_catalogues]


def test_the_luma_catalogue_loads_whole_and_once(now: datetime) -> None:
    assert counts(bring("categories", luma_categories(), now=now)) == (29, 0, 0, 0)
    assert counts(bring("products", luma_products(), now=now)) == (147, 0, 0, 0)
    assert counts(bring("stock", luma_stock(), now=now)) == (0, 1847, 0, 0)

    assert Product.objects.filter(status="active").count() == 147
    assert Variant.objects.count() == Price.objects.count() == StockItem.objects.count() == 1847
    per_product = Counter(Variant.objects.values_list("product_id", flat=True)).values()
    assert Counter(per_product) == {15: 93, 12: 23, 6: 18, 5: 11, 4: 1, 9: 1}
    hoodie = Product.objects.get(external_id="MH01")
    assert (hoodie.name, hoodie.slug) == ("Chaz Kangeroo Hoodie", "chaz-kangeroo-hoodie")
    assert len(hoodie.variants) == 15
    assert hoodie.variants[0].sku == "MH01-XS-Black"
    assert hoodie.variants[0].options == {"size": "XS", "color": "Black"}
    assert [link.category.external_id for link in hoodie.categories] == [
        "Default Category > Men > Tops > Hoodies & Sweatshirts",
        "Default Category > Collections > Eco Friendly",
        "Default Category",
    ]
    price = Price.objects.get(sku="MH01-XS-Black")
    assert (price.amount_minor, price.currency) == (5200, "USD")
    assert StockItem.objects.get(sku="MH01-XS-Black").on_hand == 100

    before = written()
    assert counts(bring("categories", luma_categories(), now=now)) == (0, 0, 29, 0)
    assert counts(bring("products", luma_products(), now=now)) == (0, 0, 147, 0)
    assert counts(bring("stock", luma_stock(), now=now)) == (0, 0, 1847, 0)
    assert written() == before
    assert StockMovement.objects.count() == 1847


@pytest.mark.long
def test_the_tree_of_best_buy_loads_whole_and_once(now: datetime) -> None:
    tree = best_buy_categories()
    trial = bring("categories", tree, now=now, file_format="jsonl", dry_run=True)
    assert (counts(trial), faults(trial)) == ((4584, 0, 0, 0), [])
    assert Category.objects.count() == 0

    assert counts(bring("categories", tree, now=now, file_format="jsonl")) == (4584, 0, 0, 0)

    assert Category.objects.count() == 4584
    assert Category.objects.filter(parent=None).count() == 43
    names = Counter(Category.objects.values_list("name", flat=True))
    assert sum(times - 1 for times in names.values()) == 357
    slugs = set(Category.objects.values_list("slug", flat=True))
    assert len(slugs) == 4584
    assert max(depths()) == 6

    before = written()
    again = bring("categories", tree, now=now, file_format="jsonl")
    assert (counts(again), written()) == ((0, 0, 4584, 0), before)


@pytest.mark.long
@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_an_export_of_luma_is_read_back_without_a_change(now: datetime, file_format: str) -> None:
    bring("categories", luma_categories(), now=now)
    bring("products", luma_products(), now=now)
    before = written()
    for kind, expected in (("categories", 29), ("products", 147), ("prices", 1847)):
        exported = take(kind, now=now, file_format=file_format)
        found = bring(kind, exported, now=now, file_format=file_format)
        assert (counts(found), faults(found)) == ((0, 0, expected, 0), [])
    assert written() == before


def depths() -> list[int]:
    parents = dict(Category.objects.values_list("id", "parent_id"))

    def depth(category_id: object) -> int:
        return 0 if category_id is None else 1 + depth(parents[category_id])  # type: ignore[index]

    return [depth(category_id) for category_id in parents]
