"""What was held for a guest's cart is held for the customer's into which it goes."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from domains.carts import errors
from domains.carts.models import Cart
from domains.carts.services import carts as services
from domains.carts.services import merging
from domains.carts.services.carts import Shopper
from domains.products import public as products
from domains.products.models import Reservation, Variant
from domains.products.services.products import archive_product
from tests.support.cart_holds import held, lines_of
from tests.support.carts import add, cart_of, guest_cart, quantities
from tests.support.factories import products as goods
from tests.support.messaging import ROOT, process_environment
from tests.support.stock import assert_books_are_right

pytestmark = pytest.mark.django_db

QUARTER = timedelta(minutes=15)


@pytest.fixture(autouse=True)
def _goods(now: datetime) -> None:
    for sku in ("A", "B", "C"):
        goods.product(name=sku, sku=sku, price_minor=100, stock=10, now=now)


def holding(cart: Cart, now: datetime) -> Cart:
    """The cart, once what is in it is held."""
    return services.hold(cart_id=cart.id, shopper=Shopper(cart.customer_id), now=now)


@pytest.mark.parametrize("has_one", [True, False], ids=["a cart", "no cart"])
def test_it_goes_over_for_as_long_as_it_would_have_lasted(now, has_one):
    customer_id = uuid4()
    if has_one:
        cart_of(customer_id, now, add("A", 4))
    guests = holding(guest_cart(now, add("A", 6), add("B", 1)), now)

    merged = merging.merge(
        source_id=guests.id, customer_id=customer_id, now=now + timedelta(minutes=5)
    )

    expected = {"A": 10 if has_one else 6, "B": 1}
    assert (merged.hold.until, merged.hold.quantities) == (now + QUARTER, expected)
    assert lines_of(merged.id) == expected
    assert Reservation.objects.get(pk=merged.id).expires_at == now + QUARTER
    assert Reservation.objects.get(pk=guests.id).status == "RELEASED"
    assert held("A", "B") == list(expected.values())
    assert_books_are_right()


def test_the_customers_own_hold_that_lasts_longer_counts(now):
    customer_id, later = uuid4(), now + timedelta(minutes=5)
    guests = holding(guest_cart(now, add("A", 2)), now)
    holding(cart_of(customer_id, now, add("B", 3)), later)
    merged = merging.merge(source_id=guests.id, customer_id=customer_id, now=later)
    assert (merged.hold.until, lines_of(merged.id)) == (later + QUARTER, {"A": 2, "B": 3})
    assert Reservation.objects.get(pk=merged.id).expires_at == later + QUARTER


def test_of_what_there_is_not_enough_as_much_is_held_as_both_held(carts, now):
    customer_id = uuid4()
    own = holding(cart_of(customer_id, now, add("A", 3)), now)
    carts.change(cart_id=own.id, owner=customer_id, changes=[add("A"), add("C")], now=now)
    guests = holding(guest_cart(now, add("A", 7), add("B", 1)), now)
    merged = merging.merge(source_id=guests.id, customer_id=customer_id, now=now)
    assert quantities(merged) == {"A": 11, "C": 1, "B": 1}
    assert lines_of(own.id) == merged.hold.quantities == {"A": 10, "B": 1}
    assert held("A", "B", "C") == [10, 1, 0]
    assert_books_are_right()


def test_what_is_not_sold_any_more_is_not_held_either(now):
    guests = holding(guest_cart(now, add("A", 2), add("B", 1)), now)
    archived = Variant.objects.get(sku="B").product_id
    archive_product(product_id=archived, version=None, now=now)
    merged = merging.merge(source_id=guests.id, customer_id=uuid4(), now=now)
    assert (lines_of(merged.id), held("A", "B")) == ({"A": 2}, [2, 0])


def test_what_is_over_is_let_go(now):
    guests = holding(guest_cart(now, add("A", 2)), now)
    merged = merging.merge(source_id=guests.id, customer_id=uuid4(), now=now + QUARTER)
    assert (merged.hold, held("A")) == (None, [0])
    assert not Reservation.objects.filter(pk=merged.id).exists()


def test_where_the_guest_held_nothing_the_customers_hold_stays_as_it_is(now):
    customer_id = uuid4()
    own = holding(cart_of(customer_id, now, add("A", 3)), now)
    guests = guest_cart(now, add("A", 7))
    merged = merging.merge(source_id=guests.id, customer_id=customer_id, now=now)
    assert (merged.hold, held("A")) == (own.hold, [3])


def test_where_nothing_is_merged_it_stays_the_guests(carts, now):
    customer_id = uuid4()
    own = cart_of(customer_id, now, add("A"))
    guests = holding(guest_cart(now, add("A", 2)), now)
    carts.begin_merge(source_id=guests.id, into=own.id, by=customer_id, now=now)
    carts.freeze(cart_id=own.id, order_id=uuid4(), owner=customer_id, version=None, now=now)
    with pytest.raises(errors.CartFrozen):
        merging.merge(source_id=guests.id, customer_id=customer_id, now=now)
    assert carts.read(cart_id=guests.id, owner=None, now=now).hold == guests.hold
    assert held("A") == [2]


@pytest.mark.parametrize("end", ["frozen", "checked out", "deleted"])
@pytest.mark.parametrize("moment", ["before", "meanwhile"])
def test_for_a_cart_that_is_being_ordered_or_gone_nothing_is_held(
    carts, now, monkeypatch, end, moment
):
    customer_id = uuid4()
    own = cart_of(customer_id, now)
    guests = holding(guest_cart(now, add("A", 2)), now)
    begun = carts.begin_merge(source_id=guests.id, into=own.id, by=customer_id, now=now)
    assert carts.apply_merge(source=begun, now=now) == "ok"

    def happen() -> None:
        whose: dict[str, Any] = {"cart_id": own.id, "owner": customer_id}
        if end == "deleted":
            carts.delete(**whose, version=None, now=now)
            return
        order_id = uuid4()
        carts.freeze(**whose, order_id=order_id, version=None, now=now)
        if end == "checked out":
            carts.close(cart_id=own.id, order_id=order_id, now=now)

    if moment == "before":
        happen()
    else:
        hold_for_cart = products.hold_for_cart

        def hold_as_it_happens(**asked: Any) -> Any:
            happen()
            return hold_for_cart(**asked)

        monkeypatch.setattr(products, "hold_for_cart", hold_as_it_happens)
    assert merging.finish_merges(now=now + timedelta(minutes=1)) == 1
    assert held("A") == [0]
    assert carts.merging_since(before=now + timedelta(days=1), at_most=9) == []
    assert_books_are_right()


@pytest.mark.django_db(transaction=True)
def test_it_survives_a_merge_that_is_killed_at_any_command_or_statement(carts, now):
    lives = 13
    goods.stocked({"X": 3 * lives, "Y": 3 * lives}, now=now)
    customers = [uuid4() for _ in range(lives)]
    for customer_id in customers:
        cart_of(customer_id, now, add("X", 1))
    guests = [holding(guest_cart(now, add("X", 2), add("Y", 1)), now) for _ in customers]
    pairs = [f"{who}:{cart.id}" for who, cart in zip(customers, guests, strict=True)]
    told = subprocess.run(
        [sys.executable, "-m", "tests.support.merging_process", *pairs],
        cwd=ROOT,
        env=process_environment(),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
    # As without a hold, and before the last step: read the target, its offers and what is held;
    # hold; note that.
    assert told.split() == [*map(str, range(lives - 1)), "done"]
    # Whoever was killed, what the guests had held is held, and nothing of it twice.
    killed_before_the_hold = held("X")[0]
    assert 2 * lives < killed_before_the_hold < 3 * lives
    assert held("Y") == [lives]
    assert_books_are_right()

    later = now + timedelta(seconds=11)
    merging.finish_merges(now=later)
    for customer_id, source in zip(customers, guests, strict=True):
        merged = merging.merge(source_id=source.id, customer_id=customer_id, now=later)
        assert lines_of(merged.id) == quantities(merged) == {"X": 3, "Y": 1}
        assert (merged.hold.until, merged.hold.quantities) == (now + QUARTER, {"X": 3, "Y": 1})
        assert Reservation.objects.get(pk=source.id).status == "RELEASED"
    assert held("X", "Y") == [3 * lives, lives]
    assert_books_are_right()
