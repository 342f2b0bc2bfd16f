"""The parts of URLs that stand for names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

MAX_SLUG_LENGTH = 200
MAX_SLUG_NUMBER = 50

_NO_LETTER = re.compile(r"[^\w]+|_+")
_LATIN_ACCENTS = re.compile(r"([a-z])[\u0300-\u036f]+")


def slug_of(name: str) -> str:
    """The part of a URL that stands for a name: lower case, letters of any script; Latin ones
    without accents.

    `"Glühwein Cup, red"` → `"gluhwein-cup-red"`. Room is left for a number behind it.
    """
    decomposed = unicodedata.normalize("NFKD", name).lower()
    letters = _LATIN_ACCENTS.sub(r"\1", decomposed)
    words = _NO_LETTER.sub("-", unicodedata.normalize("NFC", letters))
    return words.strip("-")[: MAX_SLUG_LENGTH - 12].strip("-") or "item"


def numbered_slugs(base: str) -> list[str]:
    """The slugs that a name may take when its own is taken: `base-2`, `base-3`, …"""
    return [f"{base}-{number}" for number in range(2, MAX_SLUG_NUMBER + 1)]


def free_slug(base: str, taken: Collection[str], *, otherwise: str) -> str:
    """`base`, or the first of its numbers that nobody has, or `base-<otherwise>`."""
    for slug in (base, *numbered_slugs(base)):
        if slug not in taken:
            return slug
    return f"{base}-{otherwise}"
