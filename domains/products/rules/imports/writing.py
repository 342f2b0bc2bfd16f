"""Rows as CSV or JSON Lines: what is read again without a change."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from domains.products.rules.imports.cells import cell_of, joined

_encoder = msgspec.json.Encoder()


def json_line(value: Mapping[str, Any]) -> bytes:
    """One thing as a line of JSON, without what is empty."""
    return _encoder.encode(_without_empty(value)) + b"\n"


def _without_empty(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {n: _without_empty(v) for n, v in value.items() if v is not None and v not in _EMPTY}
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    return value


_EMPTY: tuple[Any, ...] = ("", [], {})


class CsvWriter:
    """Lines of CSV under a header (RFC 4180: CRLF, quoted where needed)."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._text = io.StringIO()
        self._writer = csv.writer(self._text, lineterminator="\r\n")

    def header(self) -> bytes:
        self._writer.writerow(self._names)
        return self._taken()

    def lines(self, rows: Iterable[Mapping[str, Any]]) -> bytes:
        """Rows by the name of their columns. A value is a text, a number, a truth value, a list of
        texts, or None for an empty cell."""
        for row in rows:
            self._writer.writerow([cell_of(_text(row.get(name))) for name in self._names])
        return self._taken()

    def _taken(self) -> bytes:
        written = self._text.getvalue().encode()
        self._text.seek(0)
        self._text.truncate()
        return written


def _text(value: Any) -> str:
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, list):
        return joined([str(item) for item in value])
    return str(value)
