from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from django.test import Client

from infrastructure.http.compatibility import breaking_changes
from infrastructure.http.openapi.document import document
from infrastructure.http.openapi.schemas import schema_of
from infrastructure.http.types import Body, PageOf
from tests.support.http import Coat, ParcelRow

THING = "/api/v1/things/{thing_id}"


@pytest.fixture
def sample() -> dict[str, Any]:
    return document()


def test_the_document_is_openapi_3_1_and_the_same_every_time(sample: dict[str, Any]) -> None:
    assert sample["openapi"] == "3.1.0"
    assert document() == sample


def test_an_operation_says_what_it_takes(sample: dict[str, Any]) -> None:
    paint = sample["paths"]["/api/v1/things"]["post"]
    body = paint["requestBody"]["content"]["application/json"]
    assert body["schema"] == {"$ref": "#/components/schemas/Paint"}
    assert body["examples"]["blue"]["value"]["coats"] == [{"colour": "blue", "layers": 1}]
    assert paint["security"] == [{"accessToken": ["things.write"]}]
    headers = {p["name"]: p["required"] for p in paint["parameters"]}
    assert headers == {"Idempotency-Key": True, "Prefer": False}
    listed = sample["paths"]["/api/v1/parcels"]["get"]
    assert listed["security"] == [{}]
    assert [p["name"] for p in listed["parameters"]] == [
        *("cursor", "limit", "label", "fragile", "weight_max", "Consistency-Token")
    ]
    limit = listed["parameters"][1]["schema"]
    assert limit == {"type": "integer", "minimum": 1, "maximum": 100, "default": 25}
    changed = sample["paths"][THING]["patch"]
    assert changed["requestBody"]["content"].keys() == {
        *("application/json", "application/merge-patch+json")
    }
    assert {p["name"]: p["required"] for p in changed["parameters"]} == {
        "thing_id": True,
        "If-Match": True,
    }


def codes_of(sample: dict[str, Any], operation: dict[str, Any], status: str) -> set[str]:
    response = sample["components"]["responses"][
        operation["responses"][status]["$ref"].rsplit("/", 1)[1]
    ]
    return set(response["content"]["application/problem+json"]["examples"])


def test_an_operation_says_what_it_answers(sample: dict[str, Any]) -> None:
    paint = sample["paths"]["/api/v1/things"]["post"]
    assert list(paint["responses"]) == [
        *("201", "202", "400", "401", "403", "406", "409", "411", "413", "415", "422"),
        *("429", "500", "503"),
    ]
    assert codes_of(sample, paint, "409") == {"out_of_paint", "in_progress"}
    assert codes_of(sample, paint, "400") == {
        *("invalid_parameters", "invalid_json", "invalid_body", "invalid_header"),
        "idempotency_key_required",
    }
    created = set(paint["responses"]["201"]["headers"])
    assert created == {
        *("X-Request-ID", "RateLimit-Policy", "RateLimit", "Location", "Idempotency-Replayed")
    }
    assert "Preference-Applied" in paint["responses"]["202"]["headers"]
    got = sample["paths"][THING]["get"]
    assert "ETag" in got["responses"]["200"]["headers"]
    assert "304" in got["responses"]
    changed = sample["paths"][THING]["patch"]
    assert codes_of(sample, changed, "412") == {"stale_version"}
    assert codes_of(sample, changed, "428") == {"if_match_required"}
    assert "Link" in sample["paths"]["/api/v1/parcels"]["get"]["responses"]["200"]["headers"]


def test_every_reference_leads_somewhere(sample: dict[str, Any]) -> None:
    references = list(_references(sample))
    assert len(references) > 50
    for reference in references:
        found: Any = sample
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def test_a_page_is_named_after_its_items() -> None:
    schema, components = schema_of(PageOf[ParcelRow])
    assert schema == {"$ref": "#/components/schemas/ParcelRowPage"}
    assert components.keys() == {"ParcelRowPage", "ParcelRow"}


class Order(Body, frozen=True, kw_only=True):
    coat: Coat


def test_components_are_named_after_their_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Order, "__module__", "domains.orders.api.serializers")
    monkeypatch.setitem(sys.modules, "domains.orders.api.serializers", sys.modules[__name__])
    schema, components = schema_of(Order)
    assert schema == {"$ref": "#/components/schemas/orders.Order"}
    assert components["orders.Order"]["properties"]["coat"] == {"$ref": "#/components/schemas/Coat"}
    assert components["orders.Order"]["additionalProperties"] is False


