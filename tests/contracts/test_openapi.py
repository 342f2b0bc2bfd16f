"""The API's description is committed, current, and good enough to build clients from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import URLPattern, URLResolver, get_resolver
from jsonschema import Draft202012Validator

from infrastructure.http import catalogue, files
from infrastructure.http.errors import InvalidHeader
from infrastructure.http.openapi.document import document
from infrastructure.http.views import APIView

FILE = Path(__file__).parent / "openapi.json"
ROOT = Path(__file__).parents[2]
# The examples of types that several operations answer with.
SHARED = "components.json"

# Whoever may call these without a token was decided on purpose; see docs/security.md.
PUBLIC_ROUTES = {
    "DELETE /api/v1/carts/{cart_id}",
    "DELETE /api/v1/carts/{cart_id}/hold",
    "DELETE /api/v1/carts/{cart_id}/items/{sku}",
    "GET /.well-known/jwks.json",
    "GET /api/docs/",
    "GET /api/v1/carts/{cart_id}",
    "GET /api/v1/carts/{cart_id}/problems",
    "GET /api/v1/carts/{cart_id}/shipping-options",
    "GET /api/v1/categories",
    "GET /api/v1/categories/{id_or_slug}",
    "GET /api/v1/openapi.json",
    "GET /api/v1/products",
    "GET /api/v1/products/{id_or_slug}",
    "GET /api/v1/shipping-methods",
    "PATCH /api/v1/carts/{cart_id}",
    "POST /api/v1/auth/logout",
    "POST /api/v1/auth/register",
    "POST /api/v1/auth/token",
    "POST /api/v1/auth/token/refresh",
    "POST /api/v1/carts",
    "POST /api/v1/carts/{cart_id}/hold",
    "POST /api/v1/carts/{cart_id}/items",
    "POST /api/v1/carts/{cart_id}/seen",
    "POST /api/v1/payments/webhooks/{gateway}",
    "POST /api/v1/quotes",
    "PUT /api/v1/carts/{cart_id}/items/{sku}",
}

# Pictures of products, where neither a proxy nor a CDN serves them. No call of the API.
PICTURES = f"GET /{files.PATH}"
# Pages that people type without their last slash; whoever comes is sent to the page itself.
WITHOUT_SLASH = {"GET /admin", "GET /api/docs"}


@pytest.fixture(scope="module")
def api() -> dict[str, Any]:
    return document()


def operations(api: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_the_committed_document_is_current() -> None:
    call_command("export_openapi", "--check")


def test_what_an_earlier_document_promised_is_still_kept(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text(FILE.read_text())
    call_command("export_openapi", "--check", "--against", old)

    promised = json.loads(FILE.read_text())
    promised["paths"]["/api/v1/gone"] = {"get": {"responses": {"200": {}}}}
    schemas = promised["components"]["schemas"]
    schemas["users.Me"]["properties"]["nickname"] = {"type": "string"}
    schemas["users.Register"]["required"].remove("password")
    old.write_text(json.dumps(promised))
    with pytest.raises(CommandError) as refused:
        call_command("export_openapi", "--check", "--against", old)

    said = str(refused.value).splitlines()
    assert said[0] == "The API would break its users:"
    assert {
        "GET /api/v1/gone is gone.",
        "GET /api/v1/users/me 200.nickname is gone.",
        "POST /api/v1/auth/register body.password is required now.",
    } <= set(said)


def test_the_committed_page_of_problems_is_current() -> None:
    call_command("show_problems", "--check")


def test_a_code_has_one_status_and_one_title_whoever_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for code, errors in catalogue.by_code().items():
        assert len({(error.status, error.title) for error in errors}) == 1, code
    monkeypatch.setattr(InvalidHeader, "title", "Another title")
    with pytest.raises(ValueError, match="invalid_header has several statuses or titles"):
        catalogue.by_code()


def test_the_document_is_valid_openapi(api: dict[str, Any]) -> None:
    assert json.loads(FILE.read_text())["openapi"] == "3.1.0"
    for name, schema in api["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert schema["type"] in ("object", "string"), name
    ids = [operation["operationId"] for _, operation in operations(api)]
    assert len(ids) == len(set(ids))


def test_without_a_token_exactly_these_routes_are_open(api: dict[str, Any]) -> None:
    found = {name for name, operation in operations(api) if operation["security"] == [{}]}
    views = {"GET /.well-known/jwks.json", "GET /api/docs/", "GET /api/v1/openapi.json"}
    assert found | views == PUBLIC_ROUTES


def test_every_post_takes_an_idempotency_key_or_says_why_it_needs_none(api: dict[str, Any]) -> None:
    without = {
        name
        for name, operation in operations(api)
        if name.startswith("POST ")
        and "Idempotency-Key" not in {one["name"] for one in operation.get("parameters", ())}
    }
    page = (ROOT / "docs" / "conventions.md").read_text()
    reasons = dict(re.findall(r"^\| `(POST \S+)` \| (.+) \|$", page, re.MULTILINE))
    assert without == reasons.keys()


def _patterns(patterns: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if not route.startswith("admin/"):
                yield from _patterns(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route, pattern.callback


def test_every_route_is_an_api_view_or_known_to_be_none() -> None:
    others = {
        f"GET /{route}"
        for route, view in _patterns(get_resolver().url_patterns)
        if not (isinstance(getattr(view, "cls", None), type) and issubclass(view.cls, APIView))
    }
    assert others <= PUBLIC_ROUTES | {PICTURES} | WITHOUT_SLASH


def _strings(schema: dict[str, Any], api: dict[str, Any], place: str) -> Iterator[tuple[str, Any]]:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        if place.count(name) < 3:
            yield from _strings(api["components"]["schemas"][name], api, f"{place}/{name}")
        return
    yield place, schema
    for arm in schema.get("anyOf", ()):
        yield from _strings(arm, api, place)
    for field, value in schema.get("properties", {}).items():
        yield from _strings(value, api, f"{place}.{field}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _strings(schema[key], api, f"{place}[]")


def test_whatever_comes_in_has_bounds(api: dict[str, Any]) -> None:
    unbounded = []
    for name, operation in operations(api):
        schemas = [
            (p["name"], p["schema"]) for p in operation.get("parameters", ()) if p["in"] != "path"
        ]
        if body := operation.get("requestBody"):
            schemas += [("body", content["schema"]) for content in body["content"].values()]
        for place, schema in schemas:
            for inner, part in _strings(schema, api, f"{name} {place}"):
                kinds = part.get("type", ())
                kinds = {kinds} if isinstance(kinds, str) else set(kinds)
                bounded = "enum" in part or "format" in part or "const" in part
                if "string" in kinds and not (bounded or "maxLength" in part):
                    unbounded.append(f"{inner}: maxLength")
                if "array" in kinds and "maxItems" not in part:
                    unbounded.append(f"{inner}: maxItems")
                if {"integer", "number"} & kinds and not {"minimum", "maximum"} <= part.keys():
                    unbounded.append(f"{inner}: minimum and maximum")
                closed = isinstance(part.get("additionalProperties"), dict | bool)
                if "object" in kinds and not closed:
                    unbounded.append(f"{inner}: additionalProperties")
    assert sorted(set(unbounded)) == []


def test_instants_go_out_as_instants(api: dict[str, Any]) -> None:
    for name, schema in api["components"]["schemas"].items():
        for field, value in schema.get("properties", {}).items():
            if field.endswith("_at"):
                arms = value.get("anyOf", [value])
                assert {"type": "string", "format": "date-time"} in arms, f"{name}.{field}"


def _contents(api: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Operation, media type and content of every body, and of what is answered where all went
    well."""
    for name, operation in operations(api):
        told = [("body", operation.get("requestBody", {}))]
        told += [(s, answer) for s, answer in operation["responses"].items() if s.startswith("2")]
        for place, part in told:
            for media, content in part.get("content", {}).items():
                yield f"{name} {place}", media, content


