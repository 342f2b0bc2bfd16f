"""One database per context: the same shop, and the same proof."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from config.contexts import CONTEXTS
from tests.support.stack.books import require_agreement
from tests.support.stack.buyers import Buyer
from tests.support.stack.shop import Shop
from tests.support.stack.staff import new_goods

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.long,
    pytest.mark.timeout(300),
]


@pytest.fixture
def split_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = Shop(tmp_path_factory.mktemp("split"), split=True)
    try:
        shop.start()
        yield shop
    finally:
        shop.stop()


def test_with_a_database_per_context_orders_are_placed_relayed_handled_and_audited(
    split_shop: Shop,
) -> None:
    assert len({split_shop.database_url(context) for context in CONTEXTS}) == len(CONTEXTS)
    buyer = Buyer.register(split_shop)
    [plenty] = new_goods(split_shop, on_hand=1000)
    [scarce] = new_goods(split_shop, on_hand=5)
    with ThreadPoolExecutor(4) as crowd:
        sold = crowd.map(lambda _: buyer.buy(scarce).outcome, range(20))
        declined = crowd.map(lambda _: buyer.buy(plenty, token="tok_declined").outcome, range(10))
        later = crowd.map(lambda _: buyer.buy(plenty, Prefer="respond-async").outcome, range(10))
        assert Counter(sold) == {"CONFIRMED": 5, "out_of_stock": 15}
        assert Counter(declined) == {"payment_declined": 10}
        assert Counter(later) == {"PENDING": 10}
    checks = require_agreement(split_shop, buyer)
    # The sold ones and those that the consumer decided, each with its goods and its money.
    assert checks["holds"]["differences"] == checks["payments"]["differences"] == []
    sold_by_day = "SELECT sum(confirmed) FROM reporting_salesday"
    assert split_shop.query("reporting", sold_by_day) == [(15,)]
