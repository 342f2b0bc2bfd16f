"""Holds of carts that cross a checkout, a merge or each other keep nothing from anybody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domains.carts import errors
from domains.carts.models import Cart, store
from domains.carts.services import carts as services
from domains.carts.services import checkout, merging
from domains.carts.services.carts import Shopper
from domains.products import public as products
from domains.products.models import Reservation
from infrastructure.ids import new_id
from tests.support.cart_holds import TTL, held, lines_of
from tests.support.carts import add, cart_of, guest_cart
from tests.support.factories import products as goods
from tests.support.stock import assert_books_are_right

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _goods(now):
    goods.product(name="A", sku="A", price_minor=100, stock=10, now=now)


def holding(cart: Cart, now) -> Cart:
    return services.hold(cart_id=cart.id, shopper=Shopper(cart.customer_id), now=now)


def once_read(monkeypatch: pytest.MonkeyPatch, happen: Callable[[], object]) -> None:
    """Something happens between the reading of what carts hold and the statement about it."""
    read = Reservation.objects.all()._read

    def read_before_it_happens(self: Any, ids: list[UUID]) -> Any:
        found = read(ids)
        monkeypatch.undo()
        happen()
        return found

    monkeypatch.setattr(type(Reservation.objects.all()), "_read", read_before_it_happens)


def test_what_is_held_after_the_order_took_over_is_let_go_with_the_cart(now, monkeypatch):
    own = holding(cart_of(uuid4(), now, add("A", 4)), now)
    order_id = new_id()
    hold_for_cart = products.hold_for_cart

    def hold_too_late(**asked: Any) -> Any:
        store().freeze(
            cart_id=own.id, order_id=order_id, owner=own.customer_id, version=None, now=now
        )
        lines = goods.lines({"A": 4})
        answer = products.hold(order_id=order_id, lines=lines, instead_of=own.id, now=now)
        assert answer == products.Held()
        return hold_for_cart(**asked)

    monkeypatch.setattr(products, "hold_for_cart", hold_too_late)
    holding(own, now)
    assert held("A") == [8]

    assert checkout.close(cart_id=own.id, order_id=new_id(), now=now) is False
    assert held("A") == [8]
    for _ in range(2):
        assert checkout.close(cart_id=own.id, order_id=order_id, now=now) is True
        assert (held("A"), lines_of(order_id)) == ([4], {"A": 4})
    with pytest.raises(errors.CartCheckedOut):
        holding(own, now)
    assert_books_are_right()


def test_a_hold_that_is_asked_for_twice_at_once_is_refused_to_nobody(now, monkeypatch):
    cart_id, lines = new_id(), goods.lines({"A": 8})

    def ask() -> products.HoldOutcome:
        return products.hold_for_cart(cart_id=cart_id, lines=lines, now=now, ttl=TTL)

    twins = []
    once_read(monkeypatch, lambda: twins.append(ask()))
    assert [ask(), *twins] == [products.Held()] * 2
    assert (lines_of(cart_id), held("A")) == ({"A": 8}, [8])
    assert_books_are_right()


def test_who_hands_a_hold_over_beside_another_leaves_it_whole(now, monkeypatch):
    customer_id = uuid4()
    own = cart_of(customer_id, now, add("A", 4))
    guests = holding(guest_cart(now, add("A", 6)), now)

    once_read(monkeypatch, lambda: merging.finish_merges(now=now + timedelta(seconds=11)))
    merged = merging.merge(source_id=guests.id, customer_id=customer_id, now=now)

    assert (merged.id, lines_of(own.id), held("A")) == (own.id, {"A": 10}, [10])
    assert Reservation.objects.get(pk=guests.id).status == "RELEASED"
    assert_books_are_right()
