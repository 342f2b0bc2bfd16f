"""Lists of products over HTTP: their parameters, and what is shown of each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from domains.products.models import Listing
from domains.products.public import NewProduct, NewVariant, create_products
from domains.products.services import categories, prices
from domains.products.services.prices import NewPrice
from infrastructure import clock
from infrastructure.money import Money
from tests.support.factories import products
from tests.support.search import LIST, Goods, create, fitting

pytestmark = pytest.mark.django_db


def test_the_route_takes_filters_and_answers_facets(client: Client, goods: Goods) -> None:
    chosen = {"category": "home", "color": ["red", "blue"], "price": (200, 2000)}
    wanted = fitting(goods, chosen)
    parameters = {
        "category": "home",
        "attr.color": "red,blue",
        "price_min": "2.00",
        "price_max": "20",
        "facets": "categories,attr.color,price,available",
        "locale": "de",
        "limit": 2,
    }
    first = client.get(LIST, parameters)
    assert first.status_code == 200
    body = first.json()
    assert [i["name"] for i in body["items"]] == sorted(r["name"] for r in wanted)[:2]
    assert body["facets"]["count"] == len(wanted)
    [lights] = body["facets"]["categories"]
    assert (lights["slug"], lights["name"]) == ("lights", "Lights")
    [colour] = body["facets"]["attributes"]
    assert (colour["code"], colour["name"]) == ("color", "Farbe")
    assert {"value": "red", "name": "Rot"}.items() <= {
        value["value"]: value for value in colour["values"]
    }["red"].items()
    assert set(body["facets"]["available"]) == {"left", "sold_out"}
    assert body["facets"]["price"]["lowest"] == {"amount": "1.99", "currency": "GBP"}
    assert body["facets"]["price"]["ranges"][0]["from"] == {"amount": "1.00", "currency": "GBP"}
    # The facets of the first page are enough.
    rest = parameters | {"cursor": body["next"]}
    del rest["facets"]
    second = client.get(LIST, rest)
    assert [i["name"] for i in second.json()["items"]] == sorted(r["name"] for r in wanted)[2:4]
    assert "facets" not in second.json()
    other = client.get(LIST, rest | {"attr.color": "red"})
    assert (other.status_code, other.json()["code"]) == (400, "invalid_cursor")


def test_numbers_and_dates_are_bounded(client: Client, goods: Goods) -> None:
    light = client.get(LIST, {"attr.weight_min": "2", "attr.weight_max": "3.5", "limit": 100})
    assert {i["name"] for i in light.json()["items"]} == {
        row["name"] for row in goods if 2 <= row["weight"] <= 3.5
    }
    young = client.get(LIST, {"attr.released_min": "2026-01-20", "limit": 100})
    assert {i["name"] for i in young.json()["items"]} == {
        row["name"] for row in goods if row["released"] >= "2026-01-20"
    }


@pytest.mark.parametrize(
    ("parameters", "name", "code"),
    [
        ({"attr.nothing": "1"}, "?attr.nothing", "unknown_parameter"),
        ({"attr.hidden": "1"}, "?attr.hidden", "unknown_parameter"),
        ({"attr.color_min": "1"}, "?attr.color_min", "unknown_parameter"),
        ({"attr.": "1"}, "?attr.", "unknown_parameter"),
        ({"attr.weight_min": "heavy"}, "?attr.weight_min", "bad_format"),
        ({"attr.weight_min": "nan"}, "?attr.weight_min", "bad_format"),
        ({"attr.color": ",".join("x" * 51)}, "?attr.color", "too_many"),
        ({"attr.color": "a\x00"}, "?attr.color", "bad_format"),
        ({f"attr.a{n}": "1" for n in range(21)}, "?attr", "too_many"),
        ({"facets": "colours"}, "?facets", "invalid_choice"),
        ({"facets": "attr.nothing"}, "?facets", "unknown_parameter"),
        ({"price_min": "1.999"}, "?price_min", "too_many_decimals"),
        ({"price_max": "-1"}, "?price_max", "bad_format"),
        ({"available": "perhaps"}, "?available", "invalid_type"),
    ],
)
def test_filters_that_mean_nothing_are_named(
    client: Client, goods: Goods, parameters: dict[str, str], name: str, code: str
) -> None:
    refused = client.get(LIST, parameters)
    assert refused.status_code == 400
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [(name, code)]


def test_old_slugs_of_categories_list_the_same(client: Client, now: datetime) -> None:
    products.category(name="Home", now=now)
    create(("Lamp", {"categories": ("home",)}), now=now)
    [category_id] = {row.category_ids[0] for row in Listing.objects.all()}
    categories.edit_category(category_id=category_id, version=None, slug="house", now=now)
    for slug in ("home", "house"):
        found = client.get(LIST, {"category": slug}).json()["items"]
        assert [item["name"] for item in found] == ["Lamp"]


def test_what_is_sorted_without_words_by_relevance_is_sorted_by_popularity(
    client: Client, now: datetime
) -> None:
    products.stocked({"A": 1, "B": 1}, now=now)
    Listing.objects.filter(sort_name="thing b").update(popularity=3)
    found = client.get(LIST, {"sort": "relevance", "limit": 1})
    assert [item["name"] for item in found.json()["items"]] == ["Thing B"]
    onwards = client.get(LIST, {"sort": "relevance", "limit": 1, "cursor": found.json()["next"]})
    assert [item["name"] for item in onwards.json()["items"]] == ["Thing A"]


def test_variants_are_shown_as_their_product_shows_them(
    client: Client, now: datetime, settings: Any
) -> None:
    """Lists take plain prices as Postgres writes them; prices that turn take the longer way."""
    settings.CACHE_ENABLED = False
    create_products(
        products=[
            NewProduct(
                name='Bell "Große" \\ \n',
                status="active",
                variants=(
                    NewVariant(
                        sku='A"\\',
                        options={'Größe "': "S"},
                        prices=(Money(5, "GBP"), Money(640, "JPY"), Money(7, "KWD")),
                    ),
                    NewVariant(
                        sku="B",
                        name='é"\\',
                        options={'Größe "': "\\ü"},
                        prices=(Money(123456, "GBP"),),
                    ),
                ),
            ),
            NewProduct(
                name="Turning", status="active", variants=(NewVariant(sku="C"), NewVariant(sku="D"))
            ),
        ],
        now=now,
    )
    later = clock.now() + timedelta(days=1)
    prices.set_prices(
        prices=[
            NewPrice(sku="B", money=Money(100000, "GBP"), kind="sale"),
            NewPrice(sku="C", money=Money(900, "GBP")),
            NewPrice(sku="C", money=Money(800, "GBP"), valid_from=later),
            NewPrice(sku="D", money=Money(300, "GBP"), min_quantity=5),
        ],
        actor_id=None,
        now=now + timedelta(days=40),
    )
    for currency in ("GBP", "JPY", "KWD"):
        listed = client.get(LIST, {"currency": currency}).json()["items"]
        assert [item["name"] for item in listed] == ['Bell "Große" \\ \n', "Turning"]
        for item in listed:
            shown = client.get(f"{LIST}/{item['id']}", {"currency": currency}).json()["variants"]
            assert item["variants"] == [
                {name: variant[name] for name in item["variants"][0]} for variant in shown
            ]
    [bell, _] = client.get(LIST).json()["items"]
    assert bell["variants"][0]["price"] == {"amount": "0.05", "currency": "GBP"}
    assert bell["variants"][1]["reduction"] == {
        "regular_price": {"amount": "1234.56", "currency": "GBP"},
        "lowest_price_30_days": {"amount": "1234.56", "currency": "GBP"},
    }
