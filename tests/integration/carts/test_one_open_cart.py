"""A customer has at most one open cart, which is the current one, whatever is given back when."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domains.carts import errors
from domains.carts.models import Cart, CartStatus, CartStore, Change
from domains.carts.models.carts import Keys
from domains.carts.services import checkout, merging
from tests.support.carts import add, cart_of, events_of, guest_cart, quantities
from tests.support.kill_points import Died
from tests.support.messaging import ROOT

DAY_MS = 86_400_000


@pytest.fixture
def customer_id() -> UUID:
    return uuid4()


@pytest.fixture
def frozen_cart(carts, customer_id, now) -> Callable[..., tuple[Cart, UUID]]:
    """A cart of the customer's with these changes, and the order that it is frozen for."""

    def make(*changes: Change) -> tuple[Cart, UUID]:
        cart, order_id = cart_of(customer_id, now, *changes), uuid4()
        carts.freeze(cart_id=cart.id, order_id=order_id, owner=customer_id, version=None, now=now)
        return cart, order_id

    return make


@pytest.fixture
def dies(monkeypatch) -> Callable[..., None]:
    """The first call of a step of the store is the process's last: it is made, or it is not."""

    def install(step: str, *, after: bool) -> None:
        original = getattr(CartStore, step)

        def die(self: CartStore, **arguments: Any) -> Any:
            monkeypatch.setattr(CartStore, step, original)
            if after:
                original(self, **arguments)
            raise Died

        monkeypatch.setattr(CartStore, step, die)

    return install


def is_gone(carts: CartStore, cart: Cart, now: datetime) -> bool:
    try:
        carts.read(cart_id=cart.id, owner=cart.customer_id, now=now)
    except errors.CartNotFound:
        return True
    return False


def statuses(cart: Cart) -> list[str]:
    return [event.status for event in events_of(cart.id)]  # type: ignore[attr-defined]


def undecided(carts: CartStore, now: datetime) -> list[Any]:
    later = now + timedelta(days=1)
    return [
        *carts.frozen_since(before=later, at_most=99),
        *carts.merging_since(before=later, at_most=99),
    ]


@pytest.mark.parametrize("other", ["none", "expired", "deleted", "checked out"])
def test_a_cart_that_is_given_back_is_open_and_current(carts, customer_id, frozen_cart, now, other):
    cart, order_id = frozen_cart(add("A"))
    if other == "expired":
        carts._scripts.client.delete(Keys.of(cart.id).current(customer_id))
    elif other == "deleted":
        thrown_away = cart_of(customer_id, now, add("B"))
        carts.delete(cart_id=thrown_away.id, owner=customer_id, version=None, now=now)
    elif other == "checked out":
        ordered, other_order_id = frozen_cart(add("B"))
        carts.close(cart_id=ordered.id, order_id=other_order_id, now=now)

    assert checkout.reopen(cart_id=cart.id, order_id=order_id, now=now) is True

    assert carts.current(owner=customer_id, now=now) == cart
    assert statuses(cart) == ["OPEN", "OPEN"]
    assert undecided(carts, now) == []


def test_where_the_customer_has_another_open_cart_it_goes_into_that(
    carts, customer_id, frozen_cart, now
):
    cart, order_id = frozen_cart(add("A", 2, "blue"), add("B"))
    other = cart_of(customer_id, now, add("A", 3))

    assert checkout.reopen(cart_id=cart.id, order_id=order_id, now=now) is True
    assert checkout.reopen(cart_id=cart.id, order_id=order_id, now=now) is False

    current = carts.current(owner=customer_id, now=now)
    assert (current.id, current.status) == (other.id, CartStatus.OPEN)
    assert quantities(current) == {"A": 5, "B": 1}
    assert is_gone(carts, cart, now)
    assert (statuses(cart), statuses(other)) == (["OPEN", "OPEN", "MERGED"], ["OPEN"] * 3)
    assert undecided(carts, now) == []


def test_beside_a_frozen_cart_it_is_open_and_the_frozen_one_goes_into_it_later(
    carts, customer_id, frozen_cart, now
):
    cart, order_id = frozen_cart(add("A", 2))
    other, other_order_id = frozen_cart(add("A", 3), add("C"))

    assert checkout.reopen(cart_id=cart.id, order_id=order_id, now=now) is True
    assert carts.current(owner=customer_id, now=now) == cart

    assert checkout.reopen(cart_id=other.id, order_id=other_order_id, now=now) is True
    current = carts.current(owner=customer_id, now=now)
    assert (current.id, quantities(current)) == (cart.id, {"A": 5, "C": 1})
    assert is_gone(carts, other, now)
    assert undecided(carts, now) == []


