"""The catalogue over HTTP."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from domains.products.models import Product, StockItem
from infrastructure.database.contexts import alias_of
from infrastructure.http.openapi.document import document
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import products, users

pytestmark = pytest.mark.django_db

PRODUCTS = "/api/v1/products"
CATEGORIES = "/api/v1/categories"


def post(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.post(path, body, content_type="application/json", headers=headers)


def patch(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.patch(path, body, content_type="application/json", headers=headers)


def facts() -> list[str]:
    messages = OutboxMessage.objects.using(alias_of("products")).filter(topic="product-events")
    return list(messages.order_by("id").values_list("name", flat=True))


def names(answer: Any) -> list[str]:
    return [item["name"] for item in answer.json()["items"]]


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


@pytest.mark.parametrize("name", [".", ".."])
def test_nothing_is_named_by_dots_alone(staff: Client, body: dict[str, Any], name: str) -> None:
    body |= {"slug": name, "external_id": name}
    body["variants"][0]["sku"] = name
    refused = post(staff, PRODUCTS, body)
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [
        ("/variants/0/sku", "bad_format"),
        ("/slug", "bad_format"),
        ("/external_id", "bad_format"),
    ]


@pytest.mark.parametrize("name", ["   ", "\u00a0", "La\tmp"])
@pytest.mark.parametrize(
    ("path", "around"),
    [
        (PRODUCTS, {"variants": [{"sku": "S", "price": {"amount": "1.00", "currency": "EUR"}}]}),
        (CATEGORIES, {}),
        ("/api/v1/product-types", {"code": "lamp"}),
        ("/api/v1/price-lists", {"code": "trade", "currency": "EUR"}),
        ("/api/v1/warehouses", {"code": "north"}),
    ],
)
def test_a_name_is_one_line_and_not_blank(
    staff: Client, path: str, around: dict[str, Any], name: str
) -> None:
    refused = post(staff, path, {"name": name, **around})
    assert refused.status_code == 400
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [
        ("/name", "bad_format")
    ]


def test_white_space_around_a_name_is_cut_off(staff: Client, body: dict[str, Any]) -> None:
    body |= {"name": " Lamp\u2003", "texts": {"de": {"name": " Lampe "}, "fr": {"name": " "}}}
    made = post(staff, PRODUCTS, body)
    assert (made.json()["name"], made.json()["slug"]) == ("Lamp", "lamp")
    in_german = staff.get(made["Location"], {"locale": "de"}).json()["name"]
    in_french = staff.get(made["Location"], {"locale": "fr"}).json()["name"]
    assert (in_german, in_french) == ("Lampe", "Lamp")


@pytest.mark.parametrize(
    ("path", "around"),
    [
        (CATEGORIES, {}),
        ("/api/v1/product-types", {"code": "lamp"}),
        ("/api/v1/price-lists", {"code": "trade", "currency": "EUR"}),
        ("/api/v1/warehouses", {"code": "north"}),
    ],
)
def test_names_lose_it_when_they_are_given_and_when_they_are_changed(
    staff: Client, path: str, around: dict[str, Any]
) -> None:
    made = post(staff, path, {"name": " Lamp ", **around})
    assert made.json()["name"] == "Lamp"
    changed = patch(staff, made["Location"], {"name": "Lamps  "}, if_match=made["ETag"])
    assert changed.json()["name"] == "Lamps"


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
