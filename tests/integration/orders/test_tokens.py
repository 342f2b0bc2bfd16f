"""What a customer was told holds on every page that they read with the token of the answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from infrastructure import clock
from infrastructure.cache.tiers import Cache
from tests.support.caches import installed_cache
from tests.support.factories import products as goods
from tests.support.factories.orders import ADDRESS
from tests.support.factories.users import client_of, customer

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "Consistency-Token"


@pytest.fixture(autouse=True)
def cache(settings: Any) -> Iterator[Cache]:
    with installed_cache(settings, f"test-{uuid4().hex}") as cache:
        yield cache


@pytest.fixture
def now() -> datetime:
    return clock.now()


@pytest.fixture(autouse=True)
def lantern(now: datetime, cache: Cache) -> None:
    goods.product(name="Lantern", sku="A", price_minor=255, stock=3, now=now)


@pytest.fixture
def ann() -> Client:
    return client_of(customer())


def order(client: Client, quantity: int, *, key: str) -> Any:
    body = {
        "lines": [{"sku": "A", "quantity": quantity}],
        "shipping_address": {name: text for name, text in ADDRESS.items() if text},
        "payment": {"method": "card", "token": "tok_visa"},
    }
    answer = client.post(
        "/api/v1/orders", body, content_type="application/json", headers={"Idempotency-Key": key}
    )
    assert answer.status_code == 201, answer.content
    return answer


def is_available(client: Client, **headers: str) -> bool:
    answer = client.get("/api/v1/products/lantern", headers=headers)
    found: bool = answer.json()["variants"][0]["available"]
    return found


def test_an_order_that_leaves_something_changes_no_page_and_needs_no_token(ann: Client) -> None:
    assert TOKEN not in order(ann, 2, key="k")


def test_who_ordered_the_last_is_not_shown_that_there_is_one(
    ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_available(ann)
    # As in another replica, which has not heard of it.
    monkeypatch.setattr("infrastructure.cache.invalidation._hint", lambda tags: None)
    token = order(ann, 3, key="k")[TOKEN]
    assert is_available(Client())
    assert not is_available(ann, **{TOKEN: token})


def test_who_asks_again_what_became_of_the_order_is_told_as_much(
    ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_available(ann)
    monkeypatch.setattr("infrastructure.cache.invalidation._hint", lambda tags: None)
    order(ann, 3, key="k")
    repeated = order(ann, 3, key="k")
    assert repeated["Idempotency-Replayed"] == "true"
    assert not is_available(ann, **{TOKEN: repeated[TOKEN]})


def test_who_calls_off_the_order_of_the_last_sees_that_there_is_one_again(
    ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = order(ann, 3, key="k").json()
    assert not is_available(ann)
    monkeypatch.setattr("infrastructure.cache.invalidation._hint", lambda tags: None)
    cancelled = ann.post(
        f"/api/v1/orders/{placed['id']}/cancel", {"reason": "x"}, content_type="application/json"
    )
    assert cancelled.status_code == 200, cancelled.content
    assert not is_available(Client())
    assert is_available(ann, **{TOKEN: cancelled[TOKEN]})
