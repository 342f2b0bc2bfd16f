from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.payments.conftest import gateway
from tests.support.carts import forget_all

__all__ = ["gateway"]


@pytest.fixture
def no_carts() -> Iterator[None]:
    """There are none before, and none are left."""
    forget_all()
    yield
    forget_all()
