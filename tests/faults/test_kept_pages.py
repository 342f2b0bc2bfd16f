"""Pages of the catalogue from the memory of several web processes, while prices change."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from infrastructure.cache.listener import TRUST_SECONDS
from tests.support.stack.buyers import Account
from tests.support.stack.shop import Shop
from tests.support.stack.staff import new_goods
from tests.support.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


@pytest.fixture
def staff(shop: Shop) -> Account:
    return Account.of_staff(shop)


@pytest.fixture
def sku(shop: Shop) -> str:
    [sku] = new_goods(shop, on_hand=5)
    return sku


def test_who_writes_never_reads_less_than_they_were_told(
    shop: Shop, staff: Account, sku: str
) -> None:
    """Two web processes, each with a memory of its own; every request may reach either."""
    for pence in range(1, 11):
        token = ask(shop, staff, sku, pence)
        for read in (listed, detailed):
            for _ in range(2):
                assert read(shop, sku, token=token) == pence
                # Anybody else's reads keep the page in memory meanwhile.
                read(shop, sku)


@pytest.fixture
def kept_for_an_hour(shop: Shop) -> Iterator[None]:
    """So that nothing new is shown because the old has expired."""
    shop.restart_role("web", CACHE_SECONDS="3600")
    shop.wait_until_ready()
    yield
    shop.restart_role("web")
    shop.wait_until_ready()


@pytest.mark.usefixtures("kept_for_an_hour")
def test_a_change_shows_in_every_process_without_waiting_for_an_expiry(
    shop: Shop, staff: Account, sku: str
) -> None:
    for pence in (101, 102, 103):
        until(lambda: shown(shop, sku) == {listed(shop, sku)}, "all show the same")
        ask(shop, staff, sku, pence)
        until(lambda pence=pence: shown(shop, sku) == {pence}, "all show the change")  # type: ignore[misc]


def test_without_redis_pages_are_right_and_no_request_fails(
    shop: Shop, staff: Account, sku: str
) -> None:
    assert shown(shop, sku) == {450}
    with shop.away("redis", seconds=3):
        token = ask(shop, staff, sku, 201)
        assert listed(shop, sku, token=token) == 201
        # A process that hears nothing believes its memory for so long.
        time.sleep(TRUST_SECONDS + 0.5)
        assert shown(shop, sku) == {201}
        ask(shop, staff, sku, 202)
        assert shown(shop, sku) == {202}
    for _ in range(10):
        assert shown(shop, sku) == {202}


def ask(shop: Shop, staff: Account, sku: str, pence: int) -> str:
    answer = shop.http.put(
        f"/api/v1/variants/{sku}/price",
        headers=staff.headers,
        json={"amount": f"{pence / 100:.2f}", "currency": "GBP"},
    )
    assert answer.status_code == 200, answer.text
    return str(answer.headers["Consistency-Token"])


def shown(shop: Shop, sku: str) -> set[int]:
    """What several connections are told, which end in both processes."""
    return {listed(shop, sku) for _ in range(8)}


def listed(shop: Shop, sku: str, *, token: str | None = None) -> int:
    [item] = get(shop, f"/api/v1/products?q={sku}", token)["items"]
    return pence_of(item["variants"][0])


def detailed(shop: Shop, sku: str, *, token: str | None = None) -> int:
    [item] = get(shop, f"/api/v1/products?q={sku}", token)["items"]
    return pence_of(get(shop, f"/api/v1/products/{item['id']}", token)["variants"][0])


def get(shop: Shop, path: str, token: str | None) -> dict[str, list[dict[str, dict[str, str]]]]:
    headers = {} if token is None else {"Consistency-Token": token}
    # A connection of its own, so that the kernel chooses the process each time.
    with httpx.Client(base_url=shop.url, timeout=30) as http:
        answer = http.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, list[dict[str, dict[str, str]]]] = answer.json()
    return found


def pence_of(variant: dict[str, dict[str, str]]) -> int:
    return round(float(variant["price"]["amount"]) * 100)
