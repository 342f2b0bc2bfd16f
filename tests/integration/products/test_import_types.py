from __future__ import annotations

from datetime import datetime

import pytest

from domains.products.models import ProductType
from tests.support.files import bring, counts, faults
from tests.support.imports import TYPES, load_all

pytestmark = pytest.mark.django_db


def test_a_type_keeps_what_products_use_and_the_names_that_csv_does_not_know(
    now: datetime,
) -> None:
    load_all(now)
    german = (
        '{"code":"top","attributes":[{"code":"material","name":"Material","kind":"choice",'
        '"required":true,"choices":[{"code":"wool","name":"Wool","names":{"de":"Wolle"}}]}]}'
    )
    done = bring("product-types", german, now=now, file_format="jsonl")
    assert [code for _, _, code in faults(done)] == ["attribute_in_use"] * len(faults(done))
    assert counts(done) == (0, 0, 0, 1)

    done = bring("product-types", TYPES.replace("Sleeve", "Sleeves"), now=now)
    assert (counts(done), faults(done)) == ((0, 1, 0, 0), [])
    found = ProductType.objects.get(code="top")
    assert [a.name for a in found.attributes][3] == "Sleeves"
    assert found.attributes[0].names == {"de": "Stoff"}


def test_a_type_with_a_row_that_is_wrong_is_refused_whole(now: datetime) -> None:
    done = bring("product-types", TYPES.replace("multi_choice", "many"), now=now)
    assert faults(done) == [(3, "kind", "invalid_choice")]
    assert counts(done) == (0, 0, 0, 1)
    assert ProductType.objects.count() == 0


def test_a_unit_is_on_one_line(now: datetime) -> None:
    file = 'code,name,attribute,attribute_name,kind,unit\nlamp,Lamp,watt,Power,number,"W\n"\n'
    assert faults(bring("product-types", file, now=now)) == [(2, "unit", "bad_format")]
    assert ProductType.objects.count() == 0


def test_a_field_that_a_row_lacks_is_named_by_its_column(now: datetime) -> None:
    done = bring("product-types", "code,name,attribute\ntop,Top,material\n", now=now)
    assert faults(done) == [(2, "attribute_name", "required")]

    empty = TYPES.replace("layers,Layers", "layers,")
    assert faults(bring("product-types", empty, now=now)) == [(4, "attribute_name", "required")]
