"""The catalogue as customers read it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from infrastructure.database.contexts import alias_of
from tests.support.catalogue_api import CATEGORIES, PRODUCTS, names, patch, post
from tests.support.factories import products

pytestmark = pytest.mark.django_db


def test_only_what_is_active_is_shown_to_customers(
    client: Client, customer: Client, staff: Client, now: datetime
) -> None:
    draft = products.product(now=now, name="Draft lantern", sku="D", status="draft")
    products.product(now=now, name="Good lantern", sku="G")
    assert names(client.get(PRODUCTS, {"q": "lantern"})) == ["Good lantern"]
    assert names(staff.get(PRODUCTS)) == ["Good lantern"]
    for caller in (client, customer):
        hidden = caller.get(f"{PRODUCTS}/{draft}")
        assert (hidden.status_code, hidden.json()["code"]) == (404, "product_not_found")
    assert staff.get(f"{PRODUCTS}/{draft}").json()["status"] == "draft"


def test_a_product_is_found_by_id_and_by_slug(client: Client, now: datetime) -> None:
    product_id = products.product(now=now, name="Œuvre d'été", stock=3)
    by_id, by_slug = (client.get(f"{PRODUCTS}/{key}") for key in (product_id, "œuvre-d-ete"))
    assert by_id.json() == by_slug.json()
    assert by_id.json()["variants"][0]["available"] is True
    for missing in (uuid4(), "nothing"):
        assert client.get(f"{PRODUCTS}/{missing}").status_code == 404


def test_the_entity_tag_follows_product_price_and_availability(
    client: Client, staff: Client, now: datetime
) -> None:
    path = f"{PRODUCTS}/{products.product(now=now, sku='A', stock=1)}"
    tags = [client.get(path)["ETag"]]
    assert client.get(path, headers={"if-none-match": tags[0]}).status_code == 304

    def renewed() -> str:
        answer = client.get(path, headers={"if-none-match": tags[-1]})
        assert answer.status_code == 200
        tags.append(answer["ETag"])
        return tags[-1]

    products.held({"A": 1}, now=now)
    renewed()
    price = {"amount": "9.99", "currency": "GBP"}
    staff.put("/api/v1/variants/A/price", price, content_type="application/json")
    tag = renewed()
    # Neither was a change of the product, so the version that staff read first still serves.
    assert patch(staff, path, {"name": "New"}, if_match=tags[0]).status_code == 200
    assert renewed().split("-")[0] != tag.split("-")[0]
    assert len(set(tags)) == 4


def test_a_list_costs_one_statement_and_is_read_page_by_page(
    client: Client, now: datetime, django_assert_num_queries: Any
) -> None:
    products.stocked({f"S{number:02}": number % 2 for number in range(7)}, now=now)
    seen, cursor = [], {}
    while True:
        with django_assert_num_queries(1, using=alias_of("products")):
            answer = client.get(PRODUCTS, {"limit": 3} | cursor)
        seen += [
            (item["name"], item["variants"][0]["available"]) for item in answer.json()["items"]
        ]
        if answer.json()["next"] is None:
            assert "Link" not in answer
            break
        assert 'rel="next"' in answer["Link"]
        cursor = {"cursor": answer.json()["next"]}
    assert seen == [(f"Thing S{number:02}", number % 2 == 1) for number in range(7)]
    backwards = client.get(PRODUCTS, {"sort": "-name", "limit": 2})
    assert names(backwards) == ["Thing S06", "Thing S05"]
    onwards = client.get(
        PRODUCTS, {"sort": "-name", "limit": 2, "cursor": backwards.json()["next"]}
    )
    assert names(onwards) == ["Thing S04", "Thing S03"]
    strange = client.get(PRODUCTS, {"sort": "name", "cursor": backwards.json()["next"]})
    assert (strange.status_code, strange.json()["code"]) == (400, "invalid_cursor")


def test_a_detail_costs_one_statement(
    client: Client, now: datetime, django_assert_num_queries: Any
) -> None:
    product_id = products.product(now=now)
    with django_assert_num_queries(1, using=alias_of("products")):
        client.get(f"{PRODUCTS}/{product_id}")


@pytest.mark.parametrize(
    "q", ["lantern", "LANTERNS", "lant", "white metal", "metal la", "71053", "the metal lantern"]
)
def test_a_search_finds_words_their_beginnings_and_skus(
    client: Client, now: datetime, q: str
) -> None:
    products.product(now=now)
    products.product(now=now, name="Red cup", sku="22423")
    assert names(client.get(PRODUCTS, {"q": q})) == ["White metal lantern"]


@pytest.mark.parametrize("q", ["lantern cup", "ant", "&|!:*()'\\", "''", "-"])
def test_a_search_for_what_is_not_there_finds_nothing(
    client: Client, now: datetime, q: str
) -> None:
    products.product(now=now)
    answer = client.get(PRODUCTS, {"q": q})
    assert (answer.status_code, answer.json()) == (200, {"items": [], "next": None})


@pytest.mark.parametrize(
    ("parameters", "name", "code"),
    [
        ({"colour": "red"}, "?colour", "unknown_parameter"),
        ({"sort": "colour"}, "?sort", "invalid_choice"),
        ({"limit": "101"}, "?limit", "out_of_range"),
        ({"currency": "ZZZ"}, "?currency", "unknown_currency"),
    ],
)
def test_bad_parameters_are_named(
    client: Client, parameters: dict[str, str], name: str, code: str
) -> None:
    refused = client.get(PRODUCTS, parameters)
    assert refused.status_code == 400
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [(name, code)]


def test_prices_are_shown_in_the_currency_that_is_asked_for(
    client: Client, staff: Client, now: datetime
) -> None:
    products.product(now=now, sku="A")
    yen = {"amount": "640", "currency": "JPY"}
    staff.put("/api/v1/variants/A/price", yen, content_type="application/json")
    [item] = client.get(PRODUCTS, {"currency": "JPY"}).json()["items"]
    assert item["variants"][0]["price"] == yen
    [item] = client.get(PRODUCTS, {"currency": "EUR"}).json()["items"]
    assert item["variants"][0]["price"] is None


def test_categories_are_a_tree_and_products_are_listed_in_all_above(
    client: Client, staff: Client, body: dict[str, Any], django_assert_num_queries: Any
) -> None:
    for name, parent in (("Home", None), ("Lights", "home"), ("Candles", "lights"), ("Toys", None)):
        made = post(staff, CATEGORIES, {"name": name, "parent": parent})
        assert made.status_code == 201
    assert post(staff, PRODUCTS, body | {"categories": ["candles"]}).status_code == 201
    with django_assert_num_queries(1, using=alias_of("products")):
        tree = client.get(CATEGORIES).json()["items"]
    assert [node["slug"] for node in tree] == ["home", "toys"]
    assert [node["slug"] for node in tree[0]["children"]] == ["lights"]
    assert [node["slug"] for node in tree[0]["children"][0]["children"]] == ["candles"]
    for category, count in (("candles", 1), ("lights", 1), ("home", 1), ("toys", 0), ("no", 0)):
        with django_assert_num_queries(1, using=alias_of("products")):
            found = client.get(PRODUCTS, {"category": category})
        assert len(found.json()["items"]) == count, category
    refused = post(staff, PRODUCTS, body | {"categories": ["nope"]})
    assert (refused.status_code, refused.json()["code"]) == (400, "unknown_category")
    refused = post(staff, CATEGORIES, {"name": "X", "parent": "nope"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/parent")
