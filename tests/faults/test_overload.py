"""No more asynchronous orders are accepted than can be decided in the promised time."""

from __future__ import annotations

from itertools import count

import httpx
import pytest

from tests.support.stack.books import require_agreement
from tests.support.stack.buyers import Buyer
from tests.support.stack.shop import Shop
from tests.support.waiting import until

pytestmark = [
    pytest.mark.faults,
    pytest.mark.kafka,
    pytest.mark.timeout(600),
]


def test_while_no_consumer_decides_new_orders_are_refused_and_none_is_lost(
    shop: Shop, buyer: Buyer, goods: list[str]
) -> None:
    shop.restart_role("web", ORDERS_ASYNC_PROMISE="1")
    shop.wait_until_ready()
    shop.kill_role("consumer")
    keys = (f"overload-{number}" for number in count())
    sent: dict[str, httpx.Response] = {}

    def send() -> httpx.Response:
        key = next(keys)
        sent[key] = buyer.send(goods[0], key=key, Prefer="respond-async")
        return sent[key]

    try:
        until(lambda: send().status_code == 503, "they are refused")
        refused = list(sent.values())[-1]
        assert refused.json()["code"] == "orders_overloaded"
        assert int(refused.headers["Retry-After"]) >= 1
        accepted = {key: told for key, told in sent.items() if told.status_code == 202}
        assert len(accepted) == len(sent) - 1
        # Nobody waits for the consumer who waits for an answer, or has one.
        assert buyer.send(goods[1], key="overload-synchronous").status_code == 201
        again = buyer.send(goods[0], key="overload-0", Prefer="respond-async")
        assert again.headers["Idempotency-Replayed"] == "true"

        shop.start_role("consumer")
        until(lambda: send().status_code == 202, "they are accepted again")
    finally:
        shop.restart_role("web")
        shop.wait_until_ready()
    require_agreement(shop)
    ids = [told.json()["id"] for told in sent.values() if told.status_code == 202]
    decided = shop.query(
        "orders", "SELECT DISTINCT status FROM orders_order WHERE id = ANY(%s::uuid[])", [ids]
    )
    assert decided == [("CONFIRMED",)]
    [(placed,)] = shop.query(
        "orders",
        "SELECT count(*) FROM orders_order WHERE asynchronous AND customer_id = %s",
        [buyer.customer_id],
    )
    assert placed == len(ids)
