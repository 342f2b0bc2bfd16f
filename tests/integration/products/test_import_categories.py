from __future__ import annotations

from datetime import datetime

import pytest

from domains.products.models import (
    Category,
    Listing,
    Product,
)
from tests.support.files import bring, counts, faults, written
from tests.support.imports import CATEGORIES, load_all

pytestmark = pytest.mark.django_db


def test_a_tree_is_built_moved_and_ordered(now: datetime) -> None:
    bring("categories", CATEGORIES, now=now)
    done = bring(
        "categories",
        "external_id,slug,name,parent,position\n"
        "hood,,,\\N,10\n"
        "tops,,Upper wear,external:hood,\n"
        ",hats,Hats,external:hood,5\n",
        now=now,
    )
    assert (counts(done), faults(done)) == ((1, 2, 0, 0), [])
    hood = Category.objects.get(external_id="hood")
    assert (hood.parent_id, hood.position) == (None, "0000A")
    below = Category.objects.filter(parent=hood).order_by("position")
    assert [(c.slug, c.name) for c in below] == [("hats", "Hats"), ("tops", "Upper wear")]


def test_products_are_found_by_the_new_name_of_their_category(now: datetime) -> None:
    load_all(now)
    hoodie = Product.objects.get(external_id="H1")
    before = Listing.objects.get(product=hoodie).document
    bring("categories", "external_id,name\nhood,Cowls\n", now=now)
    after = Listing.objects.get(product=hoodie).document
    assert ("'cowl'" in str(before), "'cowl'" in str(after)) == (False, True)


def test_what_cannot_be_in_a_tree_is_told_by_row(now: datetime) -> None:
    bring("categories", CATEGORIES, now=now)
    before = written()
    done = bring(
        "categories",
        "external_id,name,parent,position\n"
        "tops,,external:hood,\n"  # 2: lies below itself
        "n1,N,nowhere,\n"  # 3
        "n2,N,external:n1,\n"  # 4: its parent is refused
        "n3,N,,-\n"  # 5
        "n4,,,\n"  # 6
        "n5,N,external:n6,\n"  # 7
        "n6,N,external:n5,\n",  # 8
        now=now,
    )
    assert faults(done) == [
        (2, "parent", "category_cycle"),
        (3, "parent", "unknown_category"),
        (4, "parent", "unknown_category"),
        (5, "position", "bad_format"),
        (6, "name", "required"),
        (7, "parent", "category_cycle"),
        (8, "parent", "category_cycle"),
    ]
    assert written() == before
