from __future__ import annotations

import pytest
from django.test import Client

from tests.support.factories import users


@pytest.fixture
def clerk() -> Client:
    """Somebody who may change the catalogue and the stock."""
    return users.admin_client_of(users.staff("catalogue"))


@pytest.fixture
def reader() -> Client:
    """Somebody who only looks: support."""
    return users.admin_client_of(users.staff("support"))


@pytest.fixture
def stranger() -> Client:
    """A member of staff who has nothing to do with the catalogue: finance."""
    return users.admin_client_of(users.staff("finance"))
