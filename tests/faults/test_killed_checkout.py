"""kill -9 of the web process at every step of a checkout."""

from __future__ import annotations

from functools import partial
from uuid import uuid4

import httpx
import pytest

from tests.faults.test_killed_web import decided, key_of, kill_web
from tests.support.stack.books import require_agreement, stock_of
from tests.support.stack.buyers import ADDRESS, Buyer
from tests.support.stack.shop import Shop
from tests.support.waiting import until

pytestmark = [
    pytest.mark.faults,
    pytest.mark.kafka,
    pytest.mark.timeout(300),
]

# The cart is frozen before anything is written.
STEPS = {
    "the cart is frozen": "before=orders:1",
    "the order is written": "after=orders:1",
    "its goods are held": "after=products:1",
    "its payment is written as sent": "after=payments:1",
    "the gateway has answered": "before=payments:2",
    "the outcome is written": "after=payments:2",
    "the order is confirmed": "after=orders:2",
}
DECLINED_STEPS = {
    "the refusal is written": "after=payments:2",
    "the order is rejected": "after=orders:2",
    "its goods are released": "after=products:2",
}


@pytest.mark.parametrize("when", ["the cart is frozen", "the order is confirmed"])
def test_whoever_sends_a_checkout_again_that_was_killed_gets_its_one_order(
    shop: Shop, buyer: Buyer, goods: list[str], when: str
) -> None:
    path = cart_with(buyer, goods[0])
    kill(shop, buyer, path, when, STEPS[when], token="tok_visa")

    again = until_answered(buyer, path, key=key_of(buyer, when), token="tok_visa")
    other = until_answered(buyer, path, key=uuid4().hex, token="tok_visa")

    assert (again.status_code, again.json()["status"]) == (201, "CONFIRMED")
    assert other.json()["id"] == again.json()["id"]
    assert decided(shop, buyer) == ["CONFIRMED"]
    assert stock_of(shop, goods[0])[1] == 1


@pytest.mark.long
def test_a_checkout_that_was_killed_at_any_step_makes_one_order_or_leaves_the_cart(
    shop: Shop, buyer: Buyer, goods: list[str]
) -> None:
    sku = goods[0]
    carts = {when: cart_with(buyer, sku) for when in {**STEPS, **DECLINED_STEPS}}
    for when, point in STEPS.items():
        kill(shop, buyer, carts[when], when, point, token="tok_visa")
    for when, point in DECLINED_STEPS.items():
        kill(shop, buyer, carts[when], when, point, token="tok_declined")

    statuses = until(
        lambda: decided(shop, buyer), "recovery decides what the killed left behind", seconds=90
    )
    assert sorted(statuses) == ["CONFIRMED"] * 6 + ["REJECTED"] * 3
    shop.wait_until_web_is_back()
    for when in ("the cart is frozen", *DECLINED_STEPS):
        until(
            lambda path=carts[when]: can_be_changed(buyer, path, sku), f"the cart is open: {when}"
        )

    # The client sends everything again: with its key, and from another window without it.
    for when, path in carts.items():
        token = "tok_declined" if when in DECLINED_STEPS else "tok_visa"
        again = until_answered(buyer, path, key=key_of(buyer, when), token=token)
        if when in DECLINED_STEPS:
            assert (again.status_code, again.json()["code"]) == (402, "payment_declined"), when
            continue
        other = until_answered(buyer, path, key=uuid4().hex, token=token)
        assert (again.status_code, other.status_code) == (201, 201), when
        assert again.json()["id"] == other.json()["id"], when

    require_agreement(shop)
    assert stock_of(shop, sku)[1] == len(STEPS)


def cart_with(buyer: Buyer, sku: str) -> str:
    """The path of a guest's cart with one piece. A customer has one open cart, a guest many."""
    made = buyer.shop.http.post("/api/v1/carts", json={})
    assert made.status_code == 201, made.text
    path = f"/api/v1/carts/{made.json()['id']}"
    added = buyer.shop.http.put(f"{path}/items/{sku}", json={"quantity": 1})
    assert added.status_code == 200, added.text
    return path


def can_be_changed(buyer: Buyer, path: str, sku: str) -> bool:
    answer = buyer.shop.http.put(f"{path}/items/{sku}", json={"quantity": 1})
    return answer.status_code == 200


def check_out(buyer: Buyer, path: str, *, key: str, token: str, **headers: str) -> httpx.Response:
    return buyer.shop.http.post(
        f"{path}/checkout",
        headers={**buyer.account.headers, "Idempotency-Key": key, **headers},
        json={"shipping_address": ADDRESS, "payment": {"method": "card", "token": token}},
    )


def until_answered(buyer: Buyer, path: str, *, key: str, token: str) -> httpx.Response:
    def sent() -> httpx.Response | None:
        buyer.shop.start_web_again_if_ended()
        try:
            answer = check_out(buyer, path, key=key, token=token)
        except httpx.TransportError:
            return None  # it is starting
        return None if answer.json().get("code") == "in_progress" else answer

    return until(sent, f"the checkout {key} has an outcome")


def kill(shop: Shop, buyer: Buyer, path: str, when: str, point: str, *, token: str) -> None:
    key = key_of(buyer, when)
    send = partial(check_out, buyer, path, key=key, token=token)
    kill_web(shop, send, key=key, point=point)
