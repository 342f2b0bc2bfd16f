from __future__ import annotations

from collections.abc import Iterator

import pytest

from domains.carts.models import CartStore, store
from tests.support.carts import forget_all


@pytest.fixture(autouse=True)
def _no_carts() -> Iterator[None]:
    forget_all()
    yield
    forget_all()


@pytest.fixture
def carts() -> CartStore:
    return store()
