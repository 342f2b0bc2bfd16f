"""What is searched, and what for."""

from __future__ import annotations

import re
from collections.abc import Collection

MAX_SEARCH_WORDS = 8

_WORD = re.compile(r"\w+")


def search_words(text: str) -> str:
    """What somebody typed as a tsquery: every word must occur, each may be the start of one.

    Empty where the text has no word in it.
    """
    words = _WORD.findall(text)[:MAX_SEARCH_WORDS]
    return " & ".join(f"'{word}':*" for word in words)


def search_text(*, name: str, skus: Collection[str], description: str) -> str:
    """What the full-text index of a product reads."""
    return "\n".join((name, " ".join(skus), description))
