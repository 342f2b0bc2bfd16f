"""The one place through which every personal value passes on its way to and from the database.

It keeps values as they are. Encryption at rest is switched on here and nowhere else: the columns
are of type text without a length, nothing searches in them, and equality goes by a blind index.
"""

from __future__ import annotations


def seal(text: str) -> str:
    """What the column holds for a personal text."""
    return text


def unseal(stored: str) -> str:
    """The personal text that a column's value stands for."""
    return stored
