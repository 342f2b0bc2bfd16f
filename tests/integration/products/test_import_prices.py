from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from domains.products.models import Price
from domains.products.services import price_lists
from infrastructure.operations import services as operations
from tests.support.files import bring, counts, faults, written
from tests.support.imports import load_all

pytestmark = pytest.mark.django_db


def test_prices_of_all_kinds_are_set_once(now: datetime) -> None:
    load_all(now)
    price_lists.create_price_list(code="wholesale", name="Wholesale", currency="EUR", now=now)
    soon = (now + timedelta(days=2)).isoformat()
    late = (now + timedelta(days=9)).isoformat()
    file = (
        "sku,currency,amount,price_list,kind,min_quantity,valid_from,valid_until\n"
        "H1-S,EUR,52.00,,,,,\n"
        "H1-S,EUR,45.00,,,10,,\n"
        f"H1-S,EUR,40.00,,sale,,{soon},{late}\n"
        "H1-M,EUR,30.00,wholesale,,,,\n"
        "H1-M,USD,60.00,,,,,\n"
    )
    done = bring("prices", file, now=now)
    assert (counts(done), faults(done)) == ((0, 4, 1, 0), [])
    base = Price.objects.get(sku="H1-S")
    assert (base.amount_minor, base.tiers) == (5200, [10, 4500])
    assert base.changes_at == now + timedelta(days=2)
    before = written()
    assert counts(bring("prices", file, now=now)) == (0, 0, 5, 0)
    assert written() == before


def test_prices_that_cannot_be_are_told_by_row(now: datetime) -> None:
    load_all(now)
    price_lists.create_price_list(code="wholesale", name="Wholesale", currency="EUR", now=now)
    past = (now - timedelta(days=1)).isoformat()
    before = written()
    done = bring(
        "prices",
        "sku,currency,amount,price_list,valid_from\n"
        "NOTHING,EUR,1,,\n"
        "C1,USD,1,wholesale,\n"
        "C1,EUR,1,nowhere,\n"
        f"C1,EUR,1,,{past}\n"
        "C1,XXQ,1,,\n"
        "C1,EUR,-1,,\n",
        now=now,
    )
    assert faults(done) == [
        (2, "sku", "variant_not_found"),
        (3, "currency", "other_currency"),
        (4, "price_list", "unknown_price_list"),
        (5, "", "invalid_validity"),
        (6, "amount", "unknown_currency"),
        (7, "amount", "bad_format"),
    ]
    assert written() == before


def test_an_amount_with_a_comma_is_told_its_column_and_how_it_is_written(now: datetime) -> None:
    load_all(now)
    done = bring("prices", "sku;currency;amount\nH1-S;EUR;1,50\n", now=now)
    assert faults(done) == [(2, "amount", "bad_format")]
    [fault] = operations.faults_of(done)
    assert fault.detail == "The text does not have the expected form, such as 12.30."
