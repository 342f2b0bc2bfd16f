"""What a cart had held, once an order of it came to nothing: it is held again, as far as it is
there, until the time that it had."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.test import Client

from domains.carts.models import Cart, CartStore, Hold, store
from domains.carts.services import carts as services
from domains.carts.services import checkout
from domains.carts.services.carts import Shopper
from domains.orders.errors import OutOfStock
from domains.orders.models import Order
from domains.orders.services import checkouts, placement
from domains.products import public as products
from domains.products.models import Reservation
from domains.products.services import inventory
from infrastructure import clock
from infrastructure.database.threads import in_threads
from infrastructure.ids import new_id
from tests.support.after_placement import assert_books_agree
from tests.support.cart_holds import lines_of
from tests.support.carts import cart_of, guest_cart, put
from tests.support.checkouts import check_out, held
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, customer
from tests.support.kill_points import Died

pytestmark = pytest.mark.django_db

DECLINED = {"method": "card", "token": "tok_declined"}
WAITING = DECLINED | {"keep_on_decline": True}


def send(method: str, path: str) -> Any:
    """The cart as it is answered."""
    answer = getattr(Client(), method)(f"/api/v1/carts/{path}", content_type="application/json")
    assert answer.status_code == 200, answer.content
    return answer.json()


def holding(cart: Cart, now: datetime) -> Cart:
    return services.hold(cart_id=cart.id, shopper=Shopper(cart.customer_id), now=now)


def noted(cart: Cart) -> Hold | None:
    found = store().read(cart_id=cart.id, owner=cart.customer_id, now=clock.now())
    return found.hold


@pytest.fixture
def before_it_is_held_again(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Something happens once the order has let go of its goods."""

    def install(happen: Callable[[], object], *, dies_after: bool = False) -> None:
        hold_again = products.hold_for_cart_again

        def hold_again_later(**asked: Any) -> dict[str, int]:
            monkeypatch.setattr(products, "hold_for_cart_again", hold_again)
            happen()
            found = hold_again(**asked)
            if dies_after:
                raise Died
            return found

        monkeypatch.setattr(products, "hold_for_cart_again", hold_again_later)

    return install


def assert_books_agree_once_it_is_over() -> None:
    later = clock.now() + timedelta(hours=1)
    inventory.free_expired_holds(now=later)
    assert_books_agree(later)


def cancel(order_id: UUID, now: datetime) -> None:
    ended = placement.cancel_order(order_id=order_id, reason="", now=now)
    assert (ended.status, ended.confirmed_at) == ("CANCELLED", None)


def test_after_a_declined_payment_it_is_held_until_the_time_that_it_had(now: datetime) -> None:
    cart = guest_cart(now, put("A", 5))
    until = send("post", f"{cart.id}/hold")["held_until"]

    for key in ("k1", "k2"):
        assert check_out(Client(), cart.id, key=key, payment=DECLINED).status_code == 402
        with pytest.raises(OutOfStock):
            orders.place({"A": 1}, now=clock.now())
        read = send("get", str(cart.id))
        assert (read["held_until"], read["problems"]) == (until, [])
        assert (lines_of(cart.id), held("A")) == ({"A": 5}, 5)

    assert check_out(Client(), cart.id, key="k3").status_code == 201
    assert held("A") == 5
    assert_books_agree_once_it_is_over()


def test_what_was_held_before_the_cart_was_changed_is_held_again_as_it_was(now: datetime) -> None:
    goods.product(name="Basket", sku="B", price_minor=100, stock=5, now=now)
    cart = holding(guest_cart(now, put("A", 3), put("B", 1)), now)
    store().change(cart_id=cart.id, owner=None, changes=[put("A", 1), put("B", 4)], now=now)

    assert check_out(Client(), cart.id, payment=DECLINED).status_code == 402

    assert noted(cart) == cart.hold
    assert lines_of(cart.id) == {"A": 3, "B": 1}


