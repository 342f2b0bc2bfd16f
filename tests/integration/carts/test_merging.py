"""A guest's cart goes into the customer's own: once, whoever dies meanwhile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from domains.carts import errors
from domains.carts.models import CartStatus, CartStore
from domains.carts.models.carts import Keys
from domains.carts.models.connection import scripts
from domains.carts.rules import limits
from domains.carts.services import checkout, merging
from tests.support.carts import add, cart_of, events_of, guest_cart, quantities
from tests.support.kill_points import Died
from tests.support.messaging import ROOT


@pytest.fixture
def dies(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bool], None]:
    """The first call of a step of the store is the process's last: it is made, or it is not."""

    def install(step: str, after: bool) -> None:
        original = getattr(CartStore, step)

        def die(self: CartStore, **arguments: Any) -> Any:
            if step == "begin_merge" and arguments["into"] is None:
                return original(self, **arguments)
            monkeypatch.setattr(CartStore, step, original)
            if after:
                original(self, **arguments)
            raise Died

        monkeypatch.setattr(CartStore, step, die)

    return install


def test_lines_add_up_and_what_the_customer_chose_stays(carts, now):
    customer_id = uuid4()
    own = cart_of(customer_id, now, add("A", 1, "mine"), add("B", 2))
    carts.change(cart_id=own.id, owner=customer_id, fields={"coupons": '["TEN"]'}, now=now)
    guests = guest_cart(now, add("A", 3, "theirs"), add("C", 1, "new"))
    fields = {"coupons": '["SPRING","TEN"]', "country": "GB", "postcode": "LS1", "note": "ring"}
    carts.change(cart_id=guests.id, owner=None, fields=fields, now=now)

    merged = merging.merge(source_id=guests.id, customer_id=customer_id, now=now)

    assert merged.id == own.id
    assert [(line.sku, line.quantity, line.note) for line in merged.lines] == [
        ("A", 4, "mine\ntheirs"),
        ("B", 2, ""),
        ("C", 1, "new"),
    ]
    assert merged.coupons == ("TEN", "SPRING")
    assert (merged.country, merged.postcode, merged.note) == ("GB", "LS1", "ring")
    assert [e.status for e in events_of(guests.id)][-1] == "MERGED"  # type: ignore[attr-defined]
    assert len(events_of(own.id)) == 4


@pytest.mark.parametrize(
    ("own", "theirs", "expected"),
    [
        ("ring", "knock", "ring\nknock"),
        ("ring", "", "ring"),
        ("", "knock", "knock"),
        ("ring", "ring", "ring"),
        ("ring\nknock", "knock", "ring\nknock"),
        ("é" * 99, "ü" * 100, "é" * 99 + "\n" + "ü" * 100),
        ("é" * 100, "ü" * 100, "é" * 100),
    ],
    ids=["both", "own", "theirs", "the same", "known", "as long as can be", "too long"],
)
def test_notes_stand_below_each_other_where_both_carts_have_one(
    carts, now, monkeypatch, own, theirs, expected
):
    monkeypatch.setattr(limits, "NOTE_LENGTH", limits.LINE_NOTE_LENGTH)
    customer_id = uuid4()
    mine = cart_of(customer_id, now, add("A", 1, own))
    carts.change(cart_id=mine.id, owner=customer_id, fields={"note": own}, now=now)
    guests = guest_cart(now, add("A", 1, theirs))
    carts.change(cart_id=guests.id, owner=None, fields={"note": theirs}, now=now)
    merged = merging.merge(source_id=guests.id, customer_id=customer_id, now=now)
    assert (merged.note, merged.lines[0].note) == (expected, expected)


def test_a_place_is_taken_whole_or_not_at_all(carts, now):
    customer_id = uuid4()
    own = cart_of(customer_id, now)
    carts.change(cart_id=own.id, owner=customer_id, fields={"country": "FR"}, now=now)
    guests = guest_cart(now, add("A"))
    fields = {"country": "GB", "postcode": "LS1"}
    carts.change(cart_id=guests.id, owner=None, fields=fields, now=now)
    merged = merging.merge(source_id=guests.id, customer_id=customer_id, now=now)
    assert (merged.country, merged.postcode) == ("FR", "")


