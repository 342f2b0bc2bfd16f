"""A value as one cell of CSV, and back.

An empty cell says nothing about its column; `CLEAR` empties it. A spreadsheet takes a cell that
begins with one of `= + - @` for a formula and runs it (OWASP, CSV injection), so such a text gets
an apostrophe in front, which spreadsheets do not show and which reading takes away again.
"""

from __future__ import annotations

CLEAR = "\\N"

# What may follow an apostrophe that is to be taken away; the apostrophe itself is one of them, so
# that every text has one way to be written. The backslash guards texts that look like CLEAR.
_FIRST = "=+-@\t\r\\"
_GUARDED = _FIRST + "'"

_SEPARATOR = "|"


def cell_of(text: str) -> str:
    """A text as it is written: `=1+1` becomes `'=1+1`."""
    is_guarded = text[:1] == "'" and text[1:2] and text[1] in _GUARDED
    return "'" + text if text and (text[0] in _FIRST or is_guarded) else text


def text_of(cell: str) -> str:
    """The text that a cell means: what `cell_of` did is undone, anything else stays."""
    if cell[:1] == "'" and cell[1:2] and cell[1] in _GUARDED:
        return cell[1:]
    return cell


def joined(items: list[str]) -> str:
    """Several texts in one: with a bar between them, and a backslash before a bar or backslash of
    their own."""
    return _SEPARATOR.join(
        item.replace("\\", "\\\\").replace(_SEPARATOR, "\\" + _SEPARATOR) for item in items
    )


def split(text: str) -> list[str]:
    """What `joined` joined."""
    if "\\" not in text:
        return text.split(_SEPARATOR)
    items, item, position = [], "", 0
    while position < len(text):
        if text[position] == "\\" and position + 1 < len(text):
            position += 1
            item += text[position]
        elif text[position] == _SEPARATOR:
            items.append(item)
            item = ""
        else:
            item += text[position]
        position += 1
    return [*items, item]
