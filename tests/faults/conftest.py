from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stack.buyers import Buyer
from tests.support.stack.shop import Shop
from tests.support.stack.staff import new_goods

PLENTY = 1_000_000


@pytest.fixture
def buyer(shop: Shop) -> Buyer:
    return Buyer.register(shop)


@pytest.fixture
def other_buyer(shop: Shop) -> Buyer:
    return Buyer.register(shop)


@pytest.fixture
def goods(shop: Shop) -> list[str]:
    """Five SKUs that do not run out."""
    return new_goods(shop, on_hand=PLENTY, count=5)


@pytest.fixture
def normal_gateway(shop: Shop) -> Iterator[None]:
    """For tests that change how the gateway behaves."""
    yield
    shop.set_gateway()


@pytest.fixture
def normal_web(shop: Shop) -> Iterator[None]:
    """For tests that start the web role with other settings."""
    yield
    shop.restart_role("web")
    shop.wait_until_ready()
