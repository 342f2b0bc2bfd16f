from __future__ import annotations

from uuid import uuid4

import pytest

from tests.support.stack.buyers import Account
from tests.support.stack.shop import Shop


@pytest.fixture
def staff(shop: Shop) -> dict[str, str]:
    """The headers of a member of staff."""
    return Account.of_staff(shop).headers


@pytest.fixture
def customer(shop: Shop) -> dict[str, str]:
    """The headers of somebody who has just registered and signed in."""
    email, password = f"{uuid4().hex}@example.com", "a lantern on the water"
    registered = shop.http.post(
        "/api/v1/auth/register", json={"email": email, "password": password, "name": "Ada"}
    )
    assert registered.status_code == 201
    assert registered.json()["email"] == email
    signed_in = shop.http.post("/api/v1/auth/token", json={"email": email, "password": password})
    assert signed_in.status_code == 200
    tokens = signed_in.json()
    assert set(tokens) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert tokens["token_type"] == "Bearer"
    return {"Authorization": f"Bearer {tokens['access_token']}"}


@pytest.fixture
def lantern(shop: Shop, staff: dict[str, str]) -> str:
    """The SKU of a lantern at 4.50 GBP, 50 of it in stock."""
    sku = f"L{uuid4().hex[:10].upper()}"
    created = shop.http.post(
        "/api/v1/products",
        headers=staff,
        json={
            "name": f"White metal lantern {sku}",
            "status": "active",
            "variants": [{"sku": sku, "price": {"amount": "4.50", "currency": "GBP"}}],
        },
    )
    assert created.status_code == 201
    adjusted = shop.http.post(
        f"/api/v1/inventory/{sku}/adjustments",
        headers=staff,
        json={"delta": 50, "reason": "count"},
    )
    assert adjusted.status_code == 201
    return sku
