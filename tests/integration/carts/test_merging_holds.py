"""What was held for a guest's cart is held for the customer's into which it goes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections

from domains.carts import errors
from domains.carts.models import Cart, CartStatus, CartStore, store
from domains.carts.services import carts as services
from domains.carts.services import checkout, merging
from domains.carts.services.carts import Shopper
from domains.products import public as products
from domains.products.models import Reservation, Variant
from domains.products.services.products import archive_product
from infrastructure.ids import new_id
from tests.support.cart_holds import cart_holding, held, lines_of
from tests.support.carts import add, cart_of, guest_cart, quantities
from tests.support.factories import products as goods
from tests.support.kill_points import Died
from tests.support.messaging import ROOT, process_environment
from tests.support.stock import assert_books_are_right

pytestmark = pytest.mark.django_db

QUARTER = timedelta(minutes=15)


@pytest.fixture(autouse=True)
def _goods(now: datetime) -> None:
    for sku in ("A", "B", "C"):
        goods.product(name=sku, sku=sku, price_minor=100, stock=10, now=now)


def meanwhile(
    monkeypatch: pytest.MonkeyPatch, happen: Callable[[], None] | None, *, dies: bool
) -> None:
    """Something happens once, between the reading of a cart and the holding for it; dies: who
    holds does not live to note it."""
    if happen is None:
        return
    hold_for_cart = products.hold_for_cart

    def hold_as_it_happens(**asked: Any) -> Any:
        monkeypatch.setattr(products, "hold_for_cart", hold_for_cart)
        happen()
        outcome = hold_for_cart(**asked)
        if dies:
            raise Died
        return outcome

    monkeypatch.setattr(products, "hold_for_cart", hold_as_it_happens)


def freeze(cart: Cart, now: datetime) -> UUID:
    """The order's id."""
    order_id = new_id()
    store().freeze(
        cart_id=cart.id, order_id=order_id, owner=cart.customer_id, version=None, now=now
    )
    return order_id


def hold_for_order(order_id: UUID, cart: Cart, wanted: dict[str, int], now: datetime) -> None:
    lines = goods.lines(wanted)
    answer = products.hold(order_id=order_id, lines=lines, instead_of=cart.id, now=now)
    assert answer == products.Held()


def left_of(carts: CartStore, now: datetime) -> list[UUID]:
    return carts.merging_since(before=now + timedelta(days=1), at_most=9)


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
    assert merging.finish_merges(now=now + timedelta(seconds=11)) == 1
    assert carts.read(cart_id=guests.id, owner=None, now=now).hold == guests.hold
    assert held("A") == [2]


@pytest.mark.parametrize("dies", [False, True], ids=["lives", "dies"])
@pytest.mark.parametrize("end", ["checked out", "deleted"])
@pytest.mark.parametrize("moment", ["before", "meanwhile"])
def test_for_a_cart_that_is_ordered_or_gone_nothing_is_held(
    carts, now, monkeypatch, end, moment, dies
):
    customer_id = uuid4()
    own = cart_of(customer_id, now)
    guests = holding(guest_cart(now, add("A", 2)), now)
    begun = carts.begin_merge(source_id=guests.id, into=own.id, by=customer_id, now=now)
    assert carts.apply_merge(source=begun, now=now) == "ok"

    def happen() -> None:
        if end == "deleted":
            carts.delete(cart_id=own.id, owner=customer_id, version=None, now=now)
        else:
            order_id = freeze(own, now)
            carts.close(cart_id=own.id, order_id=order_id, now=now)

    if moment == "before":
        happen()
    meanwhile(monkeypatch, happen if moment == "meanwhile" else None, dies=dies)
    if dies and moment == "meanwhile":
        with pytest.raises(Died):
            merging.finish_merges(now=now + timedelta(minutes=1))
        assert held("A") == [2]
    assert merging.finish_merges(now=now + timedelta(minutes=1)) == 1
    assert held("A") == [0]
    assert left_of(carts, now) == []
    assert_books_are_right()


@pytest.mark.parametrize("end", ["checked out", "deleted"])
def test_who_asks_for_a_hold_too_late_has_nothing_held(carts, now, monkeypatch, end):
    own = cart_of(uuid4(), now, add("A", 2))

    def happen() -> None:
        if end == "deleted":
            carts.delete(cart_id=own.id, owner=own.customer_id, version=None, now=now)
        else:
            order_id = freeze(own, now)
            hold_for_order(order_id, own, {"A": 2}, now)
            carts.close(cart_id=own.id, order_id=order_id, now=now)

    meanwhile(monkeypatch, happen, dies=False)
    refusal = errors.CartNotFound if end == "deleted" else errors.CartCheckedOut
    with pytest.raises(refusal):
        holding(own, now)
    assert held("A") == [0 if end == "deleted" else 2]
    assert Reservation.objects.get(pk=own.id).status == "RELEASED"
    assert_books_are_right()


def test_for_a_cart_that_is_being_ordered_nothing_more_is_held(carts, now):
    customer_id = uuid4()
    own = holding(cart_of(customer_id, now, add("A", 3)), now)
    guests = holding(guest_cart(now, add("A", 2)), now)
    begun = carts.begin_merge(source_id=guests.id, into=own.id, by=customer_id, now=now)
    assert carts.apply_merge(source=begun, now=now) == "ok"
    freeze(own, now)
    for _ in range(2):
        merged = merging.merge(source_id=guests.id, customer_id=customer_id, now=now)
        assert (merged.status, merged.hold, held("A")) == (CartStatus.FROZEN, own.hold, [3])


