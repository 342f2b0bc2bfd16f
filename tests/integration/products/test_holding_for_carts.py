"""What carts hold for a while: replaced, extended, expired, freed, and taken over by orders."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domains.products.errors import InvalidQuantity
from domains.products.models import Reservation, StockMovement, Variant
from domains.products.public import (
    Held,
    HoldRequest,
    HoldState,
    Refused,
    Shortage,
    hold,
    hold_for_cart,
    hold_for_cart_again,
    hold_many,
    hold_state,
    offers,
    overdue_cart_holds,
    release,
    release_cart_hold,
)
from domains.products.services import inventory
from domains.products.services.products import archive_product
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from infrastructure.outbox.models import OutboxMessage
from tests.support.cart_holds import TTL, cart_holding, facts, held, ledger, lines_of
from tests.support.factories import products
from tests.support.stock import assert_books_are_right

pytestmark = pytest.mark.django_db


def test_a_cart_holds_for_a_while_and_says_so(
    now: datetime, django_assert_num_queries: Any
) -> None:
    products.stocked({"A": 5, "B": 5}, now=now)
    cart_id, lines = new_id(), products.lines({"A": 2, "B": 1})
    with django_assert_num_queries(2, using=alias_of("products")):
        assert hold_for_cart(cart_id=cart_id, lines=lines, now=now, ttl=TTL) == Held()
    assert held("A", "B") == [2, 1]
    reservation = Reservation.objects.get(pk=cart_id)
    assert (reservation.holder, reservation.status) == ("cart", "HELD")
    assert reservation.expires_at == now + TTL
    assert sorted(ledger(cart_id=cart_id)) == [("HOLD", "A", 2), ("HOLD", "B", 1)]
    message = OutboxMessage.objects.using(alias_of("products")).get(key=str(cart_id))
    event = json.loads(message.payload)
    assert (event["holder"], event["expires_at"]) == ("cart", "2026-03-02T09:45:00Z")


def test_what_a_cart_holds_is_gone_for_others(now: datetime) -> None:
    products.stocked({"A": 5}, now=now)
    cart_holding({"A": 4}, now=now)
    outcome = hold(order_id=new_id(), lines=products.lines({"A": 2}), now=now)
    assert outcome == Refused(
        (Shortage(variant_id=products.variant_id("A"), sku="A", requested=2, available=1),)
    )


def test_other_lines_take_the_place_of_the_earlier_ones(now: datetime) -> None:
    products.stocked({"A": 5, "B": 5, "C": 5}, now=now)
    cart_id = cart_holding({"A": 5, "B": 1}, now=now)
    cart_holding({"A": 2, "C": 3}, now=now + TTL / 2, cart_id=cart_id)
    assert held("A", "B", "C") == [2, 0, 3]
    assert lines_of(cart_id) == {"A": 2, "C": 3}
    assert sorted(ledger(cart_id=cart_id)[2:]) == [
        ("HOLD", "C", 3),
        ("RELEASE", "A", -3),
        ("RELEASE", "B", -1),
    ]
    assert Reservation.objects.get(pk=cart_id).expires_at == now + TTL + TTL / 2
    assert facts(cart_id) == [("reserved", 1), ("reserved", 2)]
    assert facts(products.variant_id("A"))[2:] == [
        ("availability_changed", 3),
        ("availability_changed", 4),
    ]


def test_what_does_not_fit_leaves_the_earlier_hold(now: datetime) -> None:
    ids = products.stocked({"A": 5, "B": 1}, now=now)
    cart_id = cart_holding({"A": 2}, now=now)
    before = StockMovement.objects.count()
    wish = products.lines({"A": 5, "B": 2})
    assert hold_for_cart(cart_id=cart_id, lines=wish, now=now, ttl=TTL) == Refused(
        (Shortage(variant_id=ids["B"], sku="B", requested=2, available=1),)
    )
    assert (held("A", "B"), lines_of(cart_id)) == ([2, 0], {"A": 2})
    assert (StockMovement.objects.count(), facts(cart_id)) == (before, [("reserved", 1)])


def test_what_the_cart_holds_itself_is_free_for_it(now: datetime) -> None:
    ids = products.stocked({"A": 5}, now=now)
    cart_id = cart_holding({"A": 4}, now=now)
    cart_holding({"A": 5}, now=now, cart_id=cart_id)
    wish = products.lines({"A": 6})
    assert hold_for_cart(cart_id=cart_id, lines=wish, now=now, ttl=TTL) == Refused(
        (Shortage(variant_id=ids["A"], sku="A", requested=6, available=5),)
    )


def test_the_same_lines_again_only_last_longer(now: datetime) -> None:
    products.stocked({"A": 5}, now=now)
    cart_id = cart_holding({"A": 2}, now=now)
    cart_holding({"A": 2}, now=now + TTL / 3, cart_id=cart_id)
    assert held("A") == [2]
    assert ledger(cart_id=cart_id) == [("HOLD", "A", 2)]
    assert facts(cart_id) == [("reserved", 1)]
    assert Reservation.objects.get(pk=cart_id).expires_at == now + TTL + TTL / 3


def test_a_hold_is_extended_and_never_shortened(now: datetime) -> None:
    products.stocked({"A": 5}, now=now)
    cart_id = cart_holding({"A": 2}, now=now)
    lines = products.lines({"A": 2})
    assert hold_for_cart(cart_id=cart_id, lines=lines, now=now, ttl=TTL / 2) == Held()
    assert Reservation.objects.get(pk=cart_id).expires_at == now + TTL
    assert hold_for_cart(cart_id=cart_id, lines=lines, now=now, ttl=TTL * 2) == Held()
    assert Reservation.objects.get(pk=cart_id).expires_at == now + TTL * 2


def test_a_cart_takes_over_what_another_holds_and_nothing_is_free_in_between(
    now: datetime, django_assert_num_queries: Any
) -> None:
    products.stocked({"A": 4, "B": 1, "C": 5}, now=now)
    source = cart_holding({"A": 3, "B": 1}, now=now)
    target = cart_holding({"A": 1, "C": 2}, now=now)
    lines, before = products.lines({"A": 4, "B": 1}), facts(products.variant_id("B"))
    with django_assert_num_queries(2, using=alias_of("products")):
        outcome = hold_for_cart(
            cart_id=target, lines=lines, now=now, ttl=TTL * 2, instead_of=source
        )
    assert outcome == Held()
    assert (held("A", "B", "C"), lines_of(target)) == ([4, 1, 0], {"A": 4, "B": 1})
    ended = Reservation.objects.get(pk=source)
    assert (ended.status, ended.expires_at) == ("RELEASED", None)
    assert Reservation.objects.get(pk=target).expires_at == now + TTL * 2
    assert sorted(ledger(cart_id=source)[2:]) == [("TAKE_OVER", "A", 0), ("TAKE_OVER", "B", 0)]
    assert ledger(cart_id=target)[2:] == [("RELEASE", "C", -2)]
    assert facts(source) == [("reserved", 1), ("released", 2)]
    assert facts(target) == [("reserved", 1), ("reserved", 2)]
    assert facts(products.variant_id("B")) == before  # nobody was told that there is one again
    assert_books_are_right()


def test_a_cart_that_holds_nothing_takes_over_a_hold_as_it_is(now: datetime) -> None:
    products.stocked({"A": 2}, now=now)
    source, target = cart_holding({"A": 2}, now=now), new_id()
    for _ in range(2):
        outcome = hold_for_cart(
            cart_id=target, lines=products.lines({"A": 2}), now=now, ttl=TTL, instead_of=source
        )
        assert (outcome, held("A"), lines_of(target)) == (Held(), [2], {"A": 2})
    assert facts(target) == [("reserved", 1)]
    assert release_cart_hold(cart_id=source, now=now) is False
    assert_books_are_right()


def test_where_not_all_fits_both_carts_keep_what_they_hold(now: datetime) -> None:
    ids = products.stocked({"A": 4, "B": 1}, now=now)
    source, target = cart_holding({"A": 2}, now=now), cart_holding({"A": 1}, now=now)
    wish = products.lines({"A": 5, "B": 1})
    assert hold_for_cart(
        cart_id=target, lines=wish, now=now, ttl=TTL, instead_of=source
    ) == Refused((Shortage(variant_id=ids["A"], sku="A", requested=5, available=4),))
    assert (lines_of(source), lines_of(target), held("A", "B")) == ({"A": 2}, {"A": 1}, [3, 0])
    assert facts(source) == facts(target) == [("reserved", 1)]


def test_a_released_cart_may_hold_again(now: datetime) -> None:
    products.stocked({"A": 5, "B": 5}, now=now)
    cart_id = cart_holding({"A": 2}, now=now)
    assert release_cart_hold(cart_id=cart_id, now=now) is True
    assert release_cart_hold(cart_id=cart_id, now=now) is False
    assert held("A") == [0]
    cart_holding({"A": 1, "B": 1}, now=now, cart_id=cart_id)
    assert (held("A", "B"), lines_of(cart_id)) == ([1, 1], {"A": 1, "B": 1})
    assert facts(cart_id) == [("reserved", 1), ("released", 2), ("reserved", 3)]


class TestHoldingAgain:
    """What a cart held before, once the order that took it over has let go of it."""

    @pytest.fixture
    def cart_id(self, now: datetime) -> UUID:
        products.stocked({"A": 5, "B": 5}, now=now)
        cart_id = cart_holding({"A": 3, "B": 2}, now=now)
        release_cart_hold(cart_id=cart_id, now=now)
        return cart_id

    def again(self, cart_id: UUID, now: datetime) -> dict[str, int]:
        return hold_for_cart_again(
            cart_id=cart_id, quantities={"A": 3, "B": 2}, until=now + TTL, now=now
        )

    def test_it_is_held_for_as_long_as_before(self, cart_id: UUID, now: datetime) -> None:
        for minutes in (1, 2):
            later = now + timedelta(minutes=minutes)
            outcome = hold_for_cart_again(
                cart_id=cart_id, quantities={"A": 3, "B": 2}, until=now + TTL, now=later
            )
            assert outcome == lines_of(cart_id) == {"A": 3, "B": 2}
        assert held("A", "B") == [3, 2]
        assert Reservation.objects.get(pk=cart_id).expires_at == now + TTL
        assert_books_are_right()

    @pytest.mark.parametrize(
        ("others", "expected"),
        [
            ({"A": 3}, {"A": 2, "B": 2}),
            ({"A": 5}, {"B": 2}),
            ({"A": 4, "B": 4}, {"A": 1, "B": 1}),
            ({"A": 5, "B": 5}, {}),
        ],
        ids=["fewer", "none of one", "fewer of each", "nothing"],
    )
    def test_of_each_there_is_what_others_have_left(
        self, cart_id: UUID, others: dict[str, int], expected: dict[str, int], now: datetime
    ) -> None:
        cart_holding(others, now=now)
        assert self.again(cart_id, now) == expected
        assert held("A", "B") == [others.get(sku, 0) + expected.get(sku, 0) for sku in ("A", "B")]
        assert_books_are_right()

    def test_what_is_not_sold_any_more_is_not_held(self, cart_id: UUID, now: datetime) -> None:
        archived = Variant.objects.get(sku="B").product_id
        archive_product(product_id=archived, version=None, now=now)
        assert self.again(cart_id, now) == {"A": 3}

    def test_what_the_cart_holds_by_now_stays(self, cart_id: UUID, now: datetime) -> None:
        cart_holding({"B": 5}, now=now, cart_id=cart_id)
        assert self.again(cart_id, now) == lines_of(cart_id) == {"B": 5}
        assert held("A", "B") == [0, 5]

    def test_what_it_came_to_hold_meanwhile_stays_as_well(
        self, cart_id: UUID, now: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = Reservation.objects.all()._read

        def read_before_another_hold(query: Any, ids: list[UUID]) -> Any:
            found = read(ids)
            monkeypatch.undo()
            cart_holding({"B": 5}, now=now, cart_id=cart_id)
            return found

        monkeypatch.setattr(type(Reservation.objects.all()), "_read", read_before_another_hold)
        assert self.again(cart_id, now) == {"B": 5}
        assert_books_are_right()


def test_releasing_a_cart_that_held_nothing_leaves_no_trace(now: datetime) -> None:
    cart_id = new_id()
    assert release_cart_hold(cart_id=cart_id, now=now) is False
    assert not Reservation.objects.filter(pk=cart_id).exists()


@pytest.mark.parametrize(("quantity", "ttl"), [(0, TTL), (1, timedelta(0))])
def test_a_hold_of_nothing_or_for_no_time_is_none(
    now: datetime, quantity: int, ttl: timedelta
) -> None:
    products.stocked({"A": 5}, now=now)
    lines = products.lines({"A": quantity})
    with pytest.raises(InvalidQuantity):
        hold_for_cart(cart_id=new_id(), lines=lines, now=now, ttl=ttl)
    assert not Reservation.objects.exists()


# Expiry


def test_the_job_frees_what_is_over_and_nothing_else(now: datetime) -> None:
    products.stocked({"A": 50, "B": 50}, now=now)
    over = [cart_holding({"A": 2, "B": 1}, now=now) for _ in range(3)]
    lasting = cart_holding({"A": 1}, now=now + timedelta(seconds=1))
    order_id = products.held({"A": 5}, now=now - timedelta(days=30))
    assert inventory.free_expired_holds(now=now + TTL) == 3
    assert inventory.free_expired_holds(now=now + TTL) == 0
    assert held("A", "B") == [6, 0]
    assert [facts(cart_id)[1:] for cart_id in over] == [[("released", 2)]] * 3
    assert StockMovement.objects.filter(reason="expired", kind="RELEASE").count() == 6
    assert Reservation.objects.get(pk=lasting).status == "HELD"
    assert hold_state([order_id, lasting]) == {order_id: HoldState.HELD}
    message = OutboxMessage.objects.using(alias_of("products")).get(key=str(over[0]), sequence=2)
    payload = json.loads(message.payload)
    assert payload == {"order_id": str(over[0]), "holder": "cart", "expired": True}


def test_a_batch_of_the_job_costs_two_reads_and_one_statement(
    now: datetime, django_assert_num_queries: Any
) -> None:
    products.stocked({"A": 50}, now=now)
    for _ in range(6):
        cart_holding({"A": 1}, now=now)
    with django_assert_num_queries(3, using=alias_of("products")):
        assert Reservation.objects.free_expired(now=now + TTL, turned=set(), limit=4) == (4, 4)
    assert Reservation.objects.free_expired(now=now + TTL, turned=set(), limit=4) == (2, 2)
    assert held("A") == [0]


def test_an_order_that_lacks_what_expired_carts_hold_gets_it_at_once(now: datetime) -> None:
    products.stocked({"A": 3, "B": 9}, now=now)
    cart_id = cart_holding({"A": 3}, now=now)
    other = cart_holding({"B": 1}, now=now)
    lines = products.lines({"A": 2})
    just_before = now + TTL - timedelta(seconds=1)
    assert isinstance(hold(order_id=new_id(), lines=lines, now=just_before), Refused)
    assert hold(order_id=new_id(), lines=lines, now=now + TTL) == Held()
    assert held("A", "B") == [2, 1]
    assert facts(cart_id) == [("reserved", 1), ("released", 2)]
    assert facts(other) == [("reserved", 1)]


def test_a_cart_that_lacks_what_expired_carts_hold_gets_it_at_once(now: datetime) -> None:
    products.stocked({"A": 3}, now=now)
    cart_holding({"A": 3}, now=now)
    cart_holding({"A": 2}, now=now + TTL)
    assert held("A") == [2]


def test_what_expired_carts_hold_is_offered_to_buyers(
    now: datetime, django_assert_num_queries: Any
) -> None:
    products.stocked({"A": 3, "B": 2}, now=now)
    cart_holding({"A": 3, "B": 1}, now=now)
    with django_assert_num_queries(1, using=alias_of("products")):
        early = offers({"A": 1, "B": 1}, currency="GBP", now=now)
    late = offers({"A": 1, "B": 1}, currency="GBP", now=now + TTL)
    assert [early[sku].available for sku in "AB"] == [0, 1]
    assert [late[sku].available for sku in "AB"] == [3, 2]


def test_a_refused_order_costs_no_look_for_expired_carts_where_none_is(
    now: datetime, django_assert_num_queries: Any
) -> None:
    products.stocked({"A": 3}, now=now)
    cart_holding({"A": 3}, now=now)
    lines = products.lines({"A": 1})
    with django_assert_num_queries(2, using=alias_of("products")):
        assert isinstance(hold(order_id=new_id(), lines=lines, now=now), Refused)


def test_an_overdue_hold_is_found_by_the_audit(now: datetime) -> None:
    products.stocked({"A": 3}, now=now)
    cart_id = cart_holding({"A": 3}, now=now)
    assert list(overdue_cart_holds(due=now + TTL)) == []
    assert list(overdue_cart_holds(due=now + TTL + timedelta(seconds=1))) == [(cart_id, now + TTL)]


# Taking over


def test_an_order_takes_over_what_its_cart_holds_in_one_statement(
    now: datetime, django_assert_num_queries: Any
) -> None:
    products.stocked({"A": 2, "B": 5, "C": 1}, now=now)
    cart_id = cart_holding({"A": 2, "B": 1, "C": 1}, now=now)
    order_id, lines = new_id(), products.lines({"A": 2, "B": 3})
    with django_assert_num_queries(2, using=alias_of("products")):
        assert hold(order_id=order_id, lines=lines, now=now, instead_of=cart_id) == Held()
    assert held("A", "B", "C") == [2, 3, 0]
    assert lines_of(order_id) == {"A": 2, "B": 3}
    cart = Reservation.objects.get(pk=cart_id)
    assert (cart.status, cart.expires_at, cart.released_at) == ("RELEASED", None, now)
    assert sorted(ledger(order_id=order_id, cart_id=cart_id)) == [
        ("TAKE_OVER", "A", 0),
        ("TAKE_OVER", "B", 2),
        ("TAKE_OVER", "C", -1),
    ]
    assert facts(order_id) == [("reserved", 1)]
    assert facts(cart_id) == [("reserved", 1), ("released", 2)]
    # A was and stays sold out, which nobody is told; C is there again.
    assert [name for name, _ in facts(products.variant_id("A"))][-1] == "availability_changed"
    assert len(facts(products.variant_id("A"))) == 3
    assert len(facts(products.variant_id("C"))) == 4


def test_a_refused_order_leaves_the_hold_with_its_cart(now: datetime) -> None:
    ids = products.stocked({"A": 2, "B": 1}, now=now)
    cart_id = cart_holding({"A": 2}, now=now)
    lines = products.lines({"A": 2, "B": 2})
    outcome = hold(order_id=new_id(), lines=lines, now=now, instead_of=cart_id)
    assert outcome == Refused((Shortage(variant_id=ids["B"], sku="B", requested=2, available=1),))
    assert (held("A", "B"), lines_of(cart_id)) == ([2, 0], {"A": 2})
    assert Reservation.objects.get(pk=cart_id).status == "HELD"


def test_taking_over_is_repeatable(now: datetime) -> None:
    products.stocked({"A": 2}, now=now)
    cart_id = cart_holding({"A": 2}, now=now)
    order_id, lines = new_id(), products.lines({"A": 2})
    for _ in range(2):
        assert hold(order_id=order_id, lines=lines, now=now, instead_of=cart_id) == Held()
    assert held("A") == [2]
    release(order_id=order_id, now=now)
    assert held("A") == [0]


def test_a_cart_that_holds_nothing_any_more_gives_no_credit(now: datetime) -> None:
    products.stocked({"A": 2}, now=now)
    cart_id = cart_holding({"A": 2}, now=now)
    release_cart_hold(cart_id=cart_id, now=now)
    products.held({"A": 1}, now=now)
    lines = products.lines({"A": 2})
    outcome = hold(order_id=new_id(), lines=lines, now=now, instead_of=cart_id)
    assert isinstance(outcome, Refused)
    assert held("A") == [1]


def test_an_expired_hold_that_nobody_freed_can_still_be_taken_over(now: datetime) -> None:
    products.stocked({"A": 2}, now=now)
    cart_id = cart_holding({"A": 2}, now=now)
    lines = products.lines({"A": 2})
    assert hold(order_id=new_id(), lines=lines, now=now + TTL, instead_of=cart_id) == Held()
    assert held("A") == [2]


def test_in_a_batch_a_carts_hold_is_credit_for_its_own_order_only(now: datetime) -> None:
    products.stocked({"A": 3, "B": 0}, now=now)
    cart_id = cart_holding({"A": 3}, now=now)
    fails, greedy, modest = (
        HoldRequest(order_id=new_id(), lines=tuple(products.lines(wish)), instead_of=cart)
        for wish, cart in (
            ({"A": 1, "B": 1}, cart_id),
            ({"A": 1}, None),
            ({"A": 1}, cart_id),  # the cart's hold goes to the first that names it
        )
    )
    outcomes = hold_many(requests=[fails, greedy, modest], now=now)
    assert [s.sku for s in outcomes[fails.order_id].shortages] == ["B"]  # type: ignore[union-attr]
    assert isinstance(outcomes[greedy.order_id], Refused)
    assert isinstance(outcomes[modest.order_id], Refused)
    assert held("A") == [3]
    # What the modest one leaves of it goes to the greedy one, who was asked first and waited.
    assert set(hold_many(requests=[greedy, modest], now=now).values()) == {Held()}
    assert held("A") == [2]


def test_a_hold_during_a_shortage_goes_over_as_long_as_nothing_more_is_wanted(
    now: datetime,
) -> None:
    products.stocked({"A": 5}, now=now)
    cart_id = cart_holding({"A": 4}, now=now)
    inventory.count_stock(sku="A", on_hand=1, change_from=5, reason="count", actor_id=None, now=now)
    more = hold(order_id=new_id(), lines=products.lines({"A": 5}), now=now, instead_of=cart_id)
    assert more == Refused(
        (Shortage(variant_id=products.variant_id("A"), sku="A", requested=5, available=4),)
    )
    lines = products.lines({"A": 4})
    assert hold(order_id=new_id(), lines=lines, now=now, instead_of=cart_id) == Held()
    assert held("A") == [4]
