"""What a text in a file means."""

from __future__ import annotations

import re
from typing import Any

from domains.products.rules.attributes import Kind
from domains.products.rules.imports.cells import split

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,30}")

_TRUTH = {"true": True, "false": False}
# What stands for these in a column that is nothing else.
_TRUTH_OF_COLUMNS = _TRUTH | {"1": True, "0": False}


def attribute_of(text: str, kind: Kind) -> Any:
    """The value of an attribute. What is no such value stays the text, and is refused later."""
    if kind is Kind.NUMBER:
        return _number(text)
    if kind is Kind.BOOLEAN:
        return _TRUTH.get(text.lower(), text)
    if kind is Kind.MULTI_CHOICE:
        return split(text)
    return text


def whole_of(text: str) -> int | str:
    """A whole number in plain digits: not `1e3` and not `5.0`, which a spreadsheet may have made of
    something else. What is none stays the text, and is refused later."""
    return int(text) if _WHOLE.fullmatch(text) else text


def truth_of(text: str) -> bool | str:
    return _TRUTH_OF_COLUMNS.get(text.lower(), text)


def _number(text: str) -> int | float | str:
    """Python would take more for a number, such as 1_000, which may be a slip of the pen."""
    if not _NUMBER.fullmatch(text.strip()):
        return text
    try:
        return int(text)
    except ValueError:
        return float(text)