def test_a_coupon_in_two_spellings_is_one_also_where_an_earlier_version_kept_both(carts, now):
    customer_id = uuid4()
    own = cart_of(customer_id, now, add("A", 1))
    fields = {"coupons": '["ten","TEN"]'}
    before = carts.change(cart_id=own.id, owner=customer_id, fields=fields, now=now).cart
    assert before.coupons == ("ten",)
    guests = guest_cart(now, add("B", 2))
    fields = {"coupons": '["Ten ","spring","SPRING"]'}
    carts.change(cart_id=guests.id, owner=None, fields=fields, now=now)

    merged = merging.merge(source_id=guests.id, customer_id=customer_id, now=now)

    assert merged.coupons == ("ten", "spring")
    stored = scripts().client.hget(Keys.of(own.id).cart, "coupons")
    assert stored == '["ten","spring"]'


@pytest.mark.parametrize("theirs", ["", '["SPRING"]'], ids=["none", "one"])
def test_a_cart_whose_coupons_were_taken_out_takes_what_a_guest_has(carts, now, theirs):
    customer_id = uuid4()
    own = cart_of(customer_id, now, add("A", 1))
    for coupons in ('["TEN"]', ""):
        carts.change(cart_id=own.id, owner=customer_id, fields={"coupons": coupons}, now=now)
    guests = guest_cart(now, add("B", 2))
    for coupons in ('["TEN"]', theirs):
        carts.change(cart_id=guests.id, owner=None, fields={"coupons": coupons}, now=now)

    merged = merging.merge(source_id=guests.id, customer_id=customer_id, now=now)

    assert (merged.id, quantities(merged)) == (own.id, {"A": 1, "B": 2})
    assert merged.coupons == (("SPRING",) if theirs else ())


def test_a_customer_without_a_cart_gets_one(carts, now):
    customer_id = uuid4()
    guests = guest_cart(now, add("A", 2))
    merged = merging.merge(source_id=guests.id, customer_id=customer_id, now=now)
    assert (merged.customer_id, quantities(merged)) == (customer_id, {"A": 2})
    assert carts.current(owner=customer_id, now=now) == merged
    with pytest.raises(errors.CartNotFound):
        carts.read(cart_id=guests.id, owner=None, now=now)


def test_what_would_be_too_much_is_cut(now):
    customer_id = uuid4()
    cart_of(customer_id, now, *(add(f"S{n}") for n in range(limits.MAX_LINES - 1)))
    guests = guest_cart(now, add("X"), add("S0", limits.MAX_QUANTITY), add("Y"))
    merged = quantities(merging.merge(source_id=guests.id, customer_id=customer_id, now=now))
    assert len(merged) == limits.MAX_LINES
    assert (merged["S0"], merged["X"], "Y" in merged) == (limits.MAX_QUANTITY, 1, False)


def test_merged_twice_is_merged_once(carts, now):
    customer_id = uuid4()
    guests = guest_cart(now, add("A", 2))
    first = merging.merge(source_id=guests.id, customer_id=customer_id, now=now)
    assert merging.merge(source_id=guests.id, customer_id=customer_id, now=now) == first
    with pytest.raises(errors.CartNotFound):
        merging.merge(source_id=guests.id, customer_id=uuid4(), now=now)


def test_merged_at_once_by_many_is_merged_once(carts, now):
    for _ in range(10):
        customer_id = uuid4()
        guests = guest_cart(now, add("A", 2), add("B"))

        def merge(_: int, source: UUID = guests.id, who: UUID = customer_id) -> dict[str, int]:
            return quantities(merging.merge(source_id=source, customer_id=who, now=now))

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(merge, range(8)))
        assert found == [{"A": 2, "B": 1}] * 8
        own = carts.current(owner=customer_id, now=now)
        assert len(events_of(own.id)) == 2


def test_a_cart_remembers_so_many_merges_and_no_more(carts, now, monkeypatch):
    monkeypatch.setattr(limits, "MAX_MERGED", 3)
    customer_id = uuid4()
    own = cart_of(customer_id, now, add("A"))
    sources = []
    for _ in range(5):
        guests = guest_cart(now, add("A"))
        on_its_way = carts.begin_merge(source_id=guests.id, into=own.id, by=customer_id, now=now)
        sources.append(on_its_way)
        merging.merge(source_id=guests.id, customer_id=customer_id, now=now)

    fields = carts._scripts.all_of(Keys.of(own.id).cart)
    marks = {name for name in fields if name.startswith("merged:")}
    assert marks == {f"merged:{source.id}" for source in sources[2:]}
    # Who was asleep meanwhile adds nothing.
    assert [carts.apply_merge(source=source, now=now) for source in sources[2:]] == ["ok"] * 3
    for source in sources:
        assert merging.merge(source_id=source.id, customer_id=customer_id, now=now).id == own.id
    assert quantities(carts.read(cart_id=own.id, owner=customer_id, now=now)) == {"A": 6}


