from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import caches
from django.http import HttpResponse
from django.test import Client

from tests.support.factories import users

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
