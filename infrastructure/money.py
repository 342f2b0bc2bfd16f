"""Money: an integer of the currency's minor unit, and the currency."""

from __future__ import annotations

import re
from dataclasses import dataclass
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