def test_two_guests_carts_go_into_one(carts, now):
    customer_id = uuid4()
    for _ in range(2):
        guests = guest_cart(now, add("A", 2))
        merged = merging.merge(source_id=guests.id, customer_id=customer_id, now=now)
    assert quantities(merged) == {"A": 4}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", ["begin_merge", "apply_merge", "finish_merge"])
@pytest.mark.parametrize("by", ["job", "customer"])
def test_a_merge_that_died_is_finished_once(carts, now, dies, step, after, by):
    customer_id = uuid4()
    own = cart_of(customer_id, now, add("A", 1))
    guests = guest_cart(now, add("A", 2))
    dies(step, after)
    with pytest.raises(Died):
        merging.merge(source_id=guests.id, customer_id=customer_id, now=now)

    if by == "job" and (step, after) != ("begin_merge", False):
        expected = 0 if (step, after) == ("finish_merge", True) else 1
        assert merging.finish_merges(now=now + timedelta(seconds=9)) == 0
        assert merging.finish_merges(now=now + timedelta(seconds=11)) == expected
        assert merging.finish_merges(now=now + timedelta(seconds=11)) == 0
    else:
        merging.merge(source_id=guests.id, customer_id=customer_id, now=now)

    assert quantities(carts.read(cart_id=own.id, owner=customer_id, now=now)) == {"A": 3}
    with pytest.raises(errors.CartNotFound):
        carts.read(cart_id=guests.id, owner=None, now=now)
    assert [e.status for e in events_of(guests.id)] == ["OPEN", "OPEN", "MERGED"]  # type: ignore[attr-defined]
    assert carts.merging_since(before=now + timedelta(days=1), at_most=9) == []


def test_a_merge_that_is_killed_at_any_command_is_finished_once(carts, now):
    customers = [uuid4() for _ in range(8)]
    own = [cart_of(customer_id, now, add("A", 1)) for customer_id in customers]
    guests = [guest_cart(now, add("A", 2), add("B", 1)) for _ in customers]
    pairs = [f"{who}:{cart.id}" for who, cart in zip(customers, guests, strict=True)]
    command = [sys.executable, "-m", "tests.support.merging_process", "merge", *pairs]
    told = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout
    # Look at the source, find the target and read it; then the three steps; read what came of it.
    assert told.split() == ["0", "1", "2", "3", "4", "5", "6", "done"]
    left = carts.merging_since(before=now + timedelta(days=1), at_most=9)
    assert set(left) == {guests[4].id, guests[5].id}

    assert merging.finish_merges(now=now + timedelta(seconds=11)) == 2
    merged = [carts.current(owner=customer_id, now=now) for customer_id in customers]
    assert [quantities(cart) for cart in merged] == [{"A": 1}] * 4 + [{"A": 3, "B": 1}] * 4

    for target, source in zip(own, guests, strict=True):
        owner = target.customer_id
        again = merging.merge(source_id=source.id, customer_id=owner, now=now)
        assert (again.id, quantities(again)) == (target.id, {"A": 3, "B": 1})
        assert len(events_of(target.id)) == 3
        assert [e.status for e in events_of(source.id)] == ["OPEN", "OPEN", "MERGED"]  # type: ignore[attr-defined]


