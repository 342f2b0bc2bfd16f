"""No text that comes into the catalogue has a control character: walked through the API's
description, member by member."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from infrastructure.database.contexts import alias_of
from tests.contracts.test_made_up_requests import AREAS
from tests.support.factories import products, users

FILE = Path(__file__).parent / "openapi.json"
DOCUMENT = json.loads(FILE.read_text())
ROUTE = re.compile(rf"/api/v1/({'|'.join(AREAS['catalogue'])})(/|$)")
JSON = "application/json"
WRITE = re.compile(r'(INSERT INTO|UPDATE|DELETE FROM) "?products_')

# Where a text is in a body: names of members and places in lists. NAME stands for the name itself
# of a member that the caller names.
Place = tuple[str | int, ...]
NAME = "the name"
# What a path leads to, as far as it matters.
NAMED = {"sku": "S1", "kind": "products", "media_id": str(UUID(int=0))}

pytestmark = pytest.mark.django_db


def writes() -> list[tuple[str, str]]:
    """Method and path of what takes a body of JSON."""
    return [
        (method.upper(), path)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
        if ROUTE.match(path) and JSON in operation.get("requestBody", {}).get("content", {})
    ]


def test_every_area_that_is_written_by_bodies_is_walked_through() -> None:
    assert {path.split("/")[3] for _, path in writes()} == {
        "categories",
        "channels",
        "exports",
        "inventory",
        "media",
        "price-lists",
        "product-types",
        "products",
        "variants",
        "warehouses",
    }


@pytest.mark.parametrize(("method", "path"), writes())
def test_a_control_character_is_refused_in_each_text_of_a_body(
    method: str, path: str, now: datetime
) -> None:
    products.product(name="Cup", sku="S1", stock=9, now=now)
    staff = users.client_of(users.staff())
    content = DOCUMENT["paths"][path][method.lower()]["requestBody"]["content"][JSON]
    example = content.get("example") or next(iter(content["examples"].values()))["value"]
    address = re.sub(r"{(\w+)}", lambda found: NAMED.get(found[1], "some"), path)
    for place in _texts(content["schema"]):
        for letter in ("\0", "\7", "\x85"):
            text = f"a{letter}b"
            body = _with_text(example, place, text)
            pointer = _pointer(place, text)
            with CaptureQueriesContext(connections[alias_of("products")]) as asked:
                answer = staff.generic(method, address, json.dumps(body), content_type=JSON)
            assert (pointer, "bad_format") in _faults(answer), (place, answer.content)
            assert not [query["sql"] for query in asked if WRITE.search(query["sql"])]


def _texts(schema: dict[str, Any], place: Place = ()) -> Iterator[Place]:
    """Each place in a body of this schema where a text may be."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    for arm in schema.get("anyOf", ()):
        yield from _texts(arm, place)
    if schema.get("type") == "string":
        yield place
    for name, member in schema.get("properties", {}).items():
        yield from _texts(member, (*place, name))
    if items := schema.get("items"):
        yield from _texts(items, (*place, 0))
    if named := schema.get("additionalProperties"):
        yield (*place, NAME)
        yield from _texts(named, (*place, "de"))


def _with_text(part: Any, place: Place, text: str) -> Any:
    """This part of a body with the text at that place in it."""
    if not place:
        return text
    step, rest = place[0], place[1:]
    if isinstance(step, int):
        items = part if isinstance(part, list) else []
        return [_with_text(items[0] if items else None, rest, text), *items[1:]]
    members = part if isinstance(part, dict) else {}
    if step == NAME:
        return members | {text: "x"}
    return members | {step: _with_text(members.get(step), rest, text)}


def _pointer(place: Place, text: str) -> str:
    if place[0] == "items":
        # What was refused of rows is kept, and no NUL can be.
        text = text.replace("\0", "\ufffd")
    return "".join(f"/{text if step == NAME else step}" for step in place)


def _faults(answer: Any) -> list[tuple[str, str]]:
    """Pointers and codes of a refusal, or of those of single rows."""
    told = answer.json()
    if answer.status_code == 200:
        rows = enumerate(told["items"])
        return [(f"/items/{n}{row.get('pointer')}", row.get("code")) for n, row in rows]
    assert answer.status_code == 400, answer.content
    return [(error["pointer"], error["code"]) for error in told["errors"]]
