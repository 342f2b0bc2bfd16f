"""What looking at a cart costs the databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from django.test.utils import CaptureQueriesContext

from domains.carts.models import store
from domains.pricing.queries import terms
from infrastructure.database.contexts import connection_of
from tests.support.carts import add, guest_cart
from tests.support.factories import products as goods

pytestmark = pytest.mark.django_db


def statements(client: Client, path: str) -> list[str]:
    found: list[str] = []
    contexts = [CaptureQueriesContext(connection_of(name)) for name in ("products", "pricing")]
    same = contexts[0].connection is contexts[1].connection
    with contexts[0], contexts[1]:
        assert client.get(path).status_code == 200
    for context in contexts[:1] if same else contexts:
        found += [query["sql"] for query in context.captured_queries]
    return found


@pytest.fixture(autouse=True)
def _terms_of_this_test() -> Iterator[None]:
    terms.forget()
    yield
    terms.forget()


@pytest.mark.parametrize("lines", [1, 30])
def test_a_cart_is_shown_by_two_statements_at_most(
    lines: int, now: datetime, settings: Any
) -> None:
    settings.PRICING_TERMS_SECONDS = 60
    goods.stocked({f"S{number}": 9 for number in range(lines)}, now=now)
    cart = guest_cart(now, *(add(f"S{number}") for number in range(lines)))
    client, path = Client(), f"/api/v1/carts/{cart.id}"
    statements(client, path)  # from here on the process knows the promotions
    assert len(statements(client, path)) == 1
    fields = {"coupons": '["SPRING"]', "country": "GB"}
    store().change(cart_id=cart.id, owner=None, fields=fields, now=now)
    assert len(statements(client, path)) == 2
