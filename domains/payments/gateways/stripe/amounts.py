"""Amounts as Stripe counts them, which is not ISO 4217 for every currency.

Source: docs.stripe.com/currencies, "Minor units in API amounts" and "Special cases".
"""

from __future__ import annotations

from infrastructure.money import minor_digits

# Whole units only, whatever ISO 4217 says (it gives MGA two decimals).
_WHOLE = frozenset(
    "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split()  # noqa: SIM905
)
# Whole units in ISO 4217, and still told in hundredths, for old clients.
_HUNDREDTHS_OF_WHOLE = frozenset({"ISK", "UGX"})
# In thousandths, the last of which must be 0.
_THOUSANDTHS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


class NotRepresentable(Exception):
    """Stripe has no number for this amount."""


def to_stripe(amount_minor: int, currency: str) -> int:
    """Stripe's number for an amount in ISO 4217's minor units. Raises NotRepresentable."""
    shift = _digits(currency) - minor_digits(currency)
    if shift >= 0:
        amount, rest = amount_minor * 10**shift, 0
    else:
        amount, rest = divmod(amount_minor, 10**-shift)
    if rest or (currency in _THOUSANDTHS and amount % 10):
        raise NotRepresentable(f"{amount_minor} minor units of {currency}")
    return amount


def from_stripe(amount: int, currency: str) -> int:
    """ISO 4217's minor units of what Stripe says."""
    shift = _digits(currency) - minor_digits(currency)
    return amount // 10**shift if shift >= 0 else amount * 10**-shift


def _digits(currency: str) -> int:
    if currency in _WHOLE:
        return 0
    return 2 if currency in _HUNDREDTHS_OF_WHOLE else minor_digits(currency)
