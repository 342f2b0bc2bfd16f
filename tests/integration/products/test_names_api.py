"""How things of the catalogue may be called."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.support.catalogue_api import CATEGORIES, PRODUCTS, patch, post

pytestmark = pytest.mark.django_db


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


def test_so_are_names_in_other_languages_and_of_options(
    staff: Client, body: dict[str, Any]
) -> None:
    body["variants"][0]["options"] = {"Si\nze": "M", "Colour": "b\x07lue", "Fit": " "}
    body |= {"texts": {"de": {"name": "La\tmpe"}}}
    refused = post(staff, PRODUCTS, body)
    assert {(e["pointer"], e["code"]) for e in refused.json()["errors"]} == {
        ("/variants/0/options/Si\nze", "bad_format"),
        ("/variants/0/options/Colour", "bad_format"),
        ("/variants/0/options/Fit", "bad_format"),
        ("/texts/de/name", "bad_format"),
    }


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
