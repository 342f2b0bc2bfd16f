"""Products, their variants and their types over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from infrastructure.database.contexts import alias_of
from tests.support.factories import products

pytestmark = pytest.mark.django_db

PRODUCTS = "/api/v1/products"
TYPES = "/api/v1/product-types"
VARIANTS = "/api/v1/variants"
GBP = {"amount": "4.50", "currency": "GBP"}
MUG: dict[str, Any] = {
    "code": "mug",
    "name": "Mug",
    "attributes": [
        {
            "code": "material",
            "name": "Material",
            "names": {"fr": "Matière"},
            "kind": "choice",
            "choices": [
                {"code": "glass", "name": "Glass", "names": {"fr": "Verre"}},
                {"code": "steel", "name": "Steel"},
            ],
            "required": True,
            "filterable": True,
        },
        {"code": "capacity", "name": "Capacity", "kind": "number", "unit": "ml"},
        {"code": "finish", "name": "Finish", "kind": "text", "level": "variant"},
    ],
}


def post(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.post(path, body, content_type="application/json", headers=headers)


def patch(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.patch(path, body, content_type="application/json", headers=headers)


@pytest.fixture
def mug(staff: Client) -> str:
    made = post(staff, TYPES, MUG)
    assert (made.status_code, made["Location"]) == (201, f"{TYPES}/mug")
    return "mug"


def new(**fields: Any) -> dict[str, Any]:
    variant = {"sku": "MUG", "price": GBP}
    return {"name": "Travel mug", "status": "active", "variants": [variant], **fields}


def test_a_product_is_shown_whole_in_one_statement(
    client: Client, staff: Client, mug: str, django_assert_num_queries: Any
) -> None:
    for name, parent in (("Home", None), ("Kitchen", "home"), ("Gifts", None)):
        post(staff, "/api/v1/categories", {"name": name, "parent": parent})
    body = new(
        external_id="erp 1",
        product_type=mug,
        attributes={"material": "glass", "capacity": 330},
        categories=["kitchen", "gifts"],
        seo_title="Mugs",
        texts={"fr": {"name": "Tasse"}},
        variants=[
            {
                "sku": "MUG",
                "price": GBP,
                "options": {"size": "S"},
                "barcode": "4006381333931",
                "weight_g": 310,
                "length_mm": 90,
                "attributes": {"finish": "matt"},
            }
        ],
    )
    made = post(staff, PRODUCTS, body)
    assert made.status_code == 201, made.content
    product_id = made.json()["id"]
    for name in (product_id, "travel-mug", "external:erp%201"):
        with django_assert_num_queries(1, using=alias_of("products")):
            shown = client.get(f"{PRODUCTS}/{name}?locale=fr")
        assert shown.status_code == 200
    found = shown.json()
    categories = found.pop("categories")
    assert [(c["slug"], [b["slug"] for b in c["breadcrumbs"]]) for c in categories] == [
        ("kitchen", ["home"]),
        ("gifts", []),
    ]
    assert found == {
        "id": product_id,
        "slug": "travel-mug",
        "external_id": "erp 1",
        "name": "Tasse",
        "description": "",
        "seo": {"title": "Mugs", "description": ""},
        "status": "active",
        "product_type": "mug",
        "attributes": [
            {
                "code": "material",
                "name": "Matière",
                "kind": "choice",
                "unit": "",
                "value": "glass",
                "choices": [{"code": "glass", "name": "Verre"}],
            },
            {
                "code": "capacity",
                "name": "Capacity",
                "kind": "number",
                "unit": "ml",
                "value": 330,
                "choices": [],
            },
        ],
        "variants": [
            {
                "sku": "MUG",
                "name": "",
                "options": {"size": "S"},
                "unit": "piece",
                "price": GBP,
                "reduction": None,
                "price_tiers": [],
                "available": False,
                "external_id": None,
                "barcode": "4006381333931",
                "weight_g": 310,
                "length_mm": 90,
                "width_mm": None,
                "height_mm": None,
                "tax_class": "standard",
                "attributes": [
                    {
                        "code": "finish",
                        "name": "Finish",
                        "kind": "text",
                        "unit": "",
                        "value": "matt",
                        "choices": [],
                    }
                ],
            }
        ],
        "media": [],
        "created_at": found["created_at"],
        "updated_at": found["created_at"],
    }


def test_all_faults_of_a_product_are_in_one_answer(staff: Client, mug: str) -> None:
    body = new(
        product_type=mug,
        attributes={"material": "wood", "capacity": "big", "colour": "red"},
        variants=[
            {"sku": "A", "price": GBP, "options": {"size": "S"}, "barcode": "12345678"},
            {"sku": "B", "price": GBP, "options": {"size": "S"}},
        ],
    )
    refused = post(staff, PRODUCTS, body)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_product")
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [
        ("/attributes/material", "unknown_choice"),
        ("/attributes/capacity", "invalid_attribute_value"),
        ("/attributes/colour", "unknown_attribute"),
        ("/variants/0/barcode", "invalid_barcode"),
        ("/variants/1/options", "options_repeated"),
    ]


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"product_type": "nope"}, 400, "unknown_product_type"),
        ({"texts": {"xx": {"name": "x"}}}, 400, "unknown_locale"),
        ({"slug": "0197a7c8-5c1e-7cc3-98a4-1f0e2c3b4d5e"}, 400, "invalid_slug"),
        ({"slug": "taken"}, 409, "slug_taken"),
        ({"external_id": "taken"}, 409, "external_id_taken"),
        ({"slug": "With Space"}, 400, "invalid_body"),
    ],
)
def test_what_a_new_product_cannot_be(
    staff: Client, fields: dict[str, Any], status: int, code: str, now: datetime
) -> None:
    products.product(now=now, slug="taken", external_id="taken")
    refused = post(staff, PRODUCTS, new(**fields))
    assert (refused.status_code, refused.json()["code"]) == (status, code)


def test_a_change_merges_what_is_sent(client: Client, staff: Client, mug: str) -> None:
    body = new(product_type=mug, attributes={"material": "glass", "capacity": 330})
    made = post(staff, PRODUCTS, body | {"texts": {"fr": {"name": "Tasse", "seo_title": "T"}}})
    path = f"{PRODUCTS}/{made.json()['id']}"
    changed = patch(
        staff,
        path,
        {
            "attributes": {"material": "steel", "capacity": None},
            "texts": {"fr": {"seo_title": ""}, "de": {"name": "Becher"}},
            "variants": {"MUG": {"options": {"size": "S"}}},
            "external_id": "1",
        },
        if_match=made["ETag"],
    )
    assert changed.status_code == 200, changed.content
    assert [(a["code"], a["value"]) for a in changed.json()["attributes"]] == [
        ("material", "steel")
    ]
    assert changed.json()["variants"][0]["options"] == {"size": "S"}
    names = {x: client.get(path, {"locale": x}).json()["name"] for x in ("en", "fr", "de", "es")}
    assert names == {"en": "Travel mug", "fr": "Tasse", "de": "Becher", "es": "Travel mug"}
    same = patch(staff, path, {"external_id": "1"}, if_match=changed["ETag"])
    assert same["ETag"] == changed["ETag"]
    emptied = patch(staff, path, {"attributes": {"material": None}}, if_match=changed["ETag"])
    assert [(e["pointer"], e["code"]) for e in emptied.json()["errors"]] == [
        ("/attributes/material", "attribute_required")
    ]


def test_an_old_slug_is_redirected(
    client: Client, staff: Client, now: datetime, django_assert_num_queries: Any
) -> None:
    path = f"{PRODUCTS}/{products.product(now=now, name='Lantern')}"
    changed = patch(staff, path, {"slug": "lamp"}, if_match=client.get(path)["ETag"])
    assert changed.json()["slug"] == "lamp"
    with django_assert_num_queries(2, using=alias_of("products")):
        moved = client.get(f"{PRODUCTS}/lantern", {"currency": "GBP"})
    assert (moved.status_code, moved["Location"]) == (301, f"{PRODUCTS}/lamp?currency=GBP")
    assert client.get(f"{PRODUCTS}/lantern")["Location"] == f"{PRODUCTS}/lamp"
    renamed = patch(staff, f"{PRODUCTS}/lamp", {"name": "Lamp"}, if_match=changed["ETag"])
    assert renamed.json()["name"] == "Lamp"


def test_a_locale_that_the_shop_lacks_is_refused(client: Client, now: datetime) -> None:
    refused = client.get(f"{PRODUCTS}/{products.product(now=now)}", {"locale": "xx"})
    assert (refused.status_code, refused.json()["errors"]) == (
        400,
        [
            {
                "pointer": "?locale",
                "code": "unknown_locale",
                "detail": "There are en, de, es, fr, ru.",
            }
        ],
    )


def test_variants_are_added_once_per_key(client: Client, staff: Client, now: datetime) -> None:
    path = f"{PRODUCTS}/{products.product(now=now, sku='A')}"
    body = {"variants": [{"sku": "B", "price": GBP}, {"sku": "C", "price": GBP}]}
    added = [post(staff, f"{path}/variants", body, idempotency_key="k") for _ in range(2)]
    assert [answer.status_code for answer in added] == [201, 201]
    assert added[1]["Idempotency-Replayed"] == "true"
    assert [v["sku"] for v in client.get(path).json()["variants"]] == ["A", "B", "C"]
    taken = post(staff, f"{path}/variants", {"variants": [{"sku": "A", "price": GBP}]})
    assert (taken.status_code, taken.json()["code"]) == (409, "sku_taken")
    differ = {"variants": [{"sku": "D", "price": GBP, "options": {"size": "S"}}]}
    refused = post(staff, f"{path}/variants", differ)
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [
        ("/variants/0/options", "option_names_differ")
    ]
    twice = {"variants": [{"sku": "E", "price": GBP}, {"sku": "E", "price": GBP}]}
    assert post(staff, f"{path}/variants", twice).json()["code"] == "nothing_to_sell"


def test_a_variant_is_changed_under_the_tag_of_its_product(
    client: Client, staff: Client, customer: Client, now: datetime
) -> None:
    path = f"{PRODUCTS}/{products.product(now=now, sku='A')}"
    tag = client.get(path)["ETag"]
    assert patch(staff, f"{VARIANTS}/A", {"weight_g": 5}).status_code == 428
    assert patch(customer, f"{VARIANTS}/A", {"weight_g": 5}, if_match=tag).status_code == 403
    changed = patch(staff, f"{VARIANTS}/A", {"weight_g": 5, "tax_class": "low"}, if_match=tag)
    variant = changed.json()["variants"][0]
    assert (variant["weight_g"], variant["tax_class"]) == (5, "low")
    assert patch(staff, f"{VARIANTS}/A", {"weight_g": 6}, if_match=tag).status_code == 412
    wrong = patch(staff, f"{VARIANTS}/A", {"barcode": "12345678"}, if_match=changed["ETag"])
    assert [(e["pointer"], e["code"]) for e in wrong.json()["errors"]] == [
        ("/barcode", "invalid_barcode")
    ]
    unknown = patch(staff, f"{VARIANTS}/no", {"weight_g": 6}, if_match=tag)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "variant_not_found")


def test_a_variant_is_retired_but_never_the_last_on_sale(
    client: Client, staff: Client, now: datetime
) -> None:
    path = f"{PRODUCTS}/{products.product(now=now, sku='A')}"
    last = staff.delete(f"{VARIANTS}/A")
    assert (last.status_code, last.json()["code"]) == (409, "last_variant")
    post(staff, f"{path}/variants", {"variants": [{"sku": "B", "price": GBP}]})
    assert staff.delete(f"{VARIANTS}/A").status_code == 204
    assert staff.delete(f"{VARIANTS}/A").status_code == 204
    shown = client.get(path)
    assert [v["sku"] for v in shown.json()["variants"]] == ["B"]
    back = patch(staff, f"{VARIANTS}/A", {"retired": False}, if_match=shown["ETag"])
    assert [v["sku"] for v in back.json()["variants"]] == ["A", "B"]


def test_types_are_listed_changed_and_removed_by_staff(
    staff: Client, customer: Client, mug: str, django_assert_num_queries: Any
) -> None:
    post(staff, TYPES, {"code": "book", "name": "Book"})
    with django_assert_num_queries(2, using=alias_of("products")):
        listed = staff.get(TYPES, {"limit": 1}).json()
    assert [found["code"] for found in listed["items"]] == ["book"]
    further = staff.get(TYPES, {"limit": 1, "cursor": listed["next"]}).json()
    assert [found["code"] for found in further["items"]] == ["mug"]
    with django_assert_num_queries(2, using=alias_of("products")):
        shown = staff.get(f"{TYPES}/mug")
    assert shown.json()["attributes"][0] == {
        "level": "product",
        "unit": "",
        **MUG["attributes"][0],
        "choices": [
            {"code": "glass", "name": "Glass", "names": {"fr": "Verre"}},
            {"code": "steel", "name": "Steel", "names": {}},
        ],
    }
    changed = patch(staff, f"{TYPES}/mug", {"name": "Mugs"}, if_match=shown["ETag"])
    assert (changed.json()["name"], len(changed.json()["attributes"])) == ("Mugs", 3)
    assert customer.get(TYPES).status_code == 403
    assert staff.delete(f"{TYPES}/book").status_code == 204
    gone = staff.get(f"{TYPES}/book")
    assert (gone.status_code, gone.json()["code"]) == (404, "product_type_not_found")


def test_what_a_type_cannot_be(staff: Client, mug: str) -> None:
    taken = post(staff, TYPES, MUG)
    assert (taken.status_code, taken.json()["code"]) == (409, "product_type_taken")
    attributes = [{"code": "a", "name": "A", "kind": "choice", "unit": "cm"}]
    wrong = post(staff, TYPES, {"code": "x", "name": "X", "attributes": attributes})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_product_type")
    assert [(e["pointer"], e["code"]) for e in wrong.json()["errors"]] == [
        ("/attributes/0/choices", "choices_required"),
        ("/attributes/0/unit", "unit_not_allowed"),
    ]
    post(staff, PRODUCTS, new(product_type=mug, attributes={"material": "glass"}))
    shown = staff.get(f"{TYPES}/mug")
    used = patch(staff, f"{TYPES}/mug", {"attributes": []}, if_match=shown["ETag"])
    assert (used.status_code, used.json()["code"]) == (409, "product_type_in_use")
    assert [e["code"] for e in used.json()["errors"]] == ["attribute_in_use"]
    assert staff.delete(f"{TYPES}/mug").json()["code"] == "product_type_in_use"
