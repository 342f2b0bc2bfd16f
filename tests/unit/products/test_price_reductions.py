"""Which reduction is told of: the lowest price of the 30 days before it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import example, given

from domains.products.rules.prices import (
    Entry,
    Kind,
    periods,
    price_at,
    reduction_at,
)
from tests.support.price_entries import day, entries_of_a_price, instants, regular, sale


def told(entries: Sequence[Entry], at: float) -> tuple[int | None, int | None]:
    """(regular, lowest of 30 days before) as a buyer is told them."""
    applied = price_at(entries, 1, day(at))
    assert applied is not None
    return applied.regular_minor, applied.lowest_30d_minor


def test_a_reduction_tells_the_regular_price_and_the_lowest_of_the_30_days_before_it() -> None:
    entries = [regular(1000, -100), sale(800, 0, 10)]
    assert told(entries, -1) == (None, None)
    assert told(entries, 0) == (1000, 1000)
    assert told(entries, 10) == (None, None)


def test_an_earlier_sale_within_the_30_days_is_the_lowest_price() -> None:
    entries = [regular(1000, -100), sale(700, -20, -15, number=2), sale(800, 0, 10, number=3)]
    assert told(entries, 0) == (1000, 700)


@pytest.mark.parametrize(
    ("ended", "lowest"),
    [(-30.001, 1000), (-30, 1000), (-29.999, 700)],
    ids=["before", "as they began", "within"],
)
def test_the_30_days_begin_where_the_earlier_sale_had_ended(ended: float, lowest: int) -> None:
    entries = [regular(1000, -100), sale(700, -50, ended, number=2), sale(800, 0, number=3)]
    assert told(entries, 5) == (1000, lowest)


def test_the_price_that_was_asked_when_the_30_days_began_counts() -> None:
    entries = [regular(900, -100, ended=-29), regular(1000, -29, number=2), sale(800, 0, number=3)]
    assert told(entries, 5) == (1000, 900)


def test_a_long_sale_goes_on_telling_the_price_before_it_began() -> None:
    entries = [regular(1000, -100), sale(800, 0)]
    assert told(entries, 400) == (1000, 1000)


def test_a_reduction_that_grows_step_by_step_is_one() -> None:
    entries = [
        regular(1000, -100),
        sale(900, 0, 10, number=2),
        sale(800, 10, 20, number=3),
        sale(700, 20, 30, number=4),
    ]
    assert [told(entries, at) for at in (0, 10, 25)] == [(1000, 1000)] * 3
    reduction = reduction_at(entries, day(25))
    assert reduction is not None
    assert reduction.since == day(0)


def test_when_the_price_rises_within_a_sale_a_new_reduction_begins() -> None:
    entries = [regular(1000, -100), sale(900, 0), sale(700, 10, 20, number=3)]
    assert told(entries, 15) == (1000, 1000)
    assert told(entries, 20) == (1000, 700)


def test_an_interrupted_sale_begins_anew() -> None:
    entries = [regular(1000, -100), sale(700, -10, -5, number=2), sale(700, 0, number=3)]
    assert told(entries, 1) == (1000, 700)


def test_the_reduction_is_one_while_the_regular_price_changes_behind_it() -> None:
    entries = [regular(1000, -100, ended=5), regular(1200, 5, number=2), sale(800, 0, number=3)]
    assert told(entries, 6) == (1200, 1000)


def test_times_without_a_price_do_not_count() -> None:
    entries = [
        regular(1000, -100, -20),
        regular(1100, -10, number=2),
        sale(900, 0, number=3),
    ]
    assert told(entries, 1) == (1100, 1000)
    assert told(entries[1:], 1) == (1100, 1100)


def test_a_price_younger_than_30_days_counts_for_as_long_as_it_was_asked() -> None:
    entries = [regular(1000, -3), sale(800, 0)]
    assert told(entries, 1) == (1000, 1000)


def test_what_was_never_sold_at_another_price_is_not_reduced() -> None:
    entries = [regular(1000, 0), sale(800, 0)]
    assert told(entries, 0) == (None, None)
    assert told(entries, 90) == (None, None)


def test_a_sale_without_a_regular_price_is_not_a_reduction() -> None:
    assert told([sale(800, 0), regular(900, -50, -1, number=2)], 1) == (None, None)


def test_tiers_are_no_prior_price_of_one_piece() -> None:
    entries = [
        regular(1000, -100),
        regular(500, -100, min_quantity=10, number=2),
        sale(800, 0, number=3),
    ]
    assert told(entries, 1) == (1000, 1000)


@given(entries_of_a_price, instants)
@example([regular(10, -60), sale(5, -31, -30, number=2), sale(7, 0, number=3)], 0)
def test_the_lowest_price_is_the_lowest_that_was_asked_on_any_moment_of_the_30_days(
    entries: list[Entry], at: int
) -> None:
    """Against a plain reading of the law: every hour of the 30 days is asked for its price."""
    reduction = reduction_at(entries, day(at))
    if reduction is None:
        return
    assert reduction.since <= day(at)
    hours = (reduction.since - timedelta(hours=hour) for hour in range(1, 30 * 24 + 1))
    asked = [price_at(entries, 1, hour) for hour in hours]
    assert reduction.lowest_30d_minor == min(
        (applied.amount_minor for applied in asked if applied is not None), default=None
    )


@given(entries_of_a_price, instants)
def test_within_a_reduction_the_price_is_always_a_sale_and_never_rises(
    entries: list[Entry], at: int
) -> None:
    reduction = reduction_at(entries, day(at))
    if reduction is None:
        return
    steps = periods(entries, reduction.since, day(at) + timedelta(microseconds=1))
    asked = [step.amount_minor for step in steps]
    assert {step.kind for step in steps} == {Kind.SALE}
    assert None not in asked
    assert asked == sorted(asked, reverse=True)  # type: ignore[type-var]
