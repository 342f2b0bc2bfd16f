"""Many at once on one cart: nothing is lost, and what may happen once happens once."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.db import connections

from domains.carts import errors, public
from domains.carts.models import CartStatus, Once
from domains.carts.services import merging
from tests.support.carts import add, cart_of, events_of, guest_cart, put, quantities
from tests.support.messaging import ROOT

MANY = 20
DECISIONS = [public.close, public.reopen]


def at_once(many: int, act: Any) -> list[Any]:
    """What `act(number)` returns or raises in so many threads that begin together."""
    together = Barrier(many)

    def run(number: int) -> Any:
        together.wait()
        try:
            return act(number)
        except errors.CartError as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(many) as pool:
        return list(pool.map(run, range(many)))


def test_of_many_additions_none_is_lost(carts, now):
    cart = guest_cart(now)

    def add_ten(_: int) -> None:
        for _ in range(10):
            carts.change(cart_id=cart.id, owner=None, changes=[add("A")], now=now)

    assert at_once(MANY, add_ten) == [None] * MANY
    found = carts.read(cart_id=cart.id, owner=None, now=now)
    assert quantities(found) == {"A": 10 * MANY}
    assert found.version == 1 + 10 * MANY
    assert len(events_of(cart.id)) == found.version


@pytest.mark.long
def test_processes_lose_nothing_either(carts, now):
    cart = guest_cart(now)
    command = [sys.executable, "-m", "tests.support.carts_process"]
    arguments = [settings.REDIS_CARTS_URL, str(cart.id), "200"]
    with subprocess.Popen([*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        for _ in range(200):
            carts.change(cart_id=cart.id, owner=None, changes=[add("A")], now=now)
        assert process.stdout.read().split()[-1] == b"200"
    assert process.returncode == 0
    found = quantities(carts.read(cart_id=cart.id, owner=None, now=now))
    assert found == {"A": 400} | {f"B{number}": 4 for number in range(50)}
    assert len(events_of(cart.id)) == 401


def test_different_lines_and_fields_do_not_overwrite_each_other(carts, now):
    cart = guest_cart(now)

    def change(number: int) -> None:
        fields = {"note": "n"} if number == 0 else {"country": "GB"} if number == 1 else {}
        carts.change(
            cart_id=cart.id,
            owner=None,
            changes=[put(f"S{number}", number + 1)],
            fields=fields,
            now=now,
        )

    at_once(MANY, change)
    found = carts.read(cart_id=cart.id, owner=None, now=now)
    assert quantities(found) == {f"S{number}": number + 1 for number in range(MANY)}
    assert (found.note, found.country) == ("n", "GB")


def test_of_many_changes_based_on_one_version_one_is_made(carts, now):
    cart = guest_cart(now, add("A"))
    came = at_once(
        MANY,
        lambda number: carts.change(
            cart_id=cart.id,
            owner=None,
            changes=[put("A", number + 2)],
            version=cart.version,
            now=now,
        ),
    )
    winners = [made for made in came if not isinstance(made, errors.CartChanged)]
    assert len(winners) == 1
    assert carts.read(cart_id=cart.id, owner=None, now=now) == winners[0].cart


def test_of_many_repetitions_of_an_addition_one_is_made(carts, now):
    cart, once = guest_cart(now), Once("k" * 64, "f" * 64)
    came = at_once(
        MANY,
        lambda _: carts.change(
            cart_id=cart.id, owner=None, changes=[add("A", 2)], once=once, now=now
        ),
    )
    assert sorted(made.replayed for made in came) == [False] + [True] * (MANY - 1)
    assert quantities(carts.read(cart_id=cart.id, owner=None, now=now)) == {"A": 2}


def test_of_many_checkouts_one_order_sticks(carts, now):
    for _ in range(10):
        cart = guest_cart(now, add("A"))
        came: list[public.Frozen] = at_once(
            MANY,
            lambda _, cart_id=cart.id: public.freeze(
                cart_id=cart_id, order_id=uuid4(), owner=None, version=None, now=now
            ),
        )
        assert len({frozen.order_id for frozen in came}) == 1
        assert {frozen.contents for frozen in came} == {came[0].contents}


def test_what_was_added_before_the_checkout_is_in_it_and_what_came_later_is_refused(carts, now):
    for _ in range(10):
        cart = guest_cart(now, add("A"))

        def act(number: int, cart_id: UUID = cart.id) -> Any:
            if number == 0:
                return public.freeze(
                    cart_id=cart_id, order_id=uuid4(), owner=None, version=None, now=now
                )
            carts.change(cart_id=cart_id, owner=None, changes=[add("A")], now=now)
            return None

        frozen, *others = at_once(8, act)
        added = others.count(None)
        assert [line.quantity for line in frozen.contents.lines] == [1 + added]
        assert {type(other) for other in others if other} <= {errors.CartFrozen}


def test_many_first_requests_of_a_customer_make_one_cart(carts, now):
    customer_id = uuid4()
    came = at_once(
        MANY,
        lambda _: carts.create(owner=customer_id, currency="GBP", channel=None, once=None, now=now),
    )
    assert len({made.cart.id for made in came}) == 1
    assert sum(made.is_new for made in came) == 1


def test_whatever_is_given_back_made_and_merged_one_cart_is_open_and_no_line_is_lost(carts, now):
    for _ in range(15):
        customer_id, frozen = uuid4(), []
        for sku in ("A", "B", "C"):
            cart, order_id = cart_of(customer_id, now, add(sku)), uuid4()
            carts.freeze(
                cart_id=cart.id, order_id=order_id, owner=customer_id, version=None, now=now
            )
            frozen.append((cart.id, order_id))
        guests = guest_cart(now, add("G"))

        def act(
            number: int,
            frozen: list[tuple[UUID, UUID]] = frozen,
            who: UUID = customer_id,
            source: UUID = guests.id,
        ) -> None:
            if number < 3:
                cart_id, order_id = frozen[number]
                public.reopen(cart_id=cart_id, order_id=order_id, now=now)
            elif number < 5:
                cart_of(who, now)
            else:
                merging.merge(source_id=source, customer_id=who, now=now)

        assert at_once(6, act) == [None] * 6
        merging.finish_merges(now=now + timedelta(seconds=11))

        current = carts.current(owner=customer_id, now=now)
        assert (current.status, quantities(current)) == (
            CartStatus.OPEN,
            {"A": 1, "B": 1, "C": 1, "G": 1},
        )
        for cart_id in {cart_id for cart_id, _ in frozen} - {current.id}:
            with pytest.raises(errors.CartNotFound):
                carts.read(cart_id=cart_id, owner=customer_id, now=now)
        later = now + timedelta(days=1)
        assert carts.frozen_since(before=later, at_most=9) == []
        assert carts.merging_since(before=later, at_most=9) == []


@pytest.mark.django_db(transaction=True)
def test_of_a_decision_and_its_opposite_one_holds(carts, now):
    for _ in range(10):
        cart, order_id = cart_of(uuid4(), now, add("A")), uuid4()
        carts.freeze(
            cart_id=cart.id, order_id=order_id, owner=cart.customer_id, version=None, now=now
        )
        came = at_once(
            8,
            lambda number, cart_id=cart.id, order_id=order_id: DECISIONS[number % 2](
                cart_id=cart_id, order_id=order_id, now=now
            ),
        )
        closed, reopened = came[::2], came[1::2]
        assert (set(closed), sum(reopened)) in [({True}, 0), ({False}, 1)]
        if any(reopened):
            assert carts.read(cart_id=cart.id, owner=cart.customer_id, now=now) == cart
        else:
            with pytest.raises(errors.CartCheckedOut):
                carts.read(cart_id=cart.id, owner=cart.customer_id, now=now)