@pytest.mark.parametrize("dies", [False, True], ids=["lives", "dies"])
@pytest.mark.parametrize("order_holds", ["before", "after"])
@pytest.mark.parametrize("decision", ["confirmed", "refused"])
def test_what_the_customer_had_held_goes_to_the_order_beside_which_it_is_merged(
    carts, now, monkeypatch, decision, order_holds, dies
):
    customer_id, later = uuid4(), now + timedelta(seconds=11)
    own = holding(cart_of(customer_id, now, add("A", 2)), now)
    guests = holding(guest_cart(now, add("A", 1)), now)
    orders: list[UUID] = []

    def happen() -> None:
        orders.append(freeze(own, now))
        if order_holds == "before":
            hold_for_order(orders[0], own, {"A": 3}, now)

    meanwhile(monkeypatch, happen, dies=dies)
    if dies:
        with pytest.raises(Died):
            merging.merge(source_id=guests.id, customer_id=customer_id, now=now)
    else:
        merged = merging.merge(source_id=guests.id, customer_id=customer_id, now=now)
        assert (merged.status, merged.hold) == (CartStatus.FROZEN, own.hold)
    assert held("A") == [3 if order_holds == "after" else 6]

    [order_id] = orders
    if order_holds == "after":
        others = cart_holding({"A": 7}, now=now)
        hold_for_order(order_id, own, {"A": 3}, now)
        products.release_cart_hold(cart_id=others, now=now)
        assert Reservation.objects.get(pk=own.id).status == "RELEASED"
    assert merging.finish_merges(now=later) == 1
    assert left_of(carts, now) == [guests.id]
    assert lines_of(order_id) == {"A": 3}

    if decision == "confirmed":
        carts.close(cart_id=own.id, order_id=order_id, now=now)
    else:
        products.release(order_id=order_id, now=now)
        checkout.reopen(cart_id=own.id, order_id=order_id, now=now)
    assert merging.finish_merges(now=later) == 1
    assert left_of(carts, now) == []
    assert held("A") == [3]
    if decision == "confirmed":
        assert lines_of(order_id) == {"A": 3}
        assert Reservation.objects.get(pk=own.id).status == "RELEASED"
    else:
        given_back = carts.read(cart_id=own.id, owner=customer_id, now=now)
        assert (given_back.hold.until, given_back.hold.quantities) == (now + QUARTER, {"A": 3})
        assert Reservation.objects.get(pk=own.id).expires_at == now + QUARTER
    assert_books_are_right()


@pytest.mark.parametrize("dies", [False, True], ids=["lives", "dies"])
def test_what_was_held_follows_the_lines_where_they_went_on(carts, now, monkeypatch, dies):
    customer_id, later = uuid4(), now + timedelta(seconds=11)
    own = cart_of(customer_id, now, add("A", 1))
    guests = holding(guest_cart(now, add("A", 2)), now)
    orders: list[UUID] = []
    meanwhile(monkeypatch, lambda: orders.append(freeze(own, now)), dies=dies)
    if dies:
        with pytest.raises(Died):
            merging.merge(source_id=guests.id, customer_id=customer_id, now=now)
    else:
        merging.merge(source_id=guests.id, customer_id=customer_id, now=now)
    other = holding(cart_of(customer_id, now, add("B", 1)), now)

    checkout.reopen(cart_id=own.id, order_id=orders[0], now=now)
    assert merging.finish_merges(now=later) == 1

    merged = carts.current(owner=customer_id, now=now)
    assert (merged.id, quantities(merged)) == (other.id, {"B": 1, "A": 3})
    assert lines_of(other.id) == merged.hold.quantities == {"A": 3, "B": 1}
    assert (held("A", "B"), left_of(carts, now)) == ([3, 1], [])
    assert_books_are_right()


@pytest.mark.django_db(transaction=True)
def test_beside_a_merge_an_order_has_what_is_in_it_and_nothing_is_held_twice(carts, now):
    rounds, found = 12, []
    goods.stocked({"X": 3 * rounds}, now=now)
    for _ in range(rounds):
        customer_id = uuid4()
        own = holding(cart_of(customer_id, now, add("X", 2)), now)
        guests = holding(guest_cart(now, add("X", 1)), now)
        start = Barrier(2)

        def merge(source: Cart = guests, who: UUID = customer_id, start: Barrier = start) -> str:
            start.wait()
            try:
                merging.merge(source_id=source.id, customer_id=who, now=now)
            except (errors.CartFrozen, errors.CartCheckedOut):
                return "refused"
            finally:
                connections.close_all()
            return "merged"

        def order(cart: Cart = own, start: Barrier = start) -> dict[str, int]:
            start.wait()
            try:
                order_id = new_id()
                frozen = carts.freeze(
                    cart_id=cart.id,
                    order_id=order_id,
                    owner=cart.customer_id,
                    version=None,
                    now=now,
                )
                hold_for_order(order_id, cart, quantities(frozen), now)
                carts.close(cart_id=cart.id, order_id=order_id, now=now)
                return lines_of(order_id)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(2) as pool:
            merged, ordered = pool.submit(merge), pool.submit(order)
            found.append((merged.result(), ordered.result()["X"]))
        merging.finish_merges(now=now + timedelta(seconds=11))
        assert left_of(carts, now) == []
        assert not Reservation.objects.filter(pk=own.id, status="HELD").exists()
        # Where nothing is merged the guest's hold stays, or goes into the customer's next cart.
        of_carts = Reservation.objects.filter(holder="cart", status="HELD")
        apart = sum(lines_of(one.id)["X"] for one in of_carts)
        assert held("X") == [sum(quantity for _, quantity in found) + apart]
        assert {quantity for _, quantity in found} <= {2, 3}
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
        [sys.executable, "-m", "tests.support.merging_process", "merge", *pairs],
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