def test_a_merge_that_cannot_be_carried_on_keeps_no_other_from_its_turn(carts, now, monkeypatch):
    monkeypatch.setattr(merging, "AT_ONCE", 1)
    customers = [uuid4(), uuid4()]
    own = [cart_of(customer_id, now, add("A")) for customer_id in customers]
    guests = [guest_cart(now, add("B")) for _ in customers]
    for number, (target, source) in enumerate(zip(own, guests, strict=True)):
        begun_at = now + timedelta(seconds=number)
        carts.begin_merge(source_id=source.id, into=target.id, by=target.customer_id, now=begun_at)
    broken = Keys.of(own[0].id).cart
    carts._scripts.client.hset(broken, "coupons", "no JSON")

    with capture_logs() as logs:
        found = [merging.finish_merges(now=now + timedelta(seconds=s)) for s in (20, 21, 22)]

    assert found == [1, 1, 0]
    told = [entry for entry in logs if entry["event"] == "merge_not_finished"]
    assert [entry["cart_id"] for entry in told] == [str(guests[0].id)]
    assert quantities(carts.current(owner=customers[1], now=now)) == {"A": 1, "B": 1}

    carts._scripts.client.hset(broken, "coupons", "")
    assert merging.finish_merges(now=now + timedelta(seconds=31)) == 1
    assert quantities(carts.current(owner=customers[0], now=now)) == {"A": 1, "B": 1}


def test_into_a_frozen_cart_nothing_goes_and_the_guests_is_as_before(carts, now):
    customer_id = uuid4()
    own = cart_of(customer_id, now, add("A", 1))
    guests = guest_cart(now, add("B", 2))
    begun = carts.begin_merge(source_id=guests.id, into=own.id, by=customer_id, now=now)
    order_id = uuid4()
    carts.freeze(cart_id=own.id, order_id=order_id, owner=customer_id, version=None, now=now)

    assert merging.finish_merges(now=now + timedelta(seconds=11)) == 1
    assert quantities(carts.read(cart_id=guests.id, owner=None, now=now)) == {"B": 2}

    # The request that had begun wakes up when the cart is open again: its time is over.
    checkout.reopen(cart_id=own.id, order_id=order_id, now=now)
    assert carts.apply_merge(source=begun, now=now) == "frozen"
    carts.finish_merge(source=begun, now=now)
    open_again = carts.read(cart_id=guests.id, owner=None, now=now)
    assert (open_again.status, open_again.lines) == (CartStatus.OPEN, guests.lines)
    merged = merging.merge(source_id=guests.id, customer_id=customer_id, now=now)
    assert quantities(merged) == {"A": 1, "B": 2}


def test_where_the_target_became_an_order_the_lines_go_into_a_new_cart(carts, now):
    customer_id = uuid4()
    own = cart_of(customer_id, now, add("A", 1))
    guests = guest_cart(now, add("B", 2))
    carts.begin_merge(source_id=guests.id, into=own.id, by=customer_id, now=now)
    order_id = uuid4()
    carts.freeze(cart_id=own.id, order_id=order_id, owner=customer_id, version=None, now=now)
    carts.close(cart_id=own.id, order_id=order_id, now=now)

    merged = merging.merge(source_id=guests.id, customer_id=customer_id, now=now)
    assert (merged.id != own.id, quantities(merged)) == (True, {"B": 2})


@pytest.mark.parametrize("end", ["checked out", "deleted"])
def test_who_comes_late_does_not_give_back_what_was_merged(carts, now, end):
    customer_id = uuid4()
    own, guests = cart_of(customer_id, now), guest_cart(now, add("B", 2))
    begun = carts.begin_merge(source_id=guests.id, into=own.id, by=customer_id, now=now)
    assert carts.apply_merge(source=begun, now=now) == "ok"
    if end == "deleted":
        carts.delete(cart_id=own.id, owner=customer_id, version=None, now=now)
    else:
        order_id = uuid4()
        carts.freeze(cart_id=own.id, order_id=order_id, owner=customer_id, version=None, now=now)
        carts.close(cart_id=own.id, order_id=order_id, now=now)
    assert merging.finish_merges(now=now + timedelta(minutes=1)) == 1
    with pytest.raises(errors.CartNotFound):
        carts.read(cart_id=guests.id, owner=None, now=now)


def test_while_it_is_being_merged_a_cart_is_neither_changed_nor_checked_out(carts, now):
    customer_id = uuid4()
    own, guests = cart_of(customer_id, now), guest_cart(now, add("B", 2))
    carts.begin_merge(source_id=guests.id, into=own.id, by=customer_id, now=now)
    assert carts.read(cart_id=guests.id, owner=None, now=now).status is CartStatus.FROZEN
    with pytest.raises(errors.CartFrozen):
        carts.change(cart_id=guests.id, owner=None, changes=[add("A")], now=now)
    with pytest.raises(errors.CartFrozen):
        carts.freeze(cart_id=guests.id, order_id=uuid4(), owner=None, version=None, now=now)
