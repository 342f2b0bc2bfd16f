"""Ranks: texts that order siblings, with room for another one between any two.

A rank is a whole number of five digits of base 62 and, where two neighbours leave no whole number
between them, a fraction behind it. Adding at either end counts on, so ranks stay short; each
insertion into one and the same gap costs about a sixth of a digit. Digits are in the order of
their ASCII codes: ranks are compared byte by byte (`COLLATE "C"`).
"""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase, digits

_DIGITS = digits + ascii_uppercase + ascii_lowercase
_BASE = len(_DIGITS)
_VALUE = {digit: value for value, digit in enumerate(_DIGITS)}
_WHOLE = 5
_END = _BASE**_WHOLE

FIRST = "V0000"
"""The rank of an only child, in the middle of all there are."""


def rank_between(before: str | None, after: str | None) -> str:
    """A rank behind `before` and ahead of `after`; None for an end of the row.

    Raises ValueError where `before` does not come before `after`.
    """
    if before is not None and after is not None and before >= after:
        raise ValueError(f"{before!r} does not come before {after!r}.")
    if before is None and after is None:
        return FIRST
    low, low_fraction = _parts(before) if before is not None else (0, "")
    high, high_fraction = _parts(after) if after is not None else (_END, "")
    if before is None and high > 1:
        return _text(high - 1)
    if after is None and low + 1 < _END:
        return _text(low + 1)
    middle = (low + high) // 2
    if low < middle:
        return _text(middle)
    if low < high and high_fraction:
        return _text(high)
    return _text(low) + _fraction_between(low_fraction, high_fraction if low == high else None)


def rank_of(position: str) -> str:
    """The rank that a text means: a rank itself, or a number up to 9999, by which people order.

    Raises ValueError where it leaves no room ahead of it or has other letters.
    """
    if position.isascii() and position.isdigit() and len(position) < _WHOLE:
        position = _text(int(position))
    letters = set(position)
    if len(position) < _WHOLE or not letters <= _VALUE.keys():
        raise ValueError(f"{position!r} is no rank.")
    if position[_WHOLE:].endswith("0") or letters == {"0"}:
        raise ValueError(f"Nothing could be put ahead of {position!r}.")
    return position


def _fraction_between(low: str, high: str | None) -> str:
    """Digits behind the point, strictly between; never with a 0 at the end, which would leave no
    room ahead of it. `high` None: 1."""
    shared = 0
    while high is not None and (low[shared] if shared < len(low) else "0") == high[shared]:
        shared += 1
    if high is not None and shared:
        return high[:shared] + _fraction_between(low[shared:], high[shared:])
    lowest = _VALUE[low[0]] if low else 0
    highest = _BASE if high is None else _VALUE[high[0]]
    if highest - lowest > 1:
        return _DIGITS[(lowest + highest) // 2]
    if high is not None and len(high) > 1:
        return high[0]
    return _DIGITS[lowest] + _fraction_between(low[1:], None)


def _parts(rank: str) -> tuple[int, str]:
    """The whole number and the fraction of a rank."""
    value = 0
    for digit in rank[:_WHOLE]:
        value = value * _BASE + _VALUE[digit]
    return value, rank[_WHOLE:]


def _text(value: int) -> str:
    text = ""
    for _ in range(_WHOLE):
        value, digit = divmod(value, _BASE)
        text = _DIGITS[digit] + text
    return text
