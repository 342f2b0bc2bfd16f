"""Categories over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from infrastructure.database.contexts import alias_of
from tests.support.factories import products

pytestmark = pytest.mark.django_db

CATEGORIES = "/api/v1/categories"


def post(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.post(path, body, content_type="application/json", headers=headers)


def patch(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.patch(path, body, content_type="application/json", headers=headers)


@pytest.fixture
def ids(staff: Client) -> dict[str, str]:
    found = {}
    for name, parent in (("Home", None), ("Lights", "home"), ("Candles", "lights"), ("Toys", None)):
        made = post(staff, CATEGORIES, {"name": name, "parent": parent})
        assert made.status_code == 201
        found[name] = made.json()["id"]
    return found


def test_the_tree_is_one_statement_in_the_order_of_staff(
    client: Client, ids: dict[str, str], now: datetime, django_assert_num_queries: Any
) -> None:
    products.product(now=now, categories=("candles",))
    with django_assert_num_queries(1, using=alias_of("products")):
        found = client.get(CATEGORIES).json()["items"]
    assert found == [
        {
            "id": ids["Home"],
            "slug": "home",
            "name": "Home",
            "products": 1,
            "children": [
                {
                    "id": ids["Lights"],
                    "slug": "lights",
                    "name": "Lights",
                    "products": 1,
                    "children": [
                        {
                            "id": ids["Candles"],
                            "slug": "candles",
                            "name": "Candles",
                            "products": 1,
                            "children": [],
                        }
                    ],
                }
            ],
        },
        {"id": ids["Toys"], "slug": "toys", "name": "Toys", "products": 0, "children": []},
    ]


def test_a_category_is_one_statement_with_what_lies_below_and_above(
    client: Client, ids: dict[str, str], django_assert_num_queries: Any
) -> None:
    for name in (ids["Lights"], "lights"):
        with django_assert_num_queries(1, using=alias_of("products")):
            shown = client.get(f"{CATEGORIES}/{name}")
        assert shown.json() == {
            "id": ids["Lights"],
            "slug": "lights",
            "name": "Lights",
            "products": 0,
            "children": [
                {
                    "id": ids["Candles"],
                    "slug": "candles",
                    "name": "Candles",
                    "products": 0,
                    "children": [],
                }
            ],
            "external_id": None,
            "description": "",
            "seo": {"title": "", "description": ""},
            "breadcrumbs": [{"id": ids["Home"], "slug": "home", "name": "Home"}],
        }
    for missing in (uuid4(), "nothing", "external:nothing"):
        refused = client.get(f"{CATEGORIES}/{missing}")
        assert (refused.status_code, refused.json()["code"]) == (404, "category_not_found")


def test_a_category_moves_with_all_below_it_and_never_below_itself(
    client: Client, staff: Client, ids: dict[str, str]
) -> None:
    path = f"{CATEGORIES}/{ids['Lights']}"
    tag = client.get(path)["ETag"]
    assert patch(staff, path, {"parent": "toys"}).status_code == 428
    moved = patch(staff, path, {"parent": "toys", "name": "Lamps"}, if_match=tag)
    assert (moved.status_code, moved.json()["name"], moved.json()["slug"]) == (
        200,
        "Lamps",
        "lights",
    )
    assert [step["slug"] for step in moved.json()["breadcrumbs"]] == ["toys"]
    stale = patch(staff, path, {"parent": None}, if_match=tag)
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    toys = f"{CATEGORIES}/{ids['Toys']}"
    circle = patch(staff, toys, {"parent": "candles"}, if_match=client.get(toys)["ETag"])
    assert (circle.status_code, circle.json()["code"]) == (409, "category_cycle")
    first = {"parent": None, "before": "home"}
    assert patch(staff, path, first, if_match=client.get(path)["ETag"]).status_code == 200
    order = [node["name"] for node in client.get(CATEGORIES).json()["items"]]
    assert order == ["Lamps", "Home", "Toys"]
    both = patch(staff, path, {"before": "home", "after": "toys"}, if_match=tag)
    assert (both.status_code, both.json()["code"]) == (400, "invalid_body")


def test_an_old_slug_is_redirected_with_its_parameters(
    client: Client, staff: Client, ids: dict[str, str], django_assert_num_queries: Any
) -> None:
    path = f"{CATEGORIES}/lights"
    assert (
        patch(staff, path, {"slug": "лампы"}, if_match=client.get(path)["ETag"]).json()["slug"]
        == "лампы"
    )
    with django_assert_num_queries(2, using=alias_of("products")):
        moved = client.get(path, {"locale": "de"})
    assert (moved.status_code, moved.content) == (301, b"")
    assert moved["Location"].endswith("/%D0%BB%D0%B0%D0%BC%D0%BF%D1%8B?locale=de")
    assert client.get(moved["Location"]).json()["id"] == ids["Lights"]
    taken = post(staff, CATEGORIES, {"name": "X", "slug": "lights"})
    assert (taken.status_code, taken.json()["code"]) == (409, "slug_taken")


def test_texts_of_a_locale_and_of_none(client: Client, staff: Client) -> None:
    body = {"name": "Home", "description": "All", "texts": {"de": {"name": "Heim"}}}
    made = post(staff, CATEGORIES, body)
    path = f"{CATEGORIES}/{made.json()['id']}"
    german = client.get(path, {"locale": "de"}).json()
    assert (german["name"], german["description"]) == ("Heim", "All")
    changed = {"texts": {"de": None, "fr": {"name": "Maison"}}}
    assert patch(staff, path, changed, if_match=made["ETag"]).status_code == 200
    names = [client.get(CATEGORIES, {"locale": x}).json()["items"][0]["name"] for x in ("de", "fr")]
    assert names == ["Home", "Maison"]
    unknown = client.get(path, {"locale": "xx"})
    assert (unknown.status_code, unknown.json()["errors"][0]["code"]) == (400, "unknown_locale")
    refused = post(staff, CATEGORIES, {"name": "X", "texts": {"xx": {"name": "x"}}})
    assert (refused.status_code, refused.json()["code"]) == (400, "unknown_locale")
    assert refused.json()["errors"][0]["pointer"] == "/texts/xx"


def test_an_empty_category_is_removed(
    client: Client, staff: Client, customer: Client, ids: dict[str, str]
) -> None:
    path = f"{CATEGORIES}/candles"
    assert customer.delete(path).status_code == 403
    full = staff.delete(f"{CATEGORIES}/lights")
    assert (full.status_code, full.json()["code"]) == (409, "category_not_empty")
    assert staff.delete(path, headers={"if-match": '"7"'}).status_code == 412
    assert staff.delete(path).status_code == 204
    assert client.get(path).status_code == 404


def test_products_are_listed_in_a_category_and_no_more(
    staff: Client, client: Client, ids: dict[str, str], now: datetime
) -> None:
    product_ids = [str(products.product(now=now, sku=f"S{n}")) for n in range(3)]
    path = f"{CATEGORIES}/toys/products"
    assert patch(staff, path, {"add": product_ids}).json() == {"added": 3, "removed": 0}
    assert patch(staff, path, {"add": product_ids}).json() == {"added": 0, "removed": 0}
    assert patch(staff, path, {"remove": product_ids[:1]}).json() == {"added": 0, "removed": 1}
    assert client.get(f"{CATEGORIES}/toys").json()["products"] == 2
    assert patch(client, path, {"add": product_ids}).status_code == 401
    assert patch(staff, f"{CATEGORIES}/no/products", {"add": []}).status_code == 404


def test_products_are_listed_by_whatever_name_they_have(
    staff: Client, ids: dict[str, str], now: datetime
) -> None:
    first = products.product(now=now, sku="S1", name="Lantern", external_id="erp-1")
    second = products.product(now=now, sku="S2", name="Candle")
    third = products.product(now=now, sku="S3", name="Wick")
    path = f"{CATEGORIES}/toys/products"
    named = ["external:erp-1", "candle", str(third).upper()]
    with CaptureQueriesContext(connections[alias_of("products")]) as of_three:
        assert patch(staff, path, {"add": named}).json() == {"added": 3, "removed": 0}
    assert patch(staff, path, {"remove": named}).json() == {"added": 0, "removed": 3}
    with CaptureQueriesContext(connections[alias_of("products")]) as of_one:
        assert patch(staff, path, {"add": named[:1]}).json() == {"added": 1, "removed": 0}
    assert len(of_three) == len(of_one)
    patch(staff, path, {"add": named})
    body = {"add": [str(first), "lantern"], "remove": ["candle", str(second)]}
    assert patch(staff, path, body).json() == {"added": 0, "removed": 1}


def test_a_product_that_is_not_there_is_pointed_at_and_nothing_is_listed(
    staff: Client, client: Client, ids: dict[str, str], now: datetime
) -> None:
    products.product(now=now)
    body = {
        "add": ["white-metal-lantern", "nope", str(uuid4())],
        "remove": ["external:erp-1", "external:white-metal-lantern"],
    }
    refused = patch(staff, f"{CATEGORIES}/toys/products", body)
    assert (refused.status_code, refused.json()["code"]) == (400, "unknown_product")
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [
        ("/add/1", "unknown_product"),
        ("/add/2", "unknown_product"),
        ("/remove/0", "unknown_product"),
        ("/remove/1", "unknown_product"),
    ]
    assert client.get(f"{CATEGORIES}/toys").json()["products"] == 0


def test_a_parent_that_is_not_there_is_pointed_at(staff: Client) -> None:
    refused = post(staff, CATEGORIES, {"name": "X", "parent": "nope"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/parent")
    refused = post(staff, CATEGORIES, {"name": "X", "slug": str(uuid4())})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_slug")
