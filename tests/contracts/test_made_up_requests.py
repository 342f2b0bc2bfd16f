"""Requests that are made up from the API's description: each answer is one that it describes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from domains.orders.services.invoicing import issue_due
from domains.products.public import add_media
from tests.support.after_placement import reread
from tests.support.carts import add, cart_of, guest_cart
from tests.support.factories import orders, pictures, pricing, products, users
from tests.support.order_commands import COMMANDS, announce

FILE = Path(__file__).parent / "openapi.json"

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]

# What the routes of each begin with.
AREAS = {
    "catalogue": (
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
    ),
    "sale": (
        "carts",
        "coupons",
        "invoices",
        "orders",
        "payment-methods",
        "payments",
        "promotions",
        "quotes",
        "shipping-methods",
        "shipping-terms",
        "tax-rates",
        "users",
    ),
}
# Of an area, by all callers together; those who may little are refused most of what they ask.
CASES = {"catalogue": 200, "sale": 100}
MANY_CASES = 2000
CALLERS = ("staff", "staff", "customer", "anonymous")

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


def test_every_route_is_of_an_area() -> None:
    described = json.loads(FILE.read_text())
    prefix = "/api/v1/"
    routes = {path.removeprefix(prefix) for path in described["paths"] if path.startswith(prefix)}
    asked = {name for names in AREAS.values() for name in names}
    # Signing in hashes passwords, which takes long on purpose.
    assert {route.partition("/")[0] for route in routes} == asked | {"auth"}


@pytest.mark.parametrize(
    ("area", "cases"),
    [
        *CASES.items(),
        *(pytest.param(area, MANY_CASES, marks=pytest.mark.long) for area in CASES),
    ],
)
def test_whatever_is_asked_is_answered_as_described(area: str, cases: int, now: datetime) -> None:
    customer = users.customer()
    people = {"staff": users.staff(), "customer": customer}
    existing = _goods(now=now)
    if area == "sale":
        existing |= _sales(customer.id, now=now)
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application())
    of_area = schema.include(path_regex=f"^/api/v1/({'|'.join(AREAS[area])})(/|$)")
    operations = [found.ok() for found in of_area.get_all_operations()]
    asked = 0
    for number, operation in enumerate(operations):
        right, wrong = (
            operation.as_strategy(mode)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        )

        @seed(number)
        @settings(
            # A little more, since of some there are few that differ.
            max_examples=cases * 5 // 4 // len(operations) + 1,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=st.one_of(right, right, wrong), data=st.data())
        def ask(case: Any, data: Any) -> None:
            nonlocal asked
            asked += 1
            # The checks read what came, and unpack nothing.
            headers = {"Accept-Encoding": "identity"}
            caller = people.get(data.draw(st.sampled_from(CALLERS)))
            if caller is not None:
                headers["Authorization"] = f"Bearer {users.access_token(caller)}"
            # Left alone, nearly every made up name would be nobody's.
            for name in case.path_parameters:
                if name in existing and data.draw(st.booleans()):
                    case.path_parameters[name] = data.draw(st.sampled_from(existing[name]))
            case.call_and_validate(headers=headers, checks=CHECKED)

        ask()
    assert asked >= cases


def _goods(*, now: datetime) -> dict[str, list[str]]:
    """What there is for a made up request to hit, by the name of a path's parameter."""
    skus = ["S1", "S2", "S3"]
    ids = [products.product(name=f"Cup {sku}", sku=sku, stock=9, now=now) for sku in skus]
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


def _sales(customer_id: UUID, *, now: datetime) -> dict[str, list[str]]:
    """The same of what is sold; the orders and one of the carts are the customer's."""
    pricing.shipping_method(now=now)
    rate_id = pricing.tax_rate(now=now)
    coupon = pricing.coupon(now=now)
    sold = [orders.placed({"S1": 2}, customer_id=customer_id, now=now) for _ in range(3)]
    for order in sold[1:]:
        COMMANDS["fulfil"](order, now)
    announce(reread(sold[2]), now)
    last = reread(sold[2])
    filled = [
        cart_of(customer_id, now, add("S1"), add("S2", 2)),
        guest_cart(now, add("S1", 3)),
        guest_cart(now),
    ]
    return {
        "cart_id": [str(cart.id) for cart in filled],
        "order_id": [str(order.id) for order in sold],
        "payment_id": [str(order.payment_id) for order in sold],
        "fulfilment_id": [str(parcel.id) for parcel in last.fulfilments],
        "return_id": [str(announced.id) for announced in last.returns],
        "step_id": [str(step.id) for order in sold for step in reread(order).steps],
        "document_id": [
            str(document.id) for order in sold for document in issue_due(order_id=order.id, now=now)
        ],
        "promotion_id": [str(coupon.promotion_id)],
        "rate_id": [str(rate_id)],
        "user_id": [str(customer_id)],
        "gateway": ["in_process"],
        "code": ["TEN", "standard"],
    }