def test_who_has_been_told_of_a_cart_that_went_on_finds_its_lines_by_asking_again(
    carts, customer_id, frozen_cart, now
):
    guests = guest_cart(now, add("A", 2))
    first = merging.merge(source_id=guests.id, customer_id=customer_id, now=now)
    order_id = uuid4()
    carts.freeze(cart_id=first.id, order_id=order_id, owner=customer_id, version=None, now=now)
    second = cart_of(customer_id, now, add("B"))
    checkout.reopen(cart_id=first.id, order_id=order_id, now=now)

    for cart_id in (guests.id, first.id):
        again = merging.merge(source_id=cart_id, customer_id=customer_id, now=now)
        assert (again.id, quantities(again)) == (second.id, {"B": 1, "A": 2})
        with pytest.raises(errors.CartNotFound):
            merging.merge(source_id=cart_id, customer_id=uuid4(), now=now)


class TestOnItsWay:
    """The process that gave it back died before the other cart had its lines."""

    @pytest.fixture
    def left(self, customer_id, frozen_cart, dies, now) -> tuple[Cart, Cart]:
        cart, order_id = frozen_cart(add("A", 2))
        other = cart_of(customer_id, now, add("B"))
        dies("apply_merge", after=False)
        with pytest.raises(Died):
            checkout.reopen(cart_id=cart.id, order_id=order_id, now=now)
        return cart, other

    def test_it_can_be_changed_no_more_than_any_that_is_merged(self, carts, customer_id, left, now):
        cart, other = left
        found = carts.read(cart_id=cart.id, owner=customer_id, now=now)
        assert (found.status, found.into, found.by) == (CartStatus.FROZEN, other.id, customer_id)
        with pytest.raises(errors.CartFrozen):
            carts.change(cart_id=cart.id, owner=customer_id, changes=[add("A")], now=now)
        assert carts.current(owner=customer_id, now=now) == other

    def test_where_that_one_is_thrown_away_it_is_open_and_current(
        self, carts, customer_id, left, now
    ):
        cart, other = left
        carts.delete(cart_id=other.id, owner=customer_id, version=None, now=now)
        assert merging.finish_merges(now=now + timedelta(seconds=11)) == 1
        given_back = carts.current(owner=customer_id, now=now)
        assert (given_back.id, given_back.lines) == (cart.id, cart.lines)
        assert undecided(carts, now) == []

    def test_where_that_one_is_frozen_it_is_open_and_takes_that_one_later(
        self, carts, customer_id, left, now
    ):
        cart, other = left
        order_id = uuid4()
        carts.freeze(cart_id=other.id, order_id=order_id, owner=customer_id, version=None, now=now)
        assert merging.finish_merges(now=now + timedelta(seconds=11)) == 1
        assert carts.current(owner=customer_id, now=now).id == cart.id

        checkout.reopen(cart_id=other.id, order_id=order_id, now=now)
        current = carts.current(owner=customer_id, now=now)
        assert (current.id, quantities(current)) == (cart.id, {"A": 2, "B": 1})
        assert is_gone(carts, other, now)
        assert undecided(carts, now) == []

    @pytest.mark.parametrize("is_closed", [True, False])
    def test_where_that_one_is_ordered_it_goes_into_the_next(
        self, carts, customer_id, left, now, is_closed
    ):
        cart, other = left
        order_id = uuid4()
        carts.freeze(cart_id=other.id, order_id=order_id, owner=customer_id, version=None, now=now)
        if is_closed:
            carts.close(cart_id=other.id, order_id=order_id, now=now)
        third = cart_of(customer_id, now, add("C"))

        assert merging.finish_merges(now=now + timedelta(seconds=11)) == 1
        current = carts.current(owner=customer_id, now=now)
        assert (current.id, quantities(current)) == (third.id, {"C": 1, "A": 2})
        assert is_gone(carts, cart, now)
        assert carts.merging_since(before=now + timedelta(days=1), at_most=9) == []

    def test_who_wakes_up_late_adds_and_ends_nothing(
        self, carts, customer_id, left, frozen_cart, now
    ):
        cart, other = left
        begun = carts.merging(source_id=cart.id)
        order_id = uuid4()
        carts.freeze(cart_id=other.id, order_id=order_id, owner=customer_id, version=None, now=now)
        merging.finish_merges(now=now + timedelta(seconds=11))
        # It is open; it is frozen anew, and the other one given back.
        again = uuid4()
        carts.freeze(cart_id=cart.id, order_id=again, owner=customer_id, version=None, now=now)
        checkout.reopen(cart_id=other.id, order_id=order_id, now=now)

        assert carts.apply_merge(source=begun, now=now) == "frozen"
        assert carts.undo_merge(source=begun, now=now) is None
        carts.finish_merge(source=begun, now=now)
        assert carts.frozen_for(cart_id=cart.id, order_id=again).lines == cart.lines
        assert quantities(carts.current(owner=customer_id, now=now)) == {"B": 1}

        checkout.reopen(cart_id=cart.id, order_id=again, now=now)
        current = carts.current(owner=customer_id, now=now)
        assert (current.id, quantities(current)) == (other.id, {"B": 1, "A": 2})

    def test_of_two_on_their_way_both_arrive(self, carts, customer_id, frozen_cart, dies, now):
        first, first_order = frozen_cart(add("A"))
        second, second_order = frozen_cart(add("B"))
        third = cart_of(customer_id, now, add("C"))
        third_order = uuid4()
        dies("apply_merge", after=False)
        with pytest.raises(Died):
            checkout.reopen(cart_id=first.id, order_id=first_order, now=now)
        carts.freeze(
            cart_id=third.id, order_id=third_order, owner=customer_id, version=None, now=now
        )
        checkout.reopen(cart_id=second.id, order_id=second_order, now=now)
        assert carts.current(owner=customer_id, now=now) == second
        checkout.reopen(cart_id=third.id, order_id=third_order, now=now)
        assert is_gone(carts, third, now)

        assert merging.finish_merges(now=now + timedelta(seconds=11)) == 1
        current = carts.current(owner=customer_id, now=now)
        assert (current.id, quantities(current)) == (second.id, {"B": 1, "C": 1, "A": 1})
        assert undecided(carts, now) == []


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", ["reopen", "apply_merge", "finish_merge"])
def test_a_giving_back_that_died_is_finished_once(
    carts, customer_id, frozen_cart, dies, now, step, after
):
    cart, order_id = frozen_cart(add("A", 2))
    other = cart_of(customer_id, now, add("A", 1))
    dies(step, after=after)
    with pytest.raises(Died):
        checkout.reopen(cart_id=cart.id, order_id=order_id, now=now)

    given_back = checkout.reopen(cart_id=cart.id, order_id=order_id, now=now)
    assert given_back is ((step, after) == ("reopen", False))
    is_left = not given_back and (step, after) != ("finish_merge", True)
    assert merging.finish_merges(now=now + timedelta(seconds=11)) == int(is_left)

    assert quantities(carts.current(owner=customer_id, now=now)) == {"A": 3}
    assert is_gone(carts, cart, now)
    assert (statuses(cart), statuses(other)) == (["OPEN", "OPEN", "MERGED"], ["OPEN"] * 3)
    assert undecided(carts, now) == []