@pytest.mark.parametrize(
    ("taken", "left"), [(2, {"A": 3}), (5, None)], ids=["some of it", "all of it"]
)
def test_what_somebody_took_meanwhile_is_a_problem_and_the_rest_is_held(
    before_it_is_held_again: Callable[..., None],
    taken: int,
    left: dict[str, int] | None,
    now: datetime,
) -> None:
    cart = holding(guest_cart(now, put("A", 5)), now)
    before_it_is_held_again(lambda: orders.place({"A": taken}, now=clock.now()))

    assert check_out(Client(), cart.id, payment=DECLINED).status_code == 402

    assert noted(cart) == (cart.hold and left and Hold(until=cart.hold.until, quantities=left))
    read = send("get", str(cart.id))
    assert (read["held_until"] is not None) == (left is not None)
    assert [(problem["code"], problem["pointer"]) for problem in read["problems"]] == [
        ("out_of_stock", "/items/0/quantity")
    ]
    assert held("A") == 5
    assert_books_agree_once_it_is_over()


def test_what_would_be_over_is_not_held_again(now: datetime) -> None:
    cart = holding(guest_cart(now, put("A", 5)), now)
    waiting = check_out(Client(), cart.id, payment=WAITING).json()["errors"][0]["current"]

    cancel(UUID(waiting), now + timedelta(minutes=15))

    assert (noted(cart), held("A")) == (None, 0)


def test_what_the_customer_let_go_of_meanwhile_is_not_held_again(now: datetime) -> None:
    cart = holding(guest_cart(now, put("A", 5)), now)
    waiting = check_out(Client(), cart.id, payment=WAITING).json()["errors"][0]["current"]
    assert send("delete", f"{cart.id}/hold")["held_until"] is None
    assert held("A") == 5, "the order's"

    cancel(UUID(waiting), clock.now())

    assert (noted(cart), held("A")) == (None, 0)


