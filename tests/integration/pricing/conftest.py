from __future__ import annotations

import pytest
from django.core.cache import caches
from django.test import Client

from tests.support.factories import users


@pytest.fixture(autouse=True)
def _fresh_limits() -> None:
    caches["default"].clear()


@pytest.fixture
def staff() -> Client:
    return users.client_of(users.staff("catalogue"))


@pytest.fixture
def customer() -> Client:
    return users.client_of(users.customer())
