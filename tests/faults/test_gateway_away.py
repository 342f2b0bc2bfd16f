"""A gateway that comes and goes: failing, slow, killed, and well again, under orders."""

from __future__ import annotations

import threading
import time
from itertools import count
from typing import Self
from uuid import uuid4

import httpx
import pytest

from tests.support.stack.books import require_agreement
from tests.support.stack.buyers import Buyer, Load
from tests.support.stack.shop import Shop
from tests.support.waiting import until

pytestmark = [
    pytest.mark.faults,
    pytest.mark.kafka,
    pytest.mark.timeout(600),
]


class Reader:
    """Somebody who reads what no cache has, and a cart, as often as the limits let them."""

    def __init__(self, shop: Shop, buyer: Buyer) -> None:
        self._http, self._headers = shop.http, buyer.account.headers
        self._numbers, self._stopping = count(), threading.Event()
        made = self._http.post("/api/v1/carts", json={})
        assert made.status_code == 201, made.text
        self._cart = f"/api/v1/carts/{made.json()['id']}"
        self.answered, self.others = 0, list[str]()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._stopping.is_set():
            for path in (f"/api/v1/products?limit={next(self._numbers) % 90 + 1}", self._cart):
                try:
                    status = str(self._http.get(path, headers=self._headers).status_code)
                except httpx.HTTPError as error:
                    status = repr(error)
                if status == "200":
                    self.answered += 1
                else:
                    self.others.append(f"{path}: {status}")
            self._stopping.wait(0.25)


@pytest.mark.usefixtures("normal_gateway", "normal_web")
@pytest.mark.parametrize(
    "ways",
    [["slow"], pytest.param(["failing", "slow", "killed"] * 3, marks=pytest.mark.long)],
)
def test_a_flapping_gateway_charges_nobody_for_nothing_and_keeps_no_reader_waiting(
    shop: Shop, buyer: Buyer, other_buyer: Buyer, goods: list[str], ways: list[str]
) -> None:
    def orders_are_refused() -> bool:
        answer = other_buyer.send(goods[0], key=uuid4().hex)
        if answer.status_code != 503:
            return False
        assert answer.json()["code"] == "payments_unavailable"
        assert int(answer.headers["Retry-After"]) >= 1
        return True

    def go_away_and_come_back(how: str) -> None:
        if how == "killed":
            shop.kill_role("gateway")
        else:
            shop.set_gateway(**{"failing": {"error_rate": 1}, "slow": {"latency_ms": 9_000}}[how])
        # From the moment it is away, and not only once nobody asks it any more.
        with Reader(shop, other_buyer) as reader:
            until(lambda: reader.answered >= 20, "the reader is answered")
            until(orders_are_refused, "orders are refused")
        assert reader.others == []
        if how == "killed":
            shop.start_role("gateway")
        else:
            shop.set_gateway()
        back = time.monotonic()
        until(lambda: load.confirmed_since(back) > 5, "orders go on")

    # As many wait for a place as in a shop.
    shop.restart_role(
        "web", PAYMENT_GATEWAY_MAX_WAITING="1", PAYMENT_GATEWAY_MAX_WAIT_SECONDS="0.25"
    )
    shop.wait_until_ready()
    with Load(buyer, skus=goods) as load:
        for how in ways:
            go_away_and_come_back(how)
    require_agreement(shop, buyer)
    # Refused orders were sent again by their clients, and became orders.
    assert {told.status for told in buyer.journal} <= {201, 202, 402}