def test_a_giving_back_that_is_killed_at_any_command_is_finished_once(carts, now):
    lives = 6
    customers = [uuid4() for _ in range(lives)]
    given_back = [cart_of(customer_id, now, add("A", 2)) for customer_id in customers]
    orders = [uuid4() for _ in customers]
    for cart, order_id in zip(given_back, orders, strict=True):
        carts.freeze(
            cart_id=cart.id, order_id=order_id, owner=cart.customer_id, version=None, now=now
        )
    others = [cart_of(customer_id, now, add("A", 1), add("B")) for customer_id in customers]
    pairs = [f"{order_id}:{cart.id}" for order_id, cart in zip(orders, given_back, strict=True)]
    command = [sys.executable, "-m", "tests.support.merging_process", "give_back", *pairs]
    told = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout
    # Give it back as if it were current, and as it is; then the steps of any merge.
    assert told.split() == ["0", "1", "2", "3", "done", "done"]
    left = carts.merging_since(before=now + timedelta(days=1), at_most=9)
    assert set(left) == {given_back[2].id, given_back[3].id}

    for cart, order_id in zip(given_back, orders, strict=True):
        checkout.reopen(cart_id=cart.id, order_id=order_id, now=now)
    merging.finish_merges(now=now + timedelta(seconds=11))
    for cart, other in zip(given_back, others, strict=True):
        current = carts.current(owner=other.customer_id, now=now)
        assert (current.id, quantities(current)) == (other.id, {"A": 3, "B": 1})
        assert (statuses(cart), statuses(other)) == (["OPEN", "OPEN", "MERGED"], ["OPEN"] * 3)
    assert undecided(carts, now) == []


