"""A stream of bytes as rows, one after the other, each right or with its faults.

CSV is RFC 4180 in UTF-8, with or without a byte order mark; cells are separated by a comma, a
semicolon or a tab, which the header shows. JSON Lines has one JSON object a line.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from uuid import UUID

import msgspec

from domains.products.errors import InvalidHeader
from domains.products.rules.imports.columns import EXPECTED, PARTS, Header
from domains.products.rules.imports.rows import MAX_VARIANTS, ROWS
from infrastructure.errors import FieldError
from infrastructure.http.decoding import InvalidBody, InvalidJson, decode_body, decode_value

FORMATS = {"csv": "text/csv", "jsonl": "application/x-ndjson"}
"""Name of a format -> its media type."""

# A cell, and a line of a file. What is longer is a fault of its row, and costs no more memory.
MAX_CELL = 1024 * 1024
MAX_LINE = 4 * 1024 * 1024

# Rows that make one thing, such as the variants of a product.
MAX_ROWS_TOGETHER = MAX_VARIANTS

_DELIMITERS = ",;\t"
_TOO_LONG = "\x00"
# The key of a record that cannot be read: it does not part the rows around it.
_WITH_ANY = ""

csv.field_size_limit(MAX_CELL)


Outcome = Literal["created", "changed", "unchanged", "failed"]


class Stream(Protocol):
    def readline(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with a row. row: its number as a spreadsheet shows it, the header being 1; in
    JSON Lines that of the line. pointer: the column, or the JSON pointer into the line."""

    row: int
    code: str
    detail: str
    pointer: str = ""


@dataclass(slots=True)
class Item:
    """One thing that a file speaks of: its rows, put together, or the faults in their stead.

    end: how many records of the file are read with it. rows: the number of the row of each part,
    or of the item where there are no parts. is_text: whether attributes are still texts, whose
    meaning the product's type has to say. outcome: what became of it.
    """

    end: int
    rows: list[int]
    value: Any = None
    faults: list[RowFault] = field(default_factory=list)
    is_text: bool = False
    header: Header | None = None
    outcome: Outcome | None = None
    id: UUID | None = None

    def fault(self, code: str, detail: str, pointer: str = "", *, row: int | None = None) -> None:
        """Refuse it, or one of its rows. pointer: a JSON pointer into the row."""
        if self.header is not None:
            pointer = self.header.column_at(pointer)
        self.faults.append(RowFault(row or self.rows[0], code, detail, pointer))

    def row_at(self, pointer: str) -> tuple[int, str]:
        """The row that a pointer into the whole leads to, and the pointer into that row."""
        part = PARTS.get(self.header.kind) if self.header else None
        steps = pointer.split("/")
        if part and len(steps) > 2 and steps[1] == part and steps[2].isdigit():
            row = self.rows[min(int(steps[2]), len(self.rows) - 1)]
            return row, "/".join(["", part, "0", *steps[3:]])
        return self.rows[0], pointer


def check(stream: Stream, kind: str, file_format: str) -> None:
    """Look whether a file can be read at all. Raises InvalidHeader."""
    if file_format == "csv":
        _open_csv(stream, kind)


def items(stream: Stream, kind: str, file_format: str) -> Iterator[Item]:
    """What the file speaks of. Raises InvalidHeader."""
    if file_format == "csv":
        return _csv_items(stream, kind)
    return _json_items(stream, kind)


def count(stream: Stream, file_format: str) -> int:
    """How many records there are, the header left out."""
    lines = _lines(stream)
    if file_format != "csv":
        return sum(1 for _ in lines)
    next(lines, "")
    return sum(1 for _ in _records(csv.reader(lines)))


def _json_items(stream: Stream, kind: str) -> Iterator[Item]:
    for number, line in enumerate(_lines(stream), start=1):
        if not line.strip():
            continue
        item = Item(end=number, rows=[number])
        if _is_readable(line, item):
            try:
                item.value = decode_body(line.encode(), ROWS[kind])
            except InvalidJson as refused:
                item.fault(refused.code, refused.detail)
            except InvalidBody as refused:
                _refuse(item, refused.errors)
        yield item


def _csv_items(stream: Stream, kind: str) -> Iterator[Item]:
    records = _csv_rows(stream, kind)
    part = PARTS.get(kind)
    if part is None:
        for item, _ in records:
            yield item
        return
    for group in _groups(records):
        yield _together(group, part)


def _csv_rows(stream: Stream, kind: str) -> Iterator[tuple[Item, str | None]]:
    """Each record by itself, with the key that it shares with those it belongs to."""
    header, records = _open_csv(stream, kind)
    for end, cells in enumerate(records, start=1):
        if cells == []:
            continue
        item = Item(end=end, rows=[end + 1], is_text=True, header=header)
        key: str | None = _WITH_ANY
        if isinstance(cells, csv.Error):
            item.fault("malformed_row", f"{str(cells).capitalize()}.")
        elif len(cells) != len(header):
            item.fault("malformed_row", f"It has {len(cells)} cells, the header has {len(header)}.")
        else:
            key = header.key_of(cells)
            if all(_is_readable(cell, item) for cell in cells):
                try:
                    item.value = decode_value(header.value_of(cells), ROWS[kind])
                except InvalidBody as refused:
                    _refuse(item, refused.errors)
        yield item, key


