"""Lists in pages: by key, not by offset, so a page costs the same everywhere in the list and rows
that are inserted meanwhile neither repeat nor push out others.

A cursor holds the ordering values of the last row that was shown. It is signed, and bound to the
order and the filters of its list.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
from django.conf import settings
from django.db.models import Q, QuerySet

from infrastructure.http.errors import InvalidCursor

T = TypeVar("T")

_SIGNATURE_BYTES = 12
_TYPES: dict[str, type] = {
    "s": str,
    "i": int,
    "f": float,
    "b": bool,
    "u": UUID,
    "t": datetime,
    "d": date,
    "n": Decimal,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}
_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    items: list[T]
    next: str | None


# Rows of a hand-written query: given the values to continue after (None at the start) and how many.
Source = Callable[[tuple[Any, ...] | None, int], Sequence[T]]


def page(
    source: QuerySet[Any, T] | Source[T],
    cursor: str | None,
    limit: int,
    *,
    order: Sequence[str],
    filters: msgspec.Struct | None = None,
) -> Page[T]:
    """The rows after `cursor`, at most `limit` of them.

    order: field names, `-` for descending; together they must be unique and never null, so the
        last one is the id. A callable source sorts by them itself; its rows carry them as
        attributes or keys.
    filters: the query parameters of the list; all but `cursor` and `limit` bind the cursor.
    Raises InvalidCursor for a cursor of another list, order or filter.
    """
    binding = _binding(order, filters)
    after = _values(cursor, binding) if cursor else None
    if isinstance(source, QuerySet):
        rows = source.order_by(*order)
        if after is not None:
            rows = rows.filter(_beyond(order, after))
        found = list(rows[: limit + 1])
    else:
        found = list(source(after, limit + 1))
    items = found[:limit]
    more = len(found) > limit
    return Page(items, _cursor(items[-1], order, binding) if more else None)


def _beyond(order: Sequence[str], after: tuple[Any, ...]) -> Q:
    """Rows that come later in the order. The first condition is implied by the others and lets
    Postgres start an index scan at the right place, which it cannot do from an OR."""
    first = order[0]
    bound = Q(**{f"{first.lstrip('-')}__{'lte' if first[0] == '-' else 'gte'}": after[0]})
    later = Q()
    equal: dict[str, Any] = {}
    for name, value in zip(order, after, strict=True):
        field = name.lstrip("-")
        later |= Q(**equal, **{f"{field}__{'lt' if name[0] == '-' else 'gt'}": value})
        equal[field] = value
    return bound & later


def _binding(order: Sequence[str], filters: msgspec.Struct | None) -> bytes:
    given = {} if filters is None else msgspec.to_builtins(filters)
    given.pop("cursor", None)
    given.pop("limit", None)
    return _encode([list(order), type(filters).__qualname__, given])


def _cursor(row: Any, order: Sequence[str], binding: bytes) -> str:
    values = [_read(row, name.lstrip("-")) for name in order]
    payload = _encode([[_NAMES[type(value)], value] for value in values])
    return base64.urlsafe_b64encode(_signature(binding, payload) + payload).decode().rstrip("=")


def _values(cursor: str, binding: bytes) -> tuple[Any, ...]:
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError as error:
        raise InvalidCursor from error
    signature, payload = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(binding, payload)):
        raise InvalidCursor("Begin the list again without a cursor.")
    values = msgspec.json.decode(payload)
    return tuple(msgspec.convert(value, _TYPES[name], strict=False) for name, value in values)


def _signature(binding: bytes, payload: bytes) -> bytes:
    key = _signing_key(settings.SECRET_KEY)
    return hmac.digest(key, binding + b"\n" + payload, "sha256")[:_SIGNATURE_BYTES]


@lru_cache(maxsize=4)
def _signing_key(secret: str) -> bytes:
    """A key for nothing but cursors; found once, since each page has one."""
    return hashlib.sha256(b"pagination" + secret.encode()).digest()


def _read(row: Any, name: str) -> Any:
    if isinstance(row, dict):
        return row[name]
    for part in name.split("__"):
        row = getattr(row, part)
    return row