def _examples(content: dict[str, Any], api: dict[str, Any]) -> Iterator[Any]:
    if "example" in content:
        yield content["example"]
    for told in content.get("examples", {}).values():
        shared = told.get("$ref", "").rsplit("/", 1)[-1]
        yield (api["components"]["examples"][shared] if shared else told)["value"]


def test_every_body_and_answer_has_an_example_of_its_schema(api: dict[str, Any]) -> None:
    without, wrong = [], []
    for place, media, content in _contents(api):
        examples = [*_examples(content, api)]
        if not examples:
            without.append(f"{place} {media}")
        schema = {**content["schema"], "components": api["components"]}
        for example in examples:
            found = Draft202012Validator(schema).iter_errors(example)
            wrong += [f"{place}: {fault.json_path} {fault.message}" for fault in found]
    assert (without, wrong) == ([], [])


def test_no_example_is_of_an_operation_that_is_gone(api: dict[str, Any]) -> None:
    known = {operation["operationId"] for _, operation in operations(api)}
    found = [*ROOT.glob("domains/*/api/examples/*.json"), *ROOT.glob("*/*/api/examples.json")]
    told = {name for file in found if file.name != SHARED for name in json.loads(file.read_text())}
    assert len(told) > 80
    assert told - known == set()


def test_no_shared_example_is_of_a_type_that_is_gone_and_each_is_right(api: dict[str, Any]) -> None:
    shared = {
        f"{file.parts[-4]}.{name}": example
        for file in ROOT.glob(f"domains/*/api/examples/{SHARED}")
        for name, example in json.loads(file.read_text()).items()
    }
    assert {"orders.Order", "payments.Payment", "users.Me"} <= shared.keys()
    for name, example in shared.items():
        schema = {**api["components"]["schemas"][name], "components": api["components"]}
        Draft202012Validator(schema).validate(example)
