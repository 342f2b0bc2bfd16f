from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

import pytest

from domains.products.queries import prices as queries
from tests.support.factories import products
from tests.support.prices import DAY


@pytest.fixture(autouse=True)
def lantern(now: datetime) -> UUID:
    """On sale for 10.00 for a year."""
    return products.product(now=now - 365 * DAY, sku="A", price_minor=1000)


@pytest.fixture(autouse=True)
def _channels_are_not_remembered() -> Iterator[None]:
    yield
    queries._known_channels.clear()