class TestMergingBesideAFrozenCart:
    def test_the_guests_lines_come_into_another_current_cart(
        self, carts, customer_id, frozen_cart, now
    ):
        own, order_id = frozen_cart(add("A", 1))
        guests = guest_cart(now, add("B", 2))
        merged = merging.merge(source_id=guests.id, customer_id=customer_id, now=now)
        assert (merged.id != own.id, quantities(merged)) == (True, {"B": 2})
        assert carts.current(owner=customer_id, now=now) == merged

        checkout.reopen(cart_id=own.id, order_id=order_id, now=now)
        current = carts.current(owner=customer_id, now=now)
        assert (current.id, quantities(current)) == (merged.id, {"B": 2, "A": 1})

    @pytest.mark.parametrize("by", ["who began it", "another request"])
    def test_so_they_do_where_it_was_frozen_only_after_they_were_on_their_way(
        self, carts, customer_id, now, monkeypatch, by
    ):
        own = cart_of(customer_id, now, add("A", 1))
        guests = guest_cart(now, add("B", 2))

        def freeze() -> None:
            carts.freeze(cart_id=own.id, order_id=uuid4(), owner=customer_id, version=None, now=now)

        if by == "another request":
            carts.begin_merge(source_id=guests.id, into=own.id, by=customer_id, now=now)
            freeze()
        else:
            apply = CartStore.apply_merge

            def apply_after_the_checkout(self: CartStore, **asked: Any) -> str:
                monkeypatch.undo()
                freeze()
                return apply(self, **asked)

            monkeypatch.setattr(CartStore, "apply_merge", apply_after_the_checkout)
        merged = merging.merge(source_id=guests.id, customer_id=customer_id, now=now)

        assert (merged.id != own.id, quantities(merged)) == (True, {"B": 2})
        assert carts.current(owner=customer_id, now=now) == merged
        assert is_gone(carts, guests, now)

    def test_who_is_too_late_again_and_again_is_told_so_and_keeps_the_guests(
        self, carts, customer_id, now, monkeypatch
    ):
        guests = guest_cart(now, add("B", 2))
        apply = CartStore.apply_merge

        def apply_after_a_checkout(self: CartStore, *, source: Cart, now: datetime) -> str:
            carts.change(cart_id=source.into, owner=customer_id, changes=[add("A")], now=now)
            carts.freeze(
                cart_id=source.into, order_id=uuid4(), owner=customer_id, version=None, now=now
            )
            return apply(self, source=source, now=now)

        monkeypatch.setattr(CartStore, "apply_merge", apply_after_a_checkout)
        with pytest.raises(errors.CartFrozen):
            merging.merge(source_id=guests.id, customer_id=customer_id, now=now)
        monkeypatch.undo()
        assert carts.read(cart_id=guests.id, owner=None, now=now).lines == guests.lines
        merged = merging.merge(source_id=guests.id, customer_id=customer_id, now=now)
        assert quantities(merged) == {"B": 2}


def test_what_names_the_open_cart_lasts_as_long_as_that(carts, customer_id, now):
    cart = cart_of(customer_id, now)
    client, key = carts._scripts.client, Keys.of(cart.id).current(customer_id)
    for touch in (
        lambda: carts.read(cart_id=cart.id, owner=customer_id, now=now),
        lambda: merging.merge(
            source_id=guest_cart(now, add("A")).id, customer_id=customer_id, now=now
        ),
    ):
        client.pexpire(key, 5 * DAY_MS)
        client.pexpire(Keys.of(cart.id).cart, 5 * DAY_MS)
        touch()
        assert client.pttl(key) >= client.pttl(Keys.of(cart.id).cart) > 89 * DAY_MS