def test_what_they_let_go_of_while_it_is_given_back_the_cart_does_not_claim(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    cart, reopen = holding(guest_cart(now, put("A", 5)), now), CartStore.reopen

    def reopen_after_that(self: CartStore, **given: Any) -> Cart | None:
        assert send("delete", f"{cart.id}/hold")["held_until"] is None
        return reopen(self, **given)

    monkeypatch.setattr(CartStore, "reopen", reopen_after_that)
    assert check_out(Client(), cart.id, payment=DECLINED).status_code == 402

    assert (noted(cart), held("A")) == (None, 0)


def test_it_is_held_for_the_cart_into_which_the_one_that_is_given_back_goes(now: datetime) -> None:
    ann = customer()
    cart = holding(cart_of(ann.id, now, put("A", 3)), now)
    refused = check_out(client_of(ann), cart.id, payment=WAITING)
    other = cart_of(ann.id, now, put("A", 1))

    cancel(UUID(refused.json()["errors"][0]["current"]), clock.now())

    assert client_of(ann).get(f"/api/v1/carts/{cart.id}").status_code == 404
    current = client_of(ann).get("/api/v1/carts/current").json()
    assert (current["id"], current["items"][0]["quantity"]) == (str(other.id), 4)
    assert cart.hold is not None
    assert noted(other) == Hold(until=cart.hold.until, quantities={"A": 4})
    assert (lines_of(other.id), held("A")) == ({"A": 4}, 4)
    assert Reservation.objects.get(pk=cart.id).status == "RELEASED"
    assert_books_agree_once_it_is_over()


@pytest.mark.parametrize("moment", ["the order", "its goods", "held again", "given back"])
def test_whoever_dies_after_one_of_the_steps_the_recovery_takes_the_rest(
    before_it_is_held_again: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    now: datetime,
) -> None:
    cart = holding(guest_cart(now, put("A", 5)), now)

    def die(*_: Any, **__: Any) -> None:
        raise Died

    with monkeypatch.context() as patched:
        if moment == "the order":
            patched.setattr(products, "release", die)
        elif moment == "its goods":
            before_it_is_held_again(die)
        elif moment == "held again":
            before_it_is_held_again(lambda: None, dies_after=True)
        else:
            reopen = CartStore.reopen
            patched.setattr(CartStore, "reopen", lambda *a, **k: die(reopen(*a, **k)))
        with pytest.raises(Died):
            check_out(Client(), cart.id, payment=DECLINED)
    assert [order.status for order in Order.objects.all()] == ["REJECTED"]

    later = clock.now() + timedelta(seconds=11)
    assert checkouts.finish_checkouts(now=later) == int(moment != "given back")
    assert checkouts.finish_checkouts(now=later) == 0

    assert noted(cart) == cart.hold
    assert (lines_of(cart.id), held("A")) == ({"A": 5}, 5)
    assert cart.hold is not None
    assert Reservation.objects.get(pk=cart.id).expires_at == cart.hold.until
    placement.settling.settle(order_id=Order.objects.get().id, now=later)
    assert_books_agree_once_it_is_over()


def test_who_gives_it_back_a_second_time_leaves_what_is_held_by_then(
    before_it_is_held_again: Callable[..., None], now: datetime
) -> None:
    cart = holding(guest_cart(now, put("A", 5)), now)
    waiting = UUID(check_out(Client(), cart.id, payment=WAITING).json()["errors"][0]["current"])

    def give_it_back_first() -> None:
        checkout.reopen(cart_id=cart.id, order_id=waiting, now=clock.now())
        store().change(cart_id=cart.id, owner=None, changes=[put("A", 2)], now=now)
        holding(cart, now)

    before_it_is_held_again(give_it_back_first)
    cancel(waiting, clock.now())

    assert cart.hold is not None
    assert noted(cart) == Hold(until=cart.hold.until, quantities={"A": 2})
    assert (lines_of(cart.id), held("A")) == ({"A": 2}, 2)


def test_who_gives_it_back_when_it_is_gone_holds_nothing(
    before_it_is_held_again: Callable[..., None], now: datetime
) -> None:
    cart = holding(guest_cart(now, put("A", 5)), now)
    waiting = UUID(check_out(Client(), cart.id, payment=WAITING).json()["errors"][0]["current"])

    def throw_it_away() -> None:
        checkout.reopen(cart_id=cart.id, order_id=waiting, now=clock.now())
        services.delete(cart_id=cart.id, shopper=Shopper(), version=None, now=clock.now())

    before_it_is_held_again(throw_it_away)
    cancel(waiting, clock.now())

    assert held("A") == 0
    assert_books_agree_once_it_is_over()


@pytest.mark.django_db(transaction=True)
def test_the_last_pieces_are_held_for_the_cart_or_somebody_else_has_them(now: datetime) -> None:
    for _ in range(10):
        cart, other = holding(guest_cart(now, put("A", 5)), now), new_id()
        is_given_back = Event()

        def decline(cart: Cart = cart, is_given_back: Event = is_given_back) -> None:
            try:
                answer = check_out(Client(), cart.id, key=str(cart.id), payment=DECLINED)
                assert answer.status_code == 402
            finally:
                is_given_back.set()
                connections.close_all()

        def take(other: UUID = other, is_given_back: Event = is_given_back) -> None:
            lines, ttl = goods.lines({"A": 2}), timedelta(minutes=1)
            try:
                while not is_given_back.is_set():
                    products.hold_for_cart(cart_id=other, lines=lines, now=clock.now(), ttl=ttl)
            finally:
                connections.close_all()

        in_threads(lambda act: act(), [decline, take], threads=2)

        held_for = {one: products.held_for_cart(cart_id=one, now=now) for one in (cart.id, other)}
        hold = noted(cart)
        assert hold is not None
        assert cart.hold is not None
        assert (hold.until, hold.quantities) == (cart.hold.until, held_for[cart.id])
        assert sum(quantities.get("A", 0) for quantities in held_for.values()) == held("A") == 5
        assert held_for[other] in ({}, {"A": 2})
        for one in held_for:
            products.release_cart_hold(cart_id=one, now=clock.now())
    assert_books_agree_once_it_is_over()
