"""Tax of an amount: which rate holds, and how much of it is tax."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from domains.pricing.rules.terms import STANDARD_TAX_CLASS
from infrastructure.money import rounded

Percents = Mapping[tuple[str, str, str], Decimal]

NO_TAX = Decimal(0)


def percent_for(percents: Percents, *, country: str | None, region: str, tax_class: str) -> Decimal:
    """The rate of a tax class where the goods go to.

    A region's goes before its country's. A class that has no rate there has the standard one's,
    since what nobody thought of is taxed rather than not; a country without any rate has no tax.
    """
    if country is None:
        return NO_TAX
    region = region.strip().upper()
    for name in (tax_class, STANDARD_TAX_CLASS):
        for place in (region, "") if region else ("",):
            found = percents.get((country, place, name))
            if found is not None:
                return found
    return NO_TAX


def tax_of(amount_minor: int, percent: Decimal, *, included: bool) -> int:
    """The tax in an amount, or on top of it; rounded once, for each line of its own."""
    if not percent:
        return 0
    rate = Fraction(percent)
    return rounded(amount_minor * rate / (100 + rate if included else 100))


def rate_text(percent: Decimal) -> str:
    """`20`, `5.5`: without zeros behind."""
    text = format(percent, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
