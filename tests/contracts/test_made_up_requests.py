"""Requests that are made up from the API's description: each answer is one that it describes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from domains.products.public import add_media
from tests.support.factories import pictures, products, users

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]

# What the routes of the catalogue begin with.
AREAS = (
    "categories",
    "channels",
    "exports",
    "imports",
    "inventory",
    "media",
    "operations",
    "price-lists",
    "product-types",
    "products",
    "variants",
    "warehouses",
)
# Of all callers together; those who may little are refused most of what they ask.
CASES, MANY_CASES = 200, 2000
SHARES = {"staff": 0.5, "customer": 0.25, "anonymous": 0.25}

load_all_checks()
CHECKED = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "response_headers_conformance",
    )
]


@pytest.fixture(autouse=True)
def _kept_connections() -> Iterator[None]:
    """A request ends by closing old connections; here the test's transaction is on them."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.parametrize("caller", SHARES)
@pytest.mark.parametrize("cases", [CASES, pytest.param(MANY_CASES, marks=pytest.mark.long)])
def test_whatever_the_catalogue_is_asked_it_answers_as_described(
    cases: int, caller: str, now: datetime
) -> None:
    # The checks read what came, and unpack nothing.
    headers = {"Accept-Encoding": "identity"}
    if caller != "anonymous":
        user = users.staff() if caller == "staff" else users.customer()
        headers["Authorization"] = f"Bearer {users.access_token(user)}"
    share = round(cases * SHARES[caller])
    existing = _goods(now=now)
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application())
    of_catalogue = schema.include(path_regex=f"^/api/v1/({'|'.join(AREAS)})(/|$)")
    operations = [found.ok() for found in of_catalogue.get_all_operations()]
    asked = 0
    for number, operation in enumerate(operations):
        right, wrong = (
            operation.as_strategy(mode)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        )

        @seed(number)
        @settings(
            # A little more, since of some there are few that differ.
            max_examples=share * 5 // 4 // len(operations) + 1,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=st.one_of(right, right, wrong), data=st.data())
        def ask(case: Any, data: Any) -> None:
            nonlocal asked
            asked += 1
            # Left alone, nearly every made up name would be nobody's.
            for name in case.path_parameters:
                if name in existing and data.draw(st.booleans()):
                    case.path_parameters[name] = data.draw(st.sampled_from(existing[name]))
            case.call_and_validate(headers=headers, checks=CHECKED)

        ask()
    assert asked >= share


def _goods(*, now: datetime) -> dict[str, list[str]]:
    """What there is for a made up request to hit, by the name of a path's parameter."""
    skus = ["S1", "S2", "S3"]
    ids = [products.product(name=f"Cup {sku}", sku=sku, stock=5, now=now) for sku in skus]
    files = [pictures.picture(width=40, height=30, colour=(shade, 0, 0)) for shade in (0, 90)]
    media = [
        str(add_media(product_id=product_id, file=io.BytesIO(file), now=now))
        for product_id in ids
        for file in files
    ]
    return {
        "sku": skus,
        "kind": ["products", "categories", "product-types", "prices", "stock"],
        "id_or_slug": [*(str(product_id) for product_id in ids), "cup-s1"],
        "media_id": media,
        "product_id": [str(product_id) for product_id in ids],
    }
