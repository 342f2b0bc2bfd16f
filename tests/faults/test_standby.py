"""Reads on a real streaming standby: never older than what the caller has been told."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from devstack.console import Console
from devstack.credentials import Credentials
from devstack.ports import RememberedPorts
from devstack.postgres import Postgres
from tests.support.stack.buyers import Account
from tests.support.stack.shop import Shop, client
from tests.support.stack.standby import Standby
from tests.support.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def standby(shop: Shop) -> Iterator[Standby]:
    """One that the web role reads from, and no longer when the test is over."""
    primary = shop.services["postgres"]
    assert isinstance(primary, Postgres)
    ports = RememberedPorts(shop.layout.ports)
    credentials = Credentials(shop.layout.credentials)
    standby = Standby(primary, shop.layout, ports["standby"], credentials)
    standby.prepare(Console())
    standby.start()
    standby.wait_until_ready()
    own = shop.database_url("products")
    variable = "PRODUCTS_DATABASE_REPLICA_URLS"
    if own == shop.environment["DATABASE_URL"]:
        variable = "DATABASE_REPLICA_URLS"
    url = own.replace(f":{primary.port}/", f":{standby.port}/")
    shop.restart_role("web", **{variable: url})
    shop.wait_until_ready()
    try:
        yield standby
    finally:
        standby.kill()
        shop.restart_role("web")
        shop.wait_until_ready()


@pytest.fixture
def staff(shop: Shop) -> Account:
    return Account.of_staff(shop)


def test_a_token_is_answered_by_a_standby_only_once_that_knows_enough(
    shop: Shop, standby: Standby, staff: Account, goods: list[str]
) -> None:
    with standby.paused():
        before = on_hand(shop, staff, goods[0], token=None)
        token = adjusted(shop, staff, goods[0], by=7)
        at_standby = reads(shop, "standby")
        assert on_hand(shop, staff, goods[0], token=token) == before + 7
        assert reads(shop, "standby") == at_standby

    assert on_hand(shop, staff, goods[0], token=token) == before + 7
    assert reads(shop, "standby") == at_standby + 1


def test_what_is_private_is_not_read_there_without_a_token(
    shop: Shop, standby: Standby, staff: Account, goods: list[str]
) -> None:
    with standby.paused():
        before = on_hand(shop, staff, goods[0], token=None)
        adjusted(shop, staff, goods[0], by=3)
        assert on_hand(shop, staff, goods[0], token=None) == before + 3


def test_a_standby_that_dies_is_missed_by_nobody(
    shop: Shop, standby: Standby, staff: Account, goods: list[str]
) -> None:
    token = adjusted(shop, staff, goods[0], by=1)
    until(standby.has_replayed, "the standby has caught up")
    before = on_hand(shop, staff, goods[0], token=token)
    standby.kill()
    for _ in range(20):
        assert on_hand(shop, staff, goods[0], token=token) == before
    standby.start()
    standby.wait_until_ready()

    def is_read_again() -> bool:
        """By every process of the web role; a connection of its own each time ends in any."""
        at_standby = reads(shop, "standby")
        for _ in range(12):
            with client(shop.url) as http:
                assert on_hand(shop, staff, goods[0], token=token, http=http) == before
        return reads(shop, "standby") == at_standby + 12

    until(is_read_again, "the standby is read again")


def test_what_is_no_token_is_refused(shop: Shop, staff: Account, goods: list[str]) -> None:
    answer = read(shop, staff, goods[0], token="yesterday")
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_header"


def test_a_position_that_was_never_reached_keeps_nobody_from_the_standby(
    shop: Shop, standby: Standby, staff: Account, goods: list[str]
) -> None:
    token = adjusted(shop, staff, goods[0], by=1)
    until(standby.has_replayed, "the standby has caught up")
    before = on_hand(shop, staff, goods[0], token=token)
    at_standby = reads(shop, "standby")
    forged = ",".join(f"{part.split(':')[0]}:ffffffffffffffff" for part in token.split(","))
    assert on_hand(shop, staff, goods[0], token=forged) == before
    assert reads(shop, "standby") == at_standby + 1


def adjusted(shop: Shop, staff: Account, sku: str, *, by: int) -> str:
    answer = shop.http.post(
        f"/api/v1/inventory/{sku}/adjustments",
        headers=staff.headers,
        json={"delta": by, "reason": "count"},
    )
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Consistency-Token"])


def on_hand(
    shop: Shop, staff: Account, sku: str, *, token: str | None, http: httpx.Client | None = None
) -> int:
    answer = read(shop, staff, sku, token=token, http=http)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["on_hand"])


def read(
    shop: Shop, staff: Account, sku: str, *, token: str | None, http: httpx.Client | None = None
) -> httpx.Response:
    headers = {} if token is None else {"Consistency-Token": token}
    asked = http or shop.http
    return asked.get(f"/api/v1/inventory/{sku}", headers={**staff.headers, **headers})


def reads(shop: Shop, where: str) -> float:
    """How many reads went to `primary` or `standby`, in all processes of the web role."""
    text = shop.http.get("/metrics").text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "database_replica_reads_total" and sample.labels["where"] == where
    )
