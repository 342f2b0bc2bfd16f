"""kill -9 of the web process at every step of a placement, and of a cancellation."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest

from tests.support.stack.books import require_agreement, stock_of
from tests.support.stack.buyers import Buyer, Load
from tests.support.stack.shop import Shop
from tests.support.waiting import until

pytestmark = [
    pytest.mark.faults,
    pytest.mark.kafka,
    pytest.mark.timeout(300),
]

# Half of it passes before the gateway carries the request out, half of it after.
LATENCY_MS = 600

CONFIRMED_AFTER_ALL = {
    "nothing is written": "before=orders:1",
    "the order is written": "after=orders:1",
    "its goods are held": "after=products:1",
    "its payment is written as sent": "after=payments:1",
    "the request is on its way to the gateway": "after=payments:1;delay_ms=100",
    "the gateway's answer is on its way": "after=payments:1;delay_ms=450",
    "the gateway has answered": "before=payments:2",
    "the outcome is written": "after=payments:2",
    "the order is confirmed": "after=orders:2",
}
DECLINED_AFTER_ALL = {
    "the gateway has declined": "before=payments:2",
    "the refusal is written": "after=payments:2",
    "the order is rejected": "after=orders:2",
    "its goods are released": "after=products:2",
    "the order is finished": "after=orders:3",
}


@pytest.mark.long
@pytest.mark.usefixtures("normal_gateway", "normal_web")
def test_an_order_whose_process_was_killed_at_any_step_is_decided_without_its_client(
    shop: Shop, buyer: Buyer, other_buyer: Buyer, goods: list[str]
) -> None:
    sku, *others = goods
    # As many places as a process has threads: nobody finds the gateway's taken, and its order a
    # worker's. The load has orders of others die with the process, at any step of theirs.
    shop.restart_role("web", PAYMENT_GATEWAY_CONCURRENCY="8")
    shop.wait_until_ready()
    shop.set_gateway(latency_ms=LATENCY_MS)
    with Load(other_buyer, skus=others, threads=2, pause=0.2):
        for when, point in CONFIRMED_AFTER_ALL.items():
            place_and_kill(shop, buyer, sku, when, point)
        for when, point in DECLINED_AFTER_ALL.items():
            place_and_kill(shop, buyer, sku, when, point, token="tok_declined")

        statuses = until(
            lambda: decided(shop, buyer), "recovery decides what the killed left behind", seconds=90
        )
    # Whoever was killed before the first statement has left nothing to decide.
    assert sorted(statuses) == ["CONFIRMED"] * 8 + ["REJECTED"] * 5
    shop.wait_until_web_is_back()

    shop.set_gateway()
    told = {when: buyer.buy(sku, key=key_of(buyer, when)) for when in CONFIRMED_AFTER_ALL}
    assert {when: one.outcome for when, one in told.items()} == dict.fromkeys(
        CONFIRMED_AFTER_ALL, "CONFIRMED"
    )
    replayed = {when for when, one in told.items() if "Idempotency-Replayed" in one.headers}
    assert replayed == set(CONFIRMED_AFTER_ALL) - {"nothing is written"}
    assert {
        when: buyer.buy(sku, key=key_of(buyer, when), token="tok_declined").outcome
        for when in DECLINED_AFTER_ALL
    } == dict.fromkeys(DECLINED_AFTER_ALL, "payment_declined")

    require_agreement(shop, buyer, other_buyer)
    assert stock_of(shop, sku)[1] == len(CONFIRMED_AFTER_ALL)


# Of an order that is confirmed and paid.
CANCELLED_AFTER_ALL = {
    "the wish is written": "after=orders:1",
    "the void is written as sent": "after=payments:1",
    "the void is on its way to the gateway": "after=payments:1;delay_ms=100",
    "the gateway has voided": "before=payments:2",
    "the outcome is written": "after=payments:2",
    "the order is cancelled": "after=orders:2",
    "its goods are released": "after=products:1",
    "the order is finished": "after=orders:3",
}


def test_whoever_cancels_again_after_the_process_was_killed_is_told_that_it_is_done(
    shop: Shop, buyer: Buyer, goods: list[str]
) -> None:
    when = "the void is written as sent"
    order_id, point = buyer.buy(goods[0]).order_id, CANCELLED_AFTER_ALL[when]
    kill_web(shop, partial(cancel, buyer, order_id), key=key_of(buyer, when), point=point)

    again = until(lambda: cancelled(shop, buyer, order_id), "the order is cancelled")

    assert (again["status"], again["payment"]["status"]) == ("CANCELLED", "VOIDED")
    assert decided(shop, buyer) == ["CANCELLED"]
    assert stock_of(shop, goods[0])[1] == 0


@pytest.mark.long
@pytest.mark.usefixtures("normal_gateway")
def test_a_cancellation_whose_process_was_killed_at_any_step_is_carried_out(
    shop: Shop, buyer: Buyer, goods: list[str]
) -> None:
    order_ids = {when: buyer.buy(goods[0]).order_id for when in CANCELLED_AFTER_ALL}
    buyer.buy(goods[0])
    shop.set_gateway(latency_ms=LATENCY_MS)
    for when, point in CANCELLED_AFTER_ALL.items():
        carry_out = partial(cancel, buyer, order_ids[when])
        kill_web(shop, carry_out, key=key_of(buyer, when), point=point)
    statuses = until(
        lambda: decided(shop, buyer), "recovery ends what the killed left behind", seconds=90
    )
    assert sorted(statuses) == ["CANCELLED"] * len(CANCELLED_AFTER_ALL) + ["CONFIRMED"]
    shop.wait_until_web_is_back()
    for order_id in order_ids.values():
        again = cancel(buyer, order_id)
        assert (again.status_code, again.json()["payment"]["status"]) == (200, "VOIDED")
    require_agreement(shop)
    assert stock_of(shop, goods[0])[1] == 1


def cancelled(shop: Shop, buyer: Buyer, order_id: str) -> dict[str, Any] | None:
    """The order once nothing of it is left to do; None while its gateway has not answered."""
    shop.start_web_again_if_ended()
    try:
        answer = cancel(buyer, order_id)
    except httpx.TransportError:
        return None  # it is starting
    return answer.json() if answer.status_code == 200 else None


def cancel(buyer: Buyer, order_id: str, **headers: str) -> httpx.Response:
    return buyer.shop.http.post(
        f"/api/v1/orders/{order_id}/cancel",
        headers={**buyer.account.headers, **headers},
        json={"reason": "changed_mind"},
    )


def place_and_kill(
    shop: Shop, buyer: Buyer, sku: str, when: str, point: str, *, token: str = "tok_visa"
) -> None:
    key = key_of(buyer, when)
    kill_web(shop, partial(buyer.send, sku, key=key, token=token), key=key, point=point)


def kill_web(shop: Shop, send: Callable[..., httpx.Response], *, key: str, point: str) -> None:
    """Send a request until it has killed its process. It may meet a worker that is not up yet.

    send: takes headers. key: used by nobody else, or their death would be taken for this one.
    """
    last_words = f"killed {point} {key}"
    headers = {"Idempotency-Key": key, "X-Die-At": point}

    def sent_and_killed() -> bool:
        shop.start_web_again_if_ended()
        with contextlib.suppress(httpx.TransportError):
            answer = send(**headers)
            pytest.fail(f"nobody was {last_words}, but answered {answer.text}")
        return shop.has_said(last_words)

    assert not shop.has_said(last_words)
    until(sent_and_killed, last_words)


def key_of(buyer: Buyer, when: str) -> str:
    """The buyer's own: all tests of a session share one shop and what its processes said."""
    return f"{re.sub('[^a-z0-9]+', '-', when)}-{buyer.customer_id}"


def decided(shop: Shop, buyer: Buyer) -> list[str]:
    """The statuses of the buyer's orders once all are settled; empty before."""
    shop.start_web_again_if_ended()
    rows = shop.query(
        "orders",
        "SELECT status, unsettled_since IS NULL FROM orders_order WHERE customer_id = %s",
        [buyer.customer_id],
    )
    return [status for status, _ in rows] if all(settled for _, settled in rows) else []
