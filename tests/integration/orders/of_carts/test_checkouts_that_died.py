"""What a checkout leaves behind whose process is killed, and who carries it on."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.test import Client

from domains.carts import public as carts
from domains.orders.models import Checkout, Order, PaymentChoice
from domains.orders.services import checkouts, placement
from infrastructure import clock
from infrastructure.ids import new_id
from tests.support.carts import guest_cart, put
from tests.support.checkouts import check_out, open_cart, wish_for
from tests.support.factories import orders

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_cart_whose_checkout_died_before_the_order_is_opened_again(now: datetime) -> None:
    cart = guest_cart(now, put("A", 2))
    order_id = new_id()
    carts.freeze(cart_id=cart.id, order_id=order_id, owner=None, version=None, now=now)

    assert checkouts.finish_checkouts(now=now) == 0, "the request may be at work still"
    assert checkouts.finish_checkouts(now=now + timedelta(seconds=11)) == 1

    assert open_cart(cart.id) == {"A": 2}
    assert checkouts.finish_checkouts(now=now + timedelta(seconds=11)) == 0


def test_who_was_asleep_while_its_checkout_was_given_up_makes_no_order_under_that_id(
    now: datetime,
) -> None:
    cart = guest_cart(now, put("A", 2))
    ids: list[UUID] = []

    def wish(contents: carts.CartContents) -> placement.Wish:
        """At its first call the recovery comes between."""
        if not ids:
            checkouts.finish_checkouts(now=clock.now() + timedelta(seconds=11))
            ids.extend(Checkout.objects.values_list("order_id", flat=True))
        return wish_for()(contents)

    placed = checkouts.check_out(
        cart_id=cart.id, owner=None, version=None, wish=wish, key=orders.key(), now=clock.now()
    )

    assert placed.order.status == "CONFIRMED"
    assert placed.order.id not in ids
    assert Order.objects.count() == 1
    states = dict(Checkout.objects.values_list("order_id", "state"))
    assert states == {ids[0]: "ABANDONED", placed.order.id: "PLACED"}


@pytest.mark.parametrize(
    ("token", "status", "is_open"),
    [("tok_visa", "CONFIRMED", False), ("tok_declined", "REJECTED", True)],
)
def test_the_cart_of_an_order_whose_request_died_is_closed_or_opened_by_the_recovery(
    token: str, status: str, is_open: bool, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    cart = guest_cart(now, put("A", 2))
    with monkeypatch.context() as patched:
        # As if the process had died between the decision and the cart.
        for end in ("close", "reopen"):
            patched.setattr(carts, end, lambda **_: False)
        payment = PaymentChoice(method="card", token=token)
        placed = checkouts.check_out(
            cart_id=cart.id,
            owner=None,
            version=None,
            wish=wish_for(payment=payment),
            key=orders.key(),
            now=now,
        )
    assert placed.order.status == status
    with pytest.raises(carts.CartFrozen):
        open_cart(cart.id)

    assert checkouts.finish_checkouts(now=now + timedelta(seconds=11)) == 1

    if is_open:
        assert open_cart(cart.id) == {"A": 2}
    else:
        with pytest.raises(carts.CartCheckedOut):
            open_cart(cart.id)


def test_an_asynchronous_checkout_is_decided_later_and_closes_the_cart_then(now: datetime) -> None:
    cart = guest_cart(now, put("A", 2))

    answer = check_out(Client(), cart.id, headers={"Prefer": "respond-async"})
    assert (answer.status_code, answer.json()["status"]) == (202, "PENDING")
    with pytest.raises(carts.CartFrozen):
        open_cart(cart.id)
    placement.settling.settle(order_id=UUID(answer.json()["id"]), now=clock.now())

    with pytest.raises(carts.CartCheckedOut):
        open_cart(cart.id)


def test_carts_that_wait_for_their_customers_keep_no_other_from_the_recovery(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkouts, "RECOVERY_BATCH", 2)
    kept = {"method": "card", "token": "tok_declined", "keep_on_decline": True}
    for key in ("k1", "k2"):
        waits = guest_cart(now, put("A", 1))
        assert check_out(Client(), waits.id, key=key, payment=kept).status_code == 402
    died = guest_cart(now, put("A", 2))
    carts.freeze(
        cart_id=died.id, order_id=new_id(), owner=None, version=None, now=now + timedelta(minutes=1)
    )
    later = now + timedelta(minutes=2)

    assert [checkouts.finish_checkouts(now=later) for _ in range(2)] == [0, 1]

    assert open_cart(died.id) == {"A": 2}
