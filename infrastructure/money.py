"""Money: an integer of the currency's minor unit, and the currency.

The one rounding rule. Amounts are integers, so rounding happens only where something is computed
from them: a percentage, a tax, a share. Then it is half away from zero, `rounded`: 0.5 becomes 1
and -0.5 becomes -1. That is what people and invoices expect (commercial rounding, DIN 1333), and a
refund comes to exactly what was charged. It is done once, at the end of a calculation in exact
fractions; never with floats. What is divided among several is divided by `allocate`, which loses
and invents nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Self

import iso4217

_AMOUNT = re.compile(r"(-?)(\d{1,16})(?:\.(\d+))?", re.ASCII)

# The largest amount that anything may cost. A bigint holds thousands of them.
MAX_AMOUNT_MINOR = 10**15


class InvalidMoney(ValueError):
    """The text is no amount of that currency. `code` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@cache
def minor_digits(currency: str) -> int:
    """How many decimals ISO 4217 gives a currency: 2 for EUR, 0 for JPY, 3 for KWD.

    Raises InvalidMoney for anything that is no current currency.
    """
    try:
        exponent = iso4217.Currency(currency).exponent
    except ValueError:
        exponent = None
    if exponent is None:
        raise InvalidMoney("unknown_currency", f"{currency!r} is not a currency of ISO 4217.")
    return int(exponent)


def rounded(amount: Fraction | Decimal | int) -> int:
    """The nearest integer; what lies halfway goes away from zero."""
    exact = Fraction(amount)
    whole = (2 * abs(exact.numerator) + exact.denominator) // (2 * exact.denominator)
    return -whole if exact < 0 else whole


def percent_of(amount_minor: int, percent: Fraction | Decimal | int) -> int:
    """`percent_of(1999, 20)` is 400: so many hundredths of an amount, rounded."""
    return rounded(amount_minor * Fraction(percent) / 100)


def changed_by_percent(amount_minor: int, percent: Fraction | Decimal | int) -> int:
    """`changed_by_percent(1005, -50)` is 503. What is rounded is the new amount, not the change:
    half of a unit goes up either way."""
    return percent_of(amount_minor, 100 + Fraction(percent))


def allocate(amount_minor: int, weights: Sequence[int]) -> list[int]:
    """Divide an amount in proportion to weights, so that the parts add up to it exactly.

    Each part is its exact share rounded toward zero, and the units left over go to those that lost
    most by that, the first of equals first (the method of largest remainders). So no part is a
    whole unit away from its share, and equal weights differ by one unit at most.
    Weights are not negative and not all zero.
    """
    total = sum(weights)
    if total <= 0 or min(weights) < 0:
        raise ValueError("Weights are not negative, and one of them is positive.")
    sign, amount = (-1, -amount_minor) if amount_minor < 0 else (1, amount_minor)
    parts = [amount * weight // total for weight in weights]
    left = amount - sum(parts)
    by_loss = sorted(range(len(weights)), key=lambda i: (-(amount * weights[i] % total), i))
    for position in by_loss[:left]:
        parts[position] += 1
    return [sign * part for part in parts]


@dataclass(frozen=True, slots=True, order=False)
class Money:
    amount_minor: int
    currency: str

    @classmethod
    def parse(cls, amount: str, currency: str) -> Self:
        """`Money.parse("12.30", "EUR")`. More decimals than the currency has are refused, never
        rounded. Raises InvalidMoney."""
        digits = minor_digits(currency)
        match = _AMOUNT.fullmatch(amount)
        if match is None:
            raise InvalidMoney("invalid_amount", f"{amount!r} is not a decimal amount.")
        sign, whole, fraction = match.group(1), match.group(2), match.group(3) or ""
        if len(fraction) > digits:
            raise InvalidMoney(
                "too_many_decimals", f"{currency} has {digits} decimals, {amount!r} has more."
            )
        minor = int(whole + fraction.ljust(digits, "0"))
        if minor > MAX_AMOUNT_MINOR:
            raise InvalidMoney("amount_too_large", f"{amount!r} is more than is accepted.")
        return cls(-minor if sign else minor, currency)

    @property
    def amount_text(self) -> str:
        """The amount as decimal text with the currency's decimals: `12.30`."""
        digits = minor_digits(self.currency)
        sign = "-" if self.amount_minor < 0 else ""
        text = str(abs(self.amount_minor)).rjust(digits + 1, "0")
        return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"

    def __add__(self, other: Money) -> Money:
        return Money(self.amount_minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount_minor - self._same(other), self.currency)

    def __mul__(self, quantity: int) -> Money:
        return Money(self.amount_minor * quantity, self.currency)

    def __str__(self) -> str:
        return f"{self.amount_text} {self.currency}"

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} cannot be added.")
        return other.amount_minor