def _groups(records: Iterable[tuple[Item, str | None]]) -> Iterator[list[Item]]:
    """Rows that belong together, however long the file goes on like that: no more than so many."""
    group: list[Item] = []
    shared: str | None = None
    for item, key in records:
        is_full = len(group) == MAX_ROWS_TOGETHER
        belongs = bool(group) and (key == shared is not None or key == _WITH_ANY)
        if belongs and is_full and key != _WITH_ANY:
            item.fault("too_many", f"It has more than {MAX_ROWS_TOGETHER} rows.")
            item.value = None
            yield [item]
            continue
        if group and (is_full or not belongs):
            yield group
            group = []
        group.append(item)
        shared = shared if belongs else key
    if group:
        yield group


def _together(group: list[Item], part: str) -> Item:
    """The rows of one thing as one item. What they say of it is said by the first of them that is
    right; the later ones repeat it or leave it empty."""
    faults = [fault for item in group for fault in item.faults]
    right = [item for item in group if item.value is not None]
    whole = Item(
        end=group[-1].end,
        rows=[group[0].rows[0]],
        faults=faults,
        is_text=True,
        header=group[0].header,
    )
    if not right:
        return whole
    first, rows, parts = right[0].value, [], []
    names = [name for name in first.__struct_fields__ if name != part]
    for item in right:
        differing = [
            name
            for name in names
            if getattr(item.value, name) is not msgspec.UNSET
            and getattr(item.value, name) != getattr(first, name)
        ]
        if differing:
            item.fault(
                "conflicting_value",
                f"Its {', '.join(differing)} differs from what the first row says.",
                f"/{differing[0]}",
            )
            faults += item.faults
            continue
        found = getattr(item.value, part)
        parts += found
        rows += item.rows * len(found)
    whole.rows = rows or [right[0].rows[0]]
    whole.value = msgspec.structs.replace(first, **{part: parts})
    return whole


def _refuse(item: Item, errors: Iterable[FieldError]) -> None:
    for error in errors:
        detail = error.detail
        if item.header and error.code == "invalid_type":
            detail = EXPECTED.get(item.header.cell_at(error.pointer), detail)
        item.fault(error.code, detail, error.pointer)


def _is_readable(text: str, item: Item) -> bool:
    if text == _TOO_LONG or text == _TOO_LONG + "\n":
        item.fault("too_long", f"A line may have {MAX_LINE:,} bytes.")
    elif not _is_unicode(text):
        item.fault("invalid_encoding", "It is not UTF-8.")
    else:
        return True
    return False


def _is_unicode(text: str) -> bool:
    """Whether it has no surrogates, which stand for bytes that are no UTF-8."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _open_csv(stream: Stream, kind: str) -> tuple[Header, Iterator[list[str] | csv.Error]]:
    """The separator is the first one that makes known columns of the header."""
    lines = _lines(stream)
    first = next(lines, "")
    while first.count('"') % 2 and len(first) < MAX_CELL and (more := next(lines, "")):
        first += more
    _refuse_unreadable(first)
    likely = sorted(_DELIMITERS, key=first.count, reverse=True)
    refusal: InvalidHeader | None = None
    for delimiter in likely:
        try:
            [names] = csv.reader([first], delimiter=delimiter, strict=True)
            header = Header(kind, names)
        except (csv.Error, ValueError) as error:
            fault = FieldError("", "malformed_row", f"{str(error).capitalize()}.")
            refusal = refusal or InvalidHeader(fault.detail, errors=[fault])
        except InvalidHeader as error:
            refusal = refusal or error
        else:
            return header, _records(csv.reader(lines, delimiter=delimiter, strict=True))
    assert refusal is not None
    raise refusal


def _refuse_unreadable(first: str) -> None:
    """Of the first line of a file. Raises InvalidHeader."""
    if first.rstrip("\n") == _TOO_LONG:
        fault = FieldError("", "too_long", f"The first line may have {MAX_LINE:,} bytes.")
    elif not _is_unicode(first):
        fault = FieldError("", "invalid_encoding", "The first line is not UTF-8.")
    elif "\x00" in first:
        fault = FieldError("", "bad_format", "The first line has a NUL character.")
    else:
        return
    raise InvalidHeader(fault.detail, errors=[fault])


def _records(reader: Any) -> Iterator[list[str] | csv.Error]:
    """A record that cannot be read does not end the file."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield error


def _lines(stream: Stream) -> Iterator[str]:
    """Lines as text with their ends. Bytes that are no UTF-8 become surrogates, and a line that is
    too long becomes a NUL: whoever gets them refuses the row."""
    is_first = True
    while line := stream.readline(MAX_LINE):
        if len(line) == MAX_LINE and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE)
            yield _TOO_LONG + "\n"
            continue
        yield line.decode("utf-8-sig" if is_first else "utf-8", "surrogateescape")
        is_first = False
