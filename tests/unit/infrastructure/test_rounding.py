"""The one rounding rule, and dividing without loss."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.money import MAX_AMOUNT_MINOR, allocate, changed_by_percent, percent_of, rounded

amounts = st.integers(-MAX_AMOUNT_MINOR, MAX_AMOUNT_MINOR)
weights = st.lists(st.integers(0, 10**9), min_size=1, max_size=20).filter(any)


@pytest.mark.parametrize(
    ("exact", "integer"),
    [("0.4", 0), ("0.5", 1), ("1.5", 2), ("2.5", 3), ("-0.5", -1), ("-2.5", -3), ("-2.4", -2)],
)
def test_halves_go_away_from_zero(exact: str, integer: int) -> None:
    assert rounded(Decimal(exact)) == rounded(Fraction(exact)) == integer


@given(st.fractions())
def test_rounding_is_to_the_nearest_and_the_same_on_both_sides_of_zero(exact: Fraction) -> None:
    assert abs(rounded(exact) - exact) <= Fraction(1, 2)
    assert rounded(-exact) == -rounded(exact)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15))
def test_rounding_is_that_of_commerce(exact: Decimal) -> None:
    assert rounded(exact) == int(exact.quantize(Decimal(1), ROUND_HALF_UP))


@given(st.integers())
def test_integers_are_left_alone(amount: int) -> None:
    assert rounded(amount) == amount


@pytest.mark.parametrize(
    ("amount", "percent", "part"),
    [
        (1999, 20, 400),
        (250, Decimal("-10"), -25),
        (5, 10, 1),
        (-5, 10, -1),
        (1, Decimal("49.9"), 0),
    ],
)
def test_a_percentage_is_rounded_once(amount: int, percent: Decimal | int, part: int) -> None:
    assert percent_of(amount, percent) == part


@pytest.mark.parametrize(
    ("amount", "percent", "changed"),
    [(1005, -50, 503), (999, -50, 500), (1, -50, 1), (1005, 50, 1508), (1, -100, 0)],
)
def test_an_amount_changed_by_percent_rounds_what_comes_out(
    amount: int, percent: int, changed: int
) -> None:
    assert changed_by_percent(amount, percent) == changed


@given(amounts, st.decimals(-100, 1000, places=2))
def test_a_change_by_percent_is_that_of_commerce(amount: int, percent: Decimal) -> None:
    exact = Decimal(amount) * (100 + percent) / 100
    assert changed_by_percent(amount, percent) == int(exact.quantize(Decimal(1), ROUND_HALF_UP))


@given(amounts, weights)
def test_the_parts_add_up_and_none_is_a_unit_away_from_its_share(
    amount: int, weights: list[int]
) -> None:
    parts = allocate(amount, weights)
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(amount * weight, sum(weights))) < 1


@given(amounts, weights)
def test_what_is_given_back_is_what_was_charged(amount: int, weights: list[int]) -> None:
    assert allocate(-amount, weights) == [-part for part in allocate(amount, weights)]


@given(amounts, st.integers(1, 20))
def test_equal_weights_differ_by_one_at_most(amount: int, number: int) -> None:
    parts = allocate(amount, [1] * number)
    assert max(parts) - min(parts) <= 1


@pytest.mark.parametrize(
    ("amount", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (-100, [1, 1, 1], [-34, -33, -33]),
        (5, [3, 1], [4, 1]),
        (1, [0, 1], [0, 1]),
        (0, [1, 2], [0, 0]),
    ],
)
def test_what_is_left_goes_to_who_lost_most(
    amount: int, weights: list[int], parts: list[int]
) -> None:
    assert allocate(amount, weights) == parts


@pytest.mark.parametrize("weights", [[], [0], [0, 0], [2, -1]])
def test_there_must_be_somebody_to_give_to(weights: list[int]) -> None:
    with pytest.raises(ValueError):
        allocate(1, weights)
