from __future__ import annotations

from datetime import datetime

import pytest

from infrastructure import clock
from tests.support.factories import products as goods


@pytest.fixture
def now() -> datetime:
    """Carts live by the clock of their Redis."""
    return clock.now()


@pytest.fixture(autouse=True)
def _lanterns(no_carts: None, now: datetime) -> None:
    goods.product(name="Lantern", sku="A", price_minor=255, stock=5, now=now)
