"""Coupon codes: how they are compared, and how many of them are made by chance."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

# Without what is easily taken for something else: 0 and O, 1 and I and L.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
# 31^10 is more than 8 * 10^14: of a million codes one in 800 million guesses hits one.
RANDOM_LENGTH = 10
MAX_LENGTH = 40
MAX_PREFIX_LENGTH = MAX_LENGTH - RANDOM_LENGTH
# As the table has them: capital letters and digits, with - and _ in between.
CODE = r"^[A-Z0-9][A-Z0-9_-]{0,39}$(?!\s)"

_CODE = re.compile(CODE, re.ASCII)


def plain_code(text: str) -> str:
    """As it is kept: people type codes in small letters, with a space behind."""
    return text.strip().upper()


def distinct_coupons(codes: Iterable[str]) -> list[str]:
    """Each coupon once, as it was entered first: in another spelling it is the same."""
    first: dict[str, str] = {}
    for code in codes:
        first.setdefault(plain_code(code), code)
    return list(first.values())


def is_code(text: str) -> bool:
    return _CODE.fullmatch(text) is not None


def random_code(prefix: str) -> str:
    """Hard to guess: the bearer of a code may use it."""
    return prefix + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
