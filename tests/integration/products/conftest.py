from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.core.cache import caches
from django.http import HttpResponse
from django.test import Client

from domains.products.services import products as services
from domains.products.services import types
from tests.support.factories import users
from tests.support.products import COLOURS, FINISH, MATERIAL, Edit

Send = Callable[..., HttpResponse]


@pytest.fixture(autouse=True)
def _fresh_limits() -> None:
    caches["default"].clear()


@pytest.fixture
def staff() -> Client:
    return users.client_of(users.staff("catalogue"))


@pytest.fixture
def customer() -> Client:
    return users.client_of(users.customer())


@pytest.fixture
def body() -> dict[str, Any]:
    """The product of the README's journey."""
    return {
        "name": "White hanging heart t-light holder",
        "status": "active",
        "variants": [{"sku": "85123A", "price": {"amount": "4.50", "currency": "GBP"}}],
    }


@pytest.fixture
def edit(now: datetime) -> Edit:
    def change(product_id: UUID, **changes: Any) -> tuple[str, ...]:
        return services.edit_product(product_id=product_id, version=None, now=now, **changes)

    return change


@pytest.fixture
def mug(now: datetime) -> str:
    types.create_type(code="mug", name="Mug", attributes=[MATERIAL, COLOURS, FINISH], now=now)
    return "mug"
