"""Commands on carts, one at a time."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from domains.carts import errors
from domains.carts.events import CartCheckedOut, CartUpdated
from domains.carts.models import CartStatus, CartStore, Once
from domains.carts.models.carts import Keys
from domains.carts.models.connection import faults, scripts
from domains.carts.rules import limits
from domains.carts.services import checkout
from infrastructure.http.errors import IdempotencyKeyReused
from infrastructure.observability import correlation
from infrastructure.outbox.publisher import shard_of
from tests.support.carts import (
    add,
    cart_of,
    entries_of,
    events_of,
    guest_cart,
    put,
    quantities,
)

DAY_MS = 86_400_000


def change(carts: CartStore, cart_id: UUID, *changes, now: datetime, **rest):  # type: ignore[no-untyped-def]
    rest = {"owner": None} | rest
    return carts.change(cart_id=cart_id, changes=changes, now=now, **rest).cart


class TestLines:
    def test_quantities_add_up_and_lines_keep_their_order(self, carts, now):
        cart = guest_cart(now, add("B", 2), add("A", 1, "for Ann"))
        cart = change(carts, cart.id, add("B", 3), now=now)

        assert [(line.sku, line.quantity, line.note) for line in cart.lines] == [
            ("B", 5, ""),
            ("A", 1, "for Ann"),
        ]
        assert cart.version == 3
        assert carts.read(cart_id=cart.id, owner=None, now=now) == cart

    def test_a_quantity_is_set_and_a_note_stays_unless_another_is_given(self, carts, now):
        cart = guest_cart(now, add("A", 1, "red"))
        cart = change(carts, cart.id, put("A", 7), now=now)
        assert [(line.quantity, line.note) for line in cart.lines] == [(7, "red")]
        cart = change(carts, cart.id, put("A", 7, ""), now=now)
        assert [(line.quantity, line.note) for line in cart.lines] == [(7, "")]

    def test_a_line_that_comes_back_is_the_last_one_and_has_no_note(self, carts, now):
        cart = guest_cart(now, add("A", 1, "red"), add("B"))
        cart = change(carts, cart.id, put("A", 0), now=now)
        cart = change(carts, cart.id, add("A"), now=now)
        assert [(line.sku, line.note) for line in cart.lines] == [("B", ""), ("A", "")]

    def test_odd_skus_and_notes_come_back_as_they_were(self, carts, now):
        sku, note = 'a:b "c" \u20ac %d', "one\ntwo  12 3 \U0001f3ee"
        cart = guest_cart(now, add(sku, 3, note))
        cart = change(carts, cart.id, add(sku, 1), now=now)
        assert [(line.sku, line.quantity, line.note) for line in cart.lines] == [(sku, 4, note)]

    def test_fields_are_set_and_emptied(self, carts, now):
        fields = {"note": "ring twice", "coupons": '["SPRING","TEN"]', "country": "GB"}
        cart = guest_cart(now)
        cart = change(carts, cart.id, now=now, fields=fields | {"shipping_method": "flat"})
        assert cart.coupons == ("SPRING", "TEN")
        assert (cart.note, cart.country, cart.shipping_method) == ("ring twice", "GB", "flat")
        cart = change(carts, cart.id, now=now, fields={"coupons": "", "shipping_method": ""})
        assert (cart.coupons, cart.shipping_method, cart.country) == ((), None, "GB")

    def test_what_changes_nothing_is_no_version_and_no_event(self, carts, now):
        cart = guest_cart(now, add("A", 2))
        for nothing in ([put("A", 2)], [put("B", 0)], [add("B", 1), put("B", 0)]):
            assert change(carts, cart.id, *nothing, now=now) == cart
        assert change(carts, cart.id, now=now, fields={"note": ""}) == cart
        assert len(events_of(cart.id)) == 2


class TestLimits:
    @pytest.fixture
    def full(self, now):
        return guest_cart(now, *(add(f"S{number}") for number in range(limits.MAX_LINES)))

    def test_a_cart_takes_so_many_lines_and_no_more(self, carts, full, now):
        with pytest.raises(errors.TooManyLines):
            change(carts, full.id, add("S0", 1), add("one more"), now=now)
        assert carts.read(cart_id=full.id, owner=None, now=now) == full
        assert len(change(carts, full.id, put("S0", 0), add("other"), now=now).lines) == 500

    def test_a_quantity_has_an_end(self, carts, now):
        cart = guest_cart(now, add("A", limits.MAX_QUANTITY))
        with pytest.raises(errors.QuantityTooLarge):
            change(carts, cart.id, add("B"), add("A"), now=now)
        assert carts.read(cart_id=cart.id, owner=None, now=now) == cart

    def test_texts_have_an_end_and_a_full_cart_can_be_made_smaller(self, carts, full, now):
        with pytest.raises(errors.CartTooLarge):
            change(carts, full.id, *(put(f"S{n}", 1, "x" * 200) for n in range(400)), now=now)
        notes = [put(f"S{n}", 1, "x" * 200) for n in range(310)]
        noted = change(carts, full.id, *notes, now=now)
        with pytest.raises(errors.CartTooLarge):
            change(carts, full.id, now=now, fields={"note": "x" * 3000})
        assert change(carts, full.id, put("S1", 1, ""), now=now).version == noted.version + 1


class TestWhoseCartItIs:
    def test_a_guests_cart_is_open_to_whoever_knows_its_id(self, carts, now):
        cart = guest_cart(now, add("A"))
        assert carts.read(cart_id=cart.id, owner=uuid4(), now=now) == cart

    @pytest.mark.parametrize("stranger", [None, uuid4()])
    def test_a_customers_cart_does_not_exist_for_others(self, carts, now, stranger):
        customer_id = uuid4()
        cart = cart_of(customer_id, now, add("A"))
        for attempt in (
            lambda: carts.read(cart_id=cart.id, owner=stranger, now=now),
            lambda: change(carts, cart.id, add("A"), owner=stranger, now=now),
            lambda: carts.delete(cart_id=cart.id, owner=stranger, version=None, now=now),
            lambda: carts.freeze(
                cart_id=cart.id, order_id=uuid4(), owner=stranger, version=None, now=now
            ),
            lambda: carts.begin_merge(
                source_id=cart.id, into=uuid4(), by=stranger or uuid4(), now=now
            ),
        ):
            with pytest.raises(errors.CartNotFound):
                attempt()
        assert carts.read(cart_id=cart.id, owner=customer_id, now=now) == cart

    def test_a_customer_has_one_open_cart(self, carts, now):
        customer_id = uuid4()
        first = cart_of(customer_id, now, add("A"))
        again = carts.create(owner=customer_id, currency="EUR", channel=None, once=None, now=now)
        assert (again.cart, again.is_new) == (first, False)
        assert carts.current(owner=customer_id, now=now) == first

        carts.freeze(cart_id=first.id, order_id=uuid4(), owner=customer_id, version=None, now=now)
        assert carts.current(owner=customer_id, now=now).status is CartStatus.FROZEN
        second = cart_of(customer_id, now)
        assert second.id != first.id
        assert carts.current(owner=customer_id, now=now) == second

    def test_a_customers_carts_are_in_the_customers_shard(self, now):
        for _ in range(5):
            customer_id = uuid4()
            assert shard_of(str(cart_of(customer_id, now).id)) == shard_of(str(customer_id))


class TestVersions:
    def test_a_change_based_on_an_old_version_is_refused(self, carts, now):
        cart = guest_cart(now, add("A"))
        seen = cart.version
        change(carts, cart.id, add("B"), version=seen, now=now)
        for stale in (
            lambda: change(carts, cart.id, add("C"), version=seen, now=now),
            lambda: carts.delete(cart_id=cart.id, owner=None, version=seen, now=now),
            lambda: carts.freeze(
                cart_id=cart.id, order_id=uuid4(), owner=None, version=seen, now=now
            ),
        ):
            with pytest.raises(errors.CartChanged):
                stale()
        cart = carts.read(cart_id=cart.id, owner=None, now=now)
        assert quantities(cart) == {"A": 1, "B": 1}
        assert cart.status is CartStatus.OPEN


class TestKeys:
    ONCE = Once("k" * 64, "f" * 64)

    def test_a_repeated_addition_is_made_once_even_if_it_names_an_old_version(self, carts, now):
        cart = guest_cart(now)
        made = [
            carts.change(
                cart_id=cart.id,
                owner=None,
                changes=[add("A", 2)],
                version=1,
                once=self.ONCE,
                now=now,
            )
            for _ in range(3)
        ]
        assert [each.replayed for each in made] == [False, True, True]
        assert [quantities(each.cart) for each in made] == [{"A": 2}] * 3
        assert len(events_of(cart.id)) == 2

    def test_a_key_is_good_for_one_body(self, carts, now):
        cart = guest_cart(now)
        carts.change(cart_id=cart.id, owner=None, changes=[add("A")], once=self.ONCE, now=now)
        other = Once(self.ONCE.name, "0" * 64)
        with pytest.raises(IdempotencyKeyReused):
            carts.change(cart_id=cart.id, owner=None, changes=[add("B")], once=other, now=now)
        assert quantities(carts.read(cart_id=cart.id, owner=None, now=now)) == {"A": 1}

    @pytest.mark.parametrize("owner", [None, uuid4()])
    def test_a_repeated_creation_answers_with_the_same_cart(self, carts, now, owner):
        def make(once):
            return carts.create(owner=owner, currency="GBP", channel=None, once=once, now=now)

        first, second = make(self.ONCE), make(self.ONCE)
        assert second.cart == first.cart
        assert (first.replayed, second.replayed) == (False, True)
        assert len(events_of(first.cart.id)) == 1

    def test_a_repeated_creation_of_what_is_gone_is_not_found(self, carts, now):
        cart = carts.create(owner=None, currency="GBP", channel=None, once=self.ONCE, now=now).cart
        carts.delete(cart_id=cart.id, owner=None, version=None, now=now)
        with pytest.raises(errors.CartNotFound):
            carts.create(owner=None, currency="GBP", channel=None, once=self.ONCE, now=now)


class TestEvents:
    def test_every_version_is_told_with_its_number_and_its_cause(self, carts, now):
        customer_id = uuid4()
        with correlation.bind(correlation_id="c-1", causation_id="e-1"):
            cart = cart_of(customer_id, now, add("A", 2), add("B"))
        change(carts, cart.id, put("B", 0), owner=customer_id, now=now)

        events = events_of(cart.id)
        assert [type(event) for event in events] == [CartUpdated] * 3
        assert [(e.cart_version, e.line_count, e.quantity) for e in events] == [  # type: ignore[attr-defined]
            (1, 0, 0),
            (2, 2, 3),
            (3, 1, 2),
        ]
        assert {e.customer_id for e in events} == {customer_id}  # type: ignore[attr-defined]
        assert {e.occurred_at for e in events} == {now}
        first = entries_of(cart.id)[0]
        assert (first.correlation_id, first.causation_id) == ("c-1", "e-1")
        assert len({entry.event_id for entry in entries_of(cart.id)}) == 3

    def test_a_refused_change_tells_nothing(self, carts, now):
        cart = guest_cart(now, add("A"))
        with pytest.raises(errors.CartChanged):
            change(carts, cart.id, add("A"), version=1, now=now)
        assert len(events_of(cart.id)) == 2


class TestCheckout:
    def test_a_frozen_cart_stays_as_it_is_until_it_is_given_back(self, carts, now):
        cart, order_id = guest_cart(now, add("A")), uuid4()
        frozen = carts.freeze(
            cart_id=cart.id, order_id=order_id, owner=None, version=cart.version, now=now
        )
        assert (frozen.lines, frozen.order_id) == (cart.lines, order_id)
        for attempt in (
            lambda: change(carts, cart.id, add("A"), now=now),
            lambda: carts.delete(cart_id=cart.id, owner=None, version=None, now=now),
            lambda: carts.begin_merge(source_id=cart.id, into=None, by=uuid4(), now=now),
        ):
            with pytest.raises(errors.CartFrozen):
                attempt()

        assert checkout.reopen(cart_id=cart.id, order_id=order_id, now=now) is True
        assert checkout.reopen(cart_id=cart.id, order_id=order_id, now=now) is False
        assert carts.read(cart_id=cart.id, owner=None, now=now) == cart
        assert quantities(change(carts, cart.id, add("A"), now=now)) == {"A": 2}

    def test_the_first_order_sticks(self, carts, now):
        cart, first = guest_cart(now, add("A")), uuid4()
        carts.freeze(cart_id=cart.id, order_id=first, owner=None, version=None, now=now)
        again = carts.freeze(cart_id=cart.id, order_id=uuid4(), owner=None, version=1, now=now)
        assert again.order_id == first

    def test_an_empty_cart_is_not_checked_out(self, carts, now):
        with pytest.raises(errors.CartEmpty):
            carts.freeze(
                cart_id=guest_cart(now).id, order_id=uuid4(), owner=None, version=None, now=now
            )

    def test_a_closed_cart_is_told_once_and_knows_its_order(self, carts, now):
        cart, order_id = guest_cart(now, add("A", 3)), uuid4()
        carts.freeze(cart_id=cart.id, order_id=order_id, owner=None, version=None, now=now)
        assert carts.close(cart_id=cart.id, order_id=uuid4(), now=now) is False
        assert carts.close(cart_id=cart.id, order_id=order_id, now=now) is True
        assert carts.close(cart_id=cart.id, order_id=order_id, now=now) is True
        assert checkout.reopen(cart_id=cart.id, order_id=order_id, now=now) is False

        *_, last = events_of(cart.id)
        assert isinstance(last, CartCheckedOut)
        assert (last.order_id, last.line_count, last.quantity) == (order_id, 1, 3)
        for attempt in (
            lambda: carts.read(cart_id=cart.id, owner=None, now=now),
            lambda: change(carts, cart.id, add("A"), now=now),
            lambda: carts.freeze(
                cart_id=cart.id, order_id=uuid4(), owner=None, version=None, now=now
            ),
        ):
            with pytest.raises(errors.CartCheckedOut) as refused:
                attempt()
            assert refused.value.order_id == order_id

    def test_what_is_not_frozen_for_an_order_is_not_closed_for_it(self, carts, now):
        cart, order_id = guest_cart(now, add("A")), uuid4()
        assert carts.close(cart_id=cart.id, order_id=order_id, now=now) is False
        assert carts.close(cart_id=uuid4(), order_id=order_id, now=now) is False
        assert carts.read(cart_id=cart.id, owner=None, now=now) == cart

    def test_a_cart_frozen_anew_is_not_given_back_by_the_order_before(self, carts, now):
        cart, first, second = guest_cart(now, add("A")), uuid4(), uuid4()
        carts.freeze(cart_id=cart.id, order_id=first, owner=None, version=None, now=now)
        checkout.reopen(cart_id=cart.id, order_id=first, now=now)
        carts.freeze(cart_id=cart.id, order_id=second, owner=None, version=None, now=now)
        assert checkout.reopen(cart_id=cart.id, order_id=first, now=now) is False
        assert carts.close(cart_id=cart.id, order_id=first, now=now) is False
        frozen = carts.read(cart_id=cart.id, owner=None, now=now)
        assert (frozen.status, frozen.order_id) == (CartStatus.FROZEN, second)

    def test_undecided_carts_are_listed_the_oldest_first(self, carts, now):
        frozen = []
        for age in (1, 3, 2, 4):
            cart, order_id = guest_cart(now, add("A")), uuid4()
            at = now - timedelta(minutes=age)
            carts.freeze(cart_id=cart.id, order_id=order_id, owner=None, version=None, now=at)
            frozen.append((cart.id, order_id))
        by_age = [frozen[3], frozen[1], frozen[2]]
        before = now - timedelta(minutes=1)
        assert carts.frozen_since(before=before, at_most=10) == by_age
        assert carts.frozen_since(before=before, at_most=2) == by_age[:2]
        carts.close(cart_id=frozen[3][0], order_id=frozen[3][1], now=now)
        checkout.reopen(cart_id=frozen[1][0], order_id=frozen[1][1], now=now)
        assert carts.frozen_since(before=before, at_most=10) == [frozen[2]]


class TestHowLongACartIsKept:
    def ttl(self, cart_id: UUID) -> int:
        return int(scripts().client.pttl(Keys.of(cart_id).cart))  # type: ignore[arg-type]

    def test_a_customers_cart_is_kept_longer_than_a_guests(self, now):
        assert 29 * DAY_MS < self.ttl(guest_cart(now).id) <= 30 * DAY_MS
        assert 89 * DAY_MS < self.ttl(cart_of(uuid4(), now).id) <= 90 * DAY_MS

    def test_looking_at_it_keeps_it(self, carts, now):
        cart = guest_cart(now)
        scripts().client.pexpire(Keys.of(cart.id).cart, 5 * DAY_MS)
        carts.read(cart_id=cart.id, owner=None, now=now)
        assert self.ttl(cart.id) > 29 * DAY_MS

    def test_a_frozen_cart_waits_for_its_decision(self, carts, now):
        cart, order_id = guest_cart(now, add("A")), uuid4()
        carts.freeze(cart_id=cart.id, order_id=order_id, owner=None, version=None, now=now)
        carts.read(cart_id=cart.id, owner=None, now=now)
        assert self.ttl(cart.id) == -1
        checkout.reopen(cart_id=cart.id, order_id=order_id, now=now)
        assert self.ttl(cart.id) > 29 * DAY_MS

    def test_an_id_is_not_used_again(self, carts, now):
        cart = guest_cart(now, add("A"))
        carts.delete(cart_id=cart.id, owner=None, version=None, now=now)
        carts.delete(cart_id=cart.id, owner=None, version=None, now=now)
        assert self.ttl(cart.id) > 179 * DAY_MS
        with pytest.raises(errors.CartNotFound):
            change(carts, cart.id, add("A"), now=now)
        assert [e.status for e in events_of(cart.id)] == ["OPEN", "OPEN", "DELETED"]  # type: ignore[attr-defined]


def test_the_server_of_the_tests_may_be_trusted_with_carts():
    assert faults(scripts().client) == []