def test_the_document_is_served_and_cached(api: Client) -> None:
    response = api.get("/api/v1/openapi.json")
    assert response.headers["Content-Type"] == "application/json"
    assert response.json()["info"]["title"] == "Kontor"


# Compatibility


def changed(old: dict[str, Any], change: Callable[[dict[str, Any]], Any]) -> list[str]:
    new = deepcopy(old)
    change(new)
    return breaking_changes(old, new)


def schema(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda document: document["components"]["schemas"][name]


def post(document: dict[str, Any]) -> dict[str, Any]:
    return document["paths"]["/api/v1/things"]["post"]


def test_what_is_the_same_breaks_nobody(sample: dict[str, Any]) -> None:
    assert changed(sample, lambda new: None) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d["paths"].pop(THING), f"GET {THING} is gone."),
        (lambda d: d["paths"][THING].pop("delete"), f"DELETE {THING} is gone."),
        (
            lambda d: schema("Painted")(d)["properties"].pop("name"),
            "POST /api/v1/things 201.name is gone.",
        ),
        (
            lambda d: schema("Painted")(d)["required"].remove("name"),
            "POST /api/v1/things 201.name may be missing now.",
        ),
        (
            lambda d: schema("Painted")(d)["properties"].update(name={"type": "integer"}),
            "POST /api/v1/things 201.name may be integer now.",
        ),
        (
            lambda d: schema("Painted")(d)["properties"].update(
                name={"anyOf": [{"type": "string"}, {"type": "null"}]}
            ),
            "POST /api/v1/things 201.name may be null now.",
        ),
        (
            lambda d: schema("Paint")(d)["properties"].pop("note"),
            "POST /api/v1/things body.note is gone.",
        ),
        (
            lambda d: schema("Coat")(d)["required"].append("layers"),
            "POST /api/v1/things body.coats[].layers is required now.",
        ),
        (
            lambda d: schema("Coat")(d)["properties"]["layers"].update(maximum=8),
            "POST /api/v1/things body.coats[].layers has a narrower maximum.",
        ),
        (
            lambda d: schema("Paint")(d)["properties"]["name"].update(minLength=2),
            "POST /api/v1/things body.name has a narrower minLength.",
        ),
        (
            lambda d: schema("Coat")(d)["properties"]["colour"].update(enum=["red"]),
            "POST /api/v1/things body.coats[].colour takes fewer values.",
        ),
        (
            lambda d: schema("Paint")(d)["properties"].update(note={"type": "string"}),
            "POST /api/v1/things body.note does not take null any more.",
        ),
        (
            lambda d: post(d)["responses"].pop("202"),
            "POST /api/v1/things does not answer 202 any more.",
        ),
        (
            lambda d: post(d)["parameters"].append(
                {"in": "header", "name": "X-New", "required": True, "schema": {}}
            ),
            "POST /api/v1/things header parameter X-New is new and required.",
        ),
        (
            lambda d: post(d)["parameters"][1].update(required=True),
            "POST /api/v1/things header parameter Prefer is required now.",
        ),
        (
            lambda d: d["paths"]["/api/v1/parcels"]["get"]["parameters"].pop(2),
            "GET /api/v1/parcels query parameter label is gone.",
        ),
    ],
)
def test_what_is_taken_away_or_demanded_is_named(
    sample: dict[str, Any], change: Callable[[dict[str, Any]], Any], sentence: str
) -> None:
    assert sentence in changed(sample, change)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["paths"].update({"/api/v1/new": {"get": {}}}),
        lambda d: schema("Painted")(d)["properties"].update(more={"type": "string"}),
        lambda d: schema("Painted")(d)["required"].append("more"),
        lambda d: schema("Paint")(d)["properties"].update(more={"type": "string"}),
        lambda d: schema("Paint")(d)["required"].remove("name"),
        lambda d: schema("Coat")(d)["properties"]["layers"].update(maximum=10),
        lambda d: schema("Coat")(d)["properties"]["colour"]["enum"].append("green"),
        lambda d: post(d)["parameters"].append(
            {"in": "query", "name": "new", "required": False, "schema": {}}
        ),
        lambda d: post(d)["parameters"].pop(1),
    ],
)
def test_what_is_added_or_widened_breaks_nobody(
    sample: dict[str, Any], change: Callable[[dict[str, Any]], Any]
) -> None:
    assert changed(sample, change) == []


def test_instants_have_their_format(sample: dict[str, Any]) -> None:
    painted = schema("Painted")(sample)["properties"]["painted_at"]
    assert painted == {"type": "string", "format": "date-time"}
