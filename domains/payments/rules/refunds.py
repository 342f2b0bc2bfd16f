"""Which refunds take a second person."""

from __future__ import annotations

from collections.abc import Mapping

from infrastructure.money import minor_digits

# Units of a currency above which a refund takes a second person, unless a setting says otherwise.
APPROVAL_ABOVE_UNITS = 500


def needs_second_person(amount_minor: int, currency: str, limits: Mapping[str, int]) -> bool:
    """Whether so much is given back only if another person agrees. limits: by currency, in minor
    units."""
    units: int = 10 ** minor_digits(currency)
    return amount_minor > limits.get(currency, APPROVAL_ABOVE_UNITS * units)
