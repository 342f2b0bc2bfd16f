"""The catalogue as staff change it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from domains.products.models import Product, StockItem
from infrastructure.http.openapi.document import document
from tests.support.catalogue_api import CATEGORIES, PRODUCTS, facts, names, patch, post
from tests.support.factories import products, users

pytestmark = pytest.mark.django_db


def test_staff_create_a_product_and_anybody_finds_it(
    staff: Client, client: Client, body: dict[str, Any]
) -> None:
    made = post(staff, PRODUCTS, body)
    assert made.status_code == 201
    product = made.json()
    assert made["Location"] == f"{PRODUCTS}/{product['id']}"
    assert (product["slug"], product["status"]) == ("white-hanging-heart-t-light-holder", "active")
    assert facts() == ["products.product_created", "products.price_changed"]
    found = client.get(PRODUCTS, {"q": "hanging hea", "limit": 20})
    assert found.status_code == 200
    assert found.json() == {
        "items": [
            {
                "id": product["id"],
                "slug": "white-hanging-heart-t-light-holder",
                "name": "White hanging heart t-light holder",
                "image": None,
                "variants": [
                    {
                        "sku": "85123A",
                        "name": "",
                        "options": {},
                        "unit": "piece",
                        "price": {"amount": "4.50", "currency": "GBP"},
                        "reduction": None,
                        "price_tiers": [],
                        "available": False,
                    }
                ],
            }
        ],
        "next": None,
    }


def test_a_new_product_has_an_empty_stock_item(staff: Client, body: dict[str, Any]) -> None:
    post(staff, PRODUCTS, body)
    item = StockItem.objects.get(sku="85123A")
    assert (item.on_hand, item.held) == (0, 0)


def test_the_slug_is_numbered_when_the_name_is_taken(staff: Client, body: dict[str, Any]) -> None:
    slugs = []
    for sku in ("1", "2", "3"):
        variants = [{"sku": sku, "price": {"amount": "1", "currency": "GBP"}}]
        slugs.append(post(staff, PRODUCTS, body | {"variants": variants}).json()["slug"])
    base = "white-hanging-heart-t-light-holder"
    assert slugs == [base, f"{base}-2", f"{base}-3"]


def test_skus_that_differ_by_letter_case_are_different(staff: Client, body: dict[str, Any]) -> None:
    price = {"amount": "1.00", "currency": "GBP"}
    variants = [{"sku": "85123A", "price": price}, {"sku": "85123a", "price": price}]
    assert post(staff, PRODUCTS, body | {"variants": variants}).status_code == 201


def test_a_sku_belongs_to_one_variant(staff: Client, body: dict[str, Any]) -> None:
    post(staff, PRODUCTS, body)
    before = facts()
    again = post(staff, PRODUCTS, body | {"name": "Something else"})
    assert (again.status_code, again.json()["code"]) == (409, "sku_taken")
    assert "85123A" in again.json()["detail"]
    assert facts() == before
    assert Product.objects.count() == 1
    variants = body["variants"] * 2
    twice = post(staff, PRODUCTS, body | {"variants": variants})
    assert (twice.status_code, twice.json()["code"]) == (400, "nothing_to_sell")


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"colour": "red"}, "/colour", "unknown_field"),
        ({"name": ""}, "/name", "too_short"),
        ({"status": "archived"}, "/status", "invalid_choice"),
        ({"variants": []}, "/variants", "too_few"),
        (
            {"variants": [{"sku": "A", "price": {"amount": "1.005", "currency": "GBP"}}]},
            "/variants/0/price",
            "too_many_decimals",
        ),
        (
            {"variants": [{"sku": "A", "price": {"amount": "1.00", "currency": "XXY"}}]},
            "/variants/0/price",
            "unknown_currency",
        ),
        (
            {"variants": [{"sku": "A/B", "price": {"amount": "1.00", "currency": "GBP"}}]},
            "/variants/0/sku",
            "bad_format",
        ),
        (
            {"variants": [{"sku": "A\n", "price": {"amount": "1.00", "currency": "GBP"}}]},
            "/variants/0/sku",
            "bad_format",
        ),
    ],
)
def test_bad_input_is_named_field_by_field(
    staff: Client, body: dict[str, Any], change: dict[str, Any], pointer: str, code: str
) -> None:
    refused = post(staff, PRODUCTS, body | change)
    assert refused.status_code == 400
    faults = [(fault["pointer"], fault["code"]) for fault in refused.json()["errors"]]
    assert faults == [(pointer, code)]
    assert Product.objects.count() == 0


@pytest.mark.parametrize("method", ["post", "patch"])
def test_a_category_is_named_by_its_slug_and_whoever_names_another_is_told_which(
    staff: Client, body: dict[str, Any], method: str
) -> None:
    made = post(staff, CATEGORIES, {"name": "Lights"}).json()
    named = {"categories": ["lights", made["id"], "external:erp-1"]}

    if method == "post":
        refused = post(staff, PRODUCTS, body | named)
    else:
        product = post(staff, PRODUCTS, body)
        refused = patch(staff, product["Location"], named, if_match=product["ETag"])

    assert (refused.status_code, refused.json()["code"]) == (400, "unknown_category")
    assert refused.json()["errors"] == [
        {
            "pointer": f"/categories/{place}",
            "code": "unknown_category",
            "detail": f"There is no category {name}. It is named by its slug, or by `external:`"
            " and its external id.",
        }
        for place, name in ((1, made["id"]), (2, "external:erp-1"))
    ]


def test_a_negative_price_is_refused(staff: Client, body: dict[str, Any]) -> None:
    body["variants"][0]["price"]["amount"] = "-1.00"
    refused = post(staff, PRODUCTS, body)
    assert (refused.status_code, refused.json()["code"]) == (400, "negative_price")


def test_only_staff_with_the_scope_change_the_catalogue(
    client: Client, customer: Client, body: dict[str, Any]
) -> None:
    support = users.client_of(users.staff("support"))
    for caller, status, code in (
        (client, 401, "not_authenticated"),
        (customer, 403, "missing_scope"),
        (support, 403, "missing_scope"),
    ):
        refused = post(caller, PRODUCTS, body)
        assert (refused.status_code, refused.json()["code"]) == (status, code)


def test_the_same_idempotency_key_creates_one_product(staff: Client, body: dict[str, Any]) -> None:
    first = post(staff, PRODUCTS, body, idempotency_key="k1")
    second = post(staff, PRODUCTS, body, idempotency_key="k1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    other = post(staff, PRODUCTS, body | {"name": "Other"}, idempotency_key="k1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert Product.objects.count() == 1


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (CATEGORIES, {"name": "Mugs"}, "category_not_found"),
        ("/api/v1/product-types", {"code": "mug", "name": "Mug"}, "product_type_not_found"),
    ],
)
def test_a_repetition_is_answered_from_what_was_made_as_it_is_now(
    staff: Client, path: str, body: dict[str, Any], code: str
) -> None:
    made = post(staff, path, body, idempotency_key="k1")
    changed = patch(staff, made["Location"], {"name": "Cups"}, if_match=made["ETag"])
    again = post(staff, path, body, idempotency_key="k1")
    assert (again.status_code, again["Idempotency-Replayed"]) == (201, "true")
    assert (again.json()["name"], again["ETag"]) == ("Cups", changed["ETag"])
    gone = staff.delete(made["Location"], headers={"If-Match": changed["ETag"]})
    assert gone.status_code == 204
    again = post(staff, path, body, idempotency_key="k1")
    assert (again.status_code, again.json()["code"]) == (404, code)
    described = document()["paths"][path]["post"]["responses"]["404"]
    assert described == {"$ref": f"#/components/responses/{code}"}


def test_of_an_entity_tag_the_version_counts(staff: Client) -> None:
    made = post(staff, CATEGORIES, {"name": "Mugs"})
    for tag, status in (('"v2-zzz"', 412), ('"v1-zzz"', 200), ('W/"v2"', 412), ('"zzz"', 412)):
        answer = patch(staff, made["Location"], {"name": "Cups"}, if_match=tag)
        assert (tag, answer.status_code) == (tag, status)


def test_a_change_needs_the_version_it_is_based_on(staff: Client, now: datetime) -> None:
    path = f"{PRODUCTS}/{products.product(now=now)}"
    tag = staff.get(path)["ETag"]
    missing = patch(staff, path, {"name": "New"})
    assert (missing.status_code, missing.json()["code"]) == (428, "if_match_required")
    changed = patch(staff, path, {"name": "New", "description": "Bright"}, if_match=tag)
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["slug"]) == ("New", "white-metal-lantern")
    assert names(staff.get(PRODUCTS, {"q": "bright"})) == ["New"]
    stale = patch(staff, path, {"name": "Newer"}, if_match=tag)
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    assert Product.objects.get().name == "New"
    assert facts().count("products.product_updated") == 1


def test_an_archived_product_is_gone_for_good(staff: Client, client: Client, now: datetime) -> None:
    path = f"{PRODUCTS}/{products.product(now=now)}"
    assert staff.delete(path).status_code == 204
    assert staff.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    shown = staff.get(path)
    assert shown.json()["status"] == "archived"
    again = patch(staff, path, {"status": "active"}, if_match=shown["ETag"])
    assert (again.status_code, again.json()["code"]) == (409, "product_archived")
    assert facts().count("products.product_deleted") == 1


def test_every_price_is_remembered(staff: Client, customer: Client, now: datetime) -> None:
    products.product(now=now - timedelta(days=365), sku="A", price_minor=339)
    path = "/api/v1/variants/A/price"
    for amount in ("4.50", "4.50", "5.00"):
        answer = staff.put(
            path, {"amount": amount, "currency": "GBP"}, content_type="application/json"
        )
        assert (answer.status_code, answer.json()["price"]["amount"]) == (200, amount)
    history = staff.get(f"{path}-history")
    amounts = [period["price"]["amount"] for period in history.json()["items"]]
    assert amounts == ["5.00", "4.50", "3.39"]
    assert facts().count("products.price_changed") == 3
    assert customer.get(f"{path}-history").status_code == 403
    unknown = staff.put(
        "/api/v1/variants/B/price",
        {"amount": "1.00", "currency": "GBP"},
        content_type="application/json",
    )
    assert (unknown.status_code, unknown.json()["code"]) == (404, "variant_not_found")
    decimals = staff.put(
        path, {"amount": "1.005", "currency": "GBP"}, content_type="application/json"
    )
    assert (decimals.status_code, decimals.json()["code"]) == (400, "invalid_body")
    assert decimals.json()["errors"][0]["code"] == "too_many_decimals"
