"""Values that Python takes and Postgres does not, or that overflow on the way: each is refused
with the field that has it, wherever it comes in."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

import pytest
from django.core.cache import caches
from django.test import Client

from domains.products.rules.attributes import Kind
from domains.products.rules.types import AttributeTerms
from domains.products.services import types
from tests.support.factories import products, users
from tests.support.files import bring, counts, faults

pytestmark = pytest.mark.django_db

SKU = "71053"
LIST = '{"code": "sale", "name": "Sale", "currency": "GBP", "valid_from": "%s"}'
UNTIL = '{"code": "sale", "name": "Sale", "currency": "GBP", "valid_until": "%s"}'
MONEY = '"amount": "1.00", "currency": "GBP"'
PRICE = f'{{{MONEY}, "valid_from": "%s"}}'
SOLD = f'"sku": "L", "price": {{{MONEY}}}'
LAMP = f'{{"name": "Lamp", "product_type": "lamp", "attributes": %s, "variants": [{{{SOLD}}}]}}'
OPTIONS = f'{{"name": "Lamp", "variants": [{{{SOLD}, "options": %s}}]}}'
TEXTS = '{"name": "Lights", "texts": %s}'

INSTANTS = [
    "2026-01-01T00:00:00-23:58",
    "2026-01-01T00:00:00+16:00",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-12:00",
    "9999-12-31T23:59:59Z",
]


@pytest.fixture
def staff(now: datetime) -> Client:
    caches["default"].clear()
    attributes = [
        AttributeTerms(code="watt", name="Watt", kind=Kind.NUMBER, filterable=True),
        AttributeTerms(code="maker", name="Maker", kind=Kind.TEXT, filterable=True),
        AttributeTerms(code="since", name="Since", kind=Kind.DATE, filterable=True),
    ]
    types.create_type(code="lamp", name="Lamp", attributes=attributes, now=now)
    products.product(now=now, sku=SKU)
    return users.client_of(users.staff())


@pytest.mark.parametrize("value", INSTANTS)
@pytest.mark.parametrize(
    ("method", "path", "body", "pointer"),
    [
        ("POST", "price-lists", LIST, "/valid_from"),
        ("POST", "price-lists", UNTIL, "/valid_until"),
        ("PUT", f"variants/{SKU}/price", PRICE, "/valid_from"),
        ("GET", f"variants/{SKU}/prices?at=%s", "", "?at"),
        ("GET", f"variants/{SKU}/price-timeline?from_at=%s", "", "?from_at"),
        ("GET", f"variants/{SKU}/price-timeline?until_at=%s", "", "?until_at"),
    ],
)
def test_instants_that_cannot_be_stored_are_refused(
    staff: Client, method: str, path: str, body: str, pointer: str, value: str
) -> None:
    if body:
        body = body % value
    else:
        path = path % quote(value)
    assert _refused(staff, method, path, body) == [(pointer, "out_of_range")]


@pytest.mark.parametrize("value", ["2026-01-01T00:00:00+14:00", "2026-01-01T00:00:00-12:00"])
def test_instants_of_all_places_on_earth_are_taken(staff: Client, value: str) -> None:
    assert _send(staff, "POST", "price-lists", LIST % value).status_code == 201
    assert _send(staff, "GET", f"variants/{SKU}/prices?at={quote(value)}", "").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "pointer", "code"),
    [
        ("POST", "products", LAMP % r'{"maker": "a\u0000b"}', "/attributes/maker", "bad_format"),
        ("POST", "products", LAMP % r'{"maker": ["\u0000"]}', "/attributes/maker/0", "bad_format"),
        ("POST", "products", LAMP % r'{"ma\u0000ker": 1}', None, "bad_format"),
        ("POST", "products", LAMP % r'{"watt": {"\u0000": 1}}', None, "bad_format"),
        ("POST", "products", OPTIONS % r'{"\u0000": "a"}', None, "bad_format"),
        ("POST", "products", OPTIONS % r'{"a": "\u0000"}', None, "bad_format"),
        ("POST", "categories", TEXTS % r'{"de": {"name": "\u0000"}}', None, "bad_format"),
        ("POST", "categories", TEXTS % r'{"d\u0000e": {"name": "x"}}', None, "bad_format"),
        ("POST", "products", LAMP % r'{"maker": "\ud800"}', None, "invalid_json"),
        ("POST", "products", LAMP % r'{"\udc00": 1}', None, "invalid_json"),
        ("POST", "products", LAMP % '{"watt": NaN}', None, "invalid_json"),
        ("POST", "products", LAMP % '{"watt": Infinity}', None, "invalid_json"),
        ("POST", "products", LAMP % '{"watt": 1e400}', None, "invalid_json"),
        ("POST", "products", LAMP % f'{{"watt": {10**400}}}', "/attributes/watt", "*"),
        ("POST", "products", LAMP % f'{{"watt": {10**30}}}', "/attributes/watt", "*"),
        ("POST", "products", LAMP % '{"since": "0000-01-01"}', "/attributes/since", "*"),
        ("POST", "products", LAMP % '{"since": "10000-01-01"}', "/attributes/since", "*"),
        ("GET", "products?q=%00", "", "?q", "bad_format"),
        ("GET", "products?attr.maker=%00", "", "?attr.maker", "bad_format"),
        ("GET", "products?attr.m%00=x", "", None, "*"),
        ("GET", "products?%00=x", "", None, "unknown_parameter"),
        ("GET", "products?attr.watt_min=nan", "", "?attr.watt_min", "*"),
        ("GET", "products?attr.watt_min=inf", "", "?attr.watt_min", "*"),
        ("GET", "products?attr.watt_max=1e400", "", "?attr.watt_max", "*"),
        ("GET", "products?attr.since_min=0000-01-01", "", "?attr.since_min", "*"),
        ("GET", f"products?price_min={10**30}", "", "?price_min", "too_long"),
        ("GET", f"products?limit={10**30}", "", "?limit", "out_of_range"),
        ("GET", f"variants/{SKU}/prices?quantity={10**30}", "", "?quantity", "out_of_range"),
        ("GET", "inventory?sku=%00", "", "?sku", "bad_format"),
        ("GET", "orders?number=%00", "", "?number", "bad_format"),
        ("GET", "operations?kind=%00", "", "?kind", "bad_format"),
    ],
)
def test_texts_and_numbers_that_cannot_be_stored_are_refused(
    staff: Client, method: str, path: str, body: str, pointer: str | None, code: str
) -> None:
    answer = _send(staff, method, path, body)
    assert answer.status_code == 400, answer.content
    told: dict[str, Any] = answer.json()
    if code == "invalid_json":
        assert told["code"] == code
        return
    [fault] = told["errors"]
    assert pointer is None or fault["pointer"] == pointer
    assert code in ("*", fault["code"])


@pytest.mark.parametrize("value", ["%00", "a%00b", "%ED%A0%80", "%FF", "%F4%90%80%80", "9" * 200])
@pytest.mark.parametrize(
    "path",
    [
        "products/%s",
        "categories/%s",
        "product-types/%s",
        "variants/%s/prices",
        "inventory/%s",
        "price-lists/%s",
        "warehouses/%s",
        "operations/%s",
        "media/%s",
        "orders/%s",
        "users/%s",
    ],
)
def test_what_no_name_can_be_is_not_found(staff: Client, path: str, value: str) -> None:
    assert _send(staff, "GET", path % value, "").status_code in (400, 404)


@pytest.mark.parametrize("value", ["%ED%A0%80", "%FF", "\U0010ffff", "％"])
def test_words_that_are_no_text_find_nothing(staff: Client, value: str) -> None:
    answer = _send(staff, "GET", f"products?q={quote(value, safe='%')}", "")
    assert (answer.status_code, answer.json()["items"]) == (200, [])


@pytest.mark.parametrize("value", INSTANTS)
def test_a_file_is_refused_such_instants_by_row(staff: Client, now: datetime, value: str) -> None:
    assert staff
    file = f"sku,currency,amount,valid_from\n{SKU},GBP,1.00,{value}\n"
    done = bring("prices", file, now=now)
    assert counts(done) == (0, 0, 0, 1)
    assert faults(done) == [(2, "valid_from", "out_of_range")]


def _refused(client: Client, method: str, path: str, body: str) -> list[tuple[str, str]]:
    answer = _send(client, method, path, body)
    assert answer.status_code == 400, answer.content
    return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]


def _send(client: Client, method: str, path: str, body: str) -> Any:
    return client.generic(
        method, f"/api/v1/{path}", body, content_type="application/json" if body else ""
    )
