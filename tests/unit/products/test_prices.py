"""Which of the entries of a price applies."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domains.products.rules.prices import (
    Entry,
    Tier,
    Verdict,
    changes_at,
    periods,
    price_at,
    snapshot_at,
    snapshot_of,
    superseded,
    verdicts,
)
from tests.support.price_entries import (
    amounts,
    day,
    entries_of_a_price,
    instants,
    regular,
    sale,
)


def test_a_window_is_half_open() -> None:
    entries = [regular(1000, 0, 10)]
    assert amounts(entries, 1, -0.001, 0, 9.999, 10) == [None, 1000, 1000, None]


def test_a_sale_goes_before_the_regular_price_and_gives_it_back() -> None:
    entries = [regular(1000, 0), sale(800, 5, 10)]
    assert amounts(entries, 1, 4, 5, 9, 10) == [1000, 800, 800, 1000]


def test_a_forgotten_sale_costs_nobody_more() -> None:
    entries = [regular(1000, 0), sale(800, 0), regular(700, 5, number=2)]
    applied = price_at(entries, 1, day(6))
    assert applied is not None
    assert (applied.amount_minor, applied.why, applied.regular_minor) == (700, "regular", None)


def test_a_later_price_goes_before_an_earlier_one_and_of_two_at_once_the_one_set_later() -> None:
    entries = [regular(1000, 0), regular(1100, 5, number=2), regular(1200, 5, 6, number=3)]
    assert amounts(entries, 1, 4, 5, 6) == [1000, 1200, 1100]


def test_a_cancelled_price_never_comes_or_ends_at_once() -> None:
    entries = [regular(1000, 0, ended=3), regular(900, 5, number=2, ended=2)]
    assert amounts(entries, 1, 2, 3, 6) == [1000, None, None]
    assert changes_at(entries, day(-1)) == day(0)
    assert changes_at(entries, day(0)) == day(3)
    assert changes_at(entries, day(3)) is None


def test_the_cheapest_tier_that_the_quantity_reaches_applies() -> None:
    entries = [
        regular(1000, 0),
        regular(900, 0, min_quantity=10, number=2),
        regular(950, 0, min_quantity=50, number=3),
        sale(850, 5, 6, number=4),
    ]
    assert [amounts(entries, quantity, 0)[0] for quantity in (1, 9, 10, 50)] == [
        1000, 1000, 900, 900,
    ]  # fmt: skip
    assert amounts(entries, 10, 5) == [850]
    assert snapshot_at(entries, day(0)).tiers == (Tier(10, 900),)
    assert snapshot_at(entries, day(5)).tiers == ()


def test_a_price_says_why_it_applies_and_every_other_why_not() -> None:
    entries = [
        regular(1000, 0, number=1, ended=1),
        regular(990, 1, number=2),
        regular(900, 0, min_quantity=10, number=3),
        sale(950, 2, 4, number=4),
        sale(700, 8, number=5),
        sale(500, 0, 1, number=6),
        sale(600, 9, number=7, ended=1),
        regular(800, 0, min_quantity=20, number=8, ended=2),
        sale(960, 1, number=9),
    ]
    assert [verdict for _, verdict in verdicts(entries, 1, day(3))] == [
        Verdict.SUPERSEDED,
        Verdict.NOT_THE_CHEAPEST,
        Verdict.QUANTITY_NOT_REACHED,
        Verdict.APPLIES,
        Verdict.NOT_YET,
        Verdict.OVER,
        Verdict.CANCELLED,
        Verdict.CANCELLED,
        Verdict.SUPERSEDED,
    ]
    applied = price_at(entries, 10, day(3))
    assert applied is not None
    assert (applied.why, applied.entry.number, applied.changes_at) == ("regular_tier", 3, day(4))


@given(entries_of_a_price, st.integers(1, 20), instants)
def test_what_applies_is_in_force_reached_and_no_rival_of_its_slot_is_later(
    entries: list[Entry], quantity: int, at: int
) -> None:
    applied = price_at(entries, quantity, day(at))
    in_force = [e for e in entries if e.in_force(day(at)) and e.min_quantity <= quantity]
    if applied is None:
        assert in_force == []
        return
    assert applied.entry in in_force
    assert all(e.rank <= applied.entry.rank for e in in_force if e.slot == applied.entry.slot)
    assert [v for _, v in verdicts(entries, quantity, day(at))].count(Verdict.APPLIES) == 1


@given(entries_of_a_price, instants)
def test_a_larger_quantity_never_costs_more_a_piece(entries: list[Entry], at: int) -> None:
    asked = [price_at(entries, quantity, day(at)) for quantity in range(1, 15)]
    priced = [applied.amount_minor for applied in asked if applied is not None]
    assert priced == sorted(priced, reverse=True)
    assert None not in asked[len(asked) - len(priced) :]


@given(entries_of_a_price, st.integers(1, 20), instants)
def test_the_snapshot_says_what_the_entries_say_until_it_changes(
    entries: list[Entry], quantity: int, at: int
) -> None:
    snapshot = snapshot_at(entries, day(at))
    end = day(at + 20) if snapshot.changes_at is None else snapshot.changes_at
    for instant in (day(at), day(at) + (end - day(at)) / 2, end - timedelta(microseconds=1)):
        applied = price_at(entries, quantity, instant)
        assert snapshot.unit_price_of(quantity) == (applied and applied.amount_minor)
        now = snapshot_at(entries, instant)
        assert (now.amount_minor, now.tiers, now.changes_at) == (
            snapshot.amount_minor,
            snapshot.tiers,
            snapshot.changes_at,
        )
        assert now.reduction == snapshot.reduction


@given(entries_of_a_price, instants)
def test_what_makes_way_for_good_changes_no_price_from_then_on(
    entries: list[Entry], at: int
) -> None:
    gone = {entry.number: when for entry, when in superseded(entries, day(at))}
    without = [
        Entry(
            e.number, e.kind, e.min_quantity, e.amount_minor, e.from_at, e.until_at,
            gone.get(e.number, e.ended_at),
        )
        for e in entries
    ]  # fmt: skip
    assert all(when <= day(at) for when in gone.values())
    if all(e.ended_at is None or e.ended_at <= day(at) for e in entries):
        for later in range(at, at + 100, 3):
            assert amounts(without, 12, later) == amounts(entries, 12, later)


@given(entries_of_a_price, instants, st.integers(0, 60))
def test_periods_cover_the_time_without_gaps_and_tell_the_price_of_each_instant(
    entries: list[Entry], start: int, lasts: int
) -> None:
    found = periods(entries, day(start), day(start + lasts))
    if not lasts:
        assert found == []
        return
    assert (found[0].from_at, found[-1].until_at) == (day(start), day(start + lasts))
    for one, two in pairwise(found):
        assert one.until_at == two.from_at
        assert (one.amount_minor, one.kind) != (two.amount_minor, two.kind)
    for period in found:
        assert period.until_at is not None
        middle = period.from_at + (period.until_at - period.from_at) / 2
        for instant in (period.from_at, middle):
            applied = price_at(entries, 1, instant)
            assert period.amount_minor == (applied and applied.amount_minor)


def test_columns_and_snapshot_say_the_same() -> None:
    entries = [regular(1000, -100), regular(900, 0, min_quantity=5, number=2), sale(950, 0)]
    snapshot = snapshot_at(entries, day(1))
    assert snapshot.reduction is not None
    assert snapshot == snapshot_of(
        amount_minor=950,
        tiers=[5, 900],
        regular_minor=1000,
        lowest_30d_minor=1000,
        reduced_since=day(0),
        changes_at=None,
    )
