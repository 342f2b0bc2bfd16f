"""Money is an integer of minor units with ISO 4217's decimals, and nothing is ever rounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.money import MAX_AMOUNT_MINOR, InvalidMoney, Money, minor_digits

currencies = st.sampled_from(["GBP", "JPY", "KWD", "EUR"])
amounts = st.integers(-MAX_AMOUNT_MINOR, MAX_AMOUNT_MINOR)


@pytest.mark.parametrize(("currency", "digits"), [("EUR", 2), ("JPY", 0), ("KWD", 3)])
def test_a_currency_has_the_decimals_of_iso_4217(currency: str, digits: int) -> None:
    assert minor_digits(currency) == digits


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("12.30", "EUR", 1230), ("12.3", "EUR", 1230), ("12", "JPY", 12), ("-0.001", "KWD", -1)],
)
def test_text_becomes_minor_units(amount: str, currency: str, minor: int) -> None:
    assert Money.parse(amount, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        ("1.234", "EUR", "too_many_decimals"),
        ("1.0", "JPY", "too_many_decimals"),
        ("1,00", "EUR", "invalid_amount"),
        ("1e3", "EUR", "invalid_amount"),
        ("", "EUR", "invalid_amount"),
        ("١", "EUR", "invalid_amount"),
        ("1.00", "ABC", "unknown_currency"),
        ("1.00", "XAU", "unknown_currency"),
        ("99999999999999", "EUR", "amount_too_large"),
    ],
)
def test_what_is_no_amount_is_refused_with_a_code(amount: str, currency: str, code: str) -> None:
    with pytest.raises(InvalidMoney) as refused:
        Money.parse(amount, currency)
    assert refused.value.code == code


@given(amounts, currencies)
def test_every_amount_survives_being_written_and_read(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert Money.parse(money.amount_text, currency) == money


@given(amounts, amounts, st.integers(0, 1000))
def test_sums_and_multiples_are_exact(one: int, other: int, quantity: int) -> None:
    assert (Money(one, "EUR") + Money(other, "EUR")).amount_minor == one + other
    assert (Money(one, "EUR") - Money(other, "EUR")).amount_minor == one - other
    assert (Money(one, "EUR") * quantity).amount_minor == one * quantity


def test_currencies_do_not_mix() -> None:
    with pytest.raises(ValueError, match="cannot be added"):
        Money(1, "EUR") + Money(1, "GBP")
