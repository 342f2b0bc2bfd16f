"""Building blocks for the types of the API: what comes in refuses unknown fields.

Contexts declare theirs in `api/serializers.py` as subclasses of `Body`, `Query` and `Out`. Every
string and list that comes in has a greatest length and every number a range; a test over the
OpenAPI document insists.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from types import UnionType
from typing import (
    Annotated,
    Any,
    Generic,
    Self,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
from msgspec import Meta

from infrastructure import money
from infrastructure.countries import COUNTRY_PATTERN

T = TypeVar("T")

MAX_LIMIT = 100

# What no text has: Postgres stores no NUL, and printers, mails and spreadsheets take the others for
# commands. A text may have a tab and ends of lines, where its type has nothing against them.
CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"

# One line: none of these either.
ONE_LINE = r"^[^\x00-\x1f\x7f]*$(?![\s\S])"

# And something to be seen.
NOT_BLANK = r"^[^\S\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$(?![\s\S])"

# Something to be seen, on whichever line.
SEEN = r"[^\s\x00-\x1f\x7f]"

# What somebody has to say: on one line, or on several. The white space around both is cut off.
ShortText = Annotated[str, Meta(min_length=1, max_length=200, pattern=NOT_BLANK)]
Words = Annotated[
    str,
    Meta(min_length=1, max_length=1000, pattern=SEEN, extra={"form": "text that is not blank"}),
]
LongText = Annotated[str, Meta(max_length=10_000)]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", max_length=3, examples=["EUR"])]
CountryCode = Annotated[
    str,
    Meta(
        pattern=COUNTRY_PATTERN,
        max_length=2,
        description="ISO 3166-1 alpha-2, or XK.",
        examples=["GB"],
    ),
]
Cursor = Annotated[str, Meta(max_length=1000, description="`next` of the page before.")]
Limit = Annotated[int, Meta(ge=1, le=MAX_LIMIT, description="The most items to return.")]


class Fault(ValueError):
    """What is wrong with a whole, or with one of its fields, beyond what types can say; raised in
    `__post_init__`."""

    def __init__(self, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.code, self.field = code, field


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """The base of what comes in: a `name`, and every text that has to show something, loses the
    white space around it, which nobody sees."""

    def __post_init__(self) -> None:
        for field in _trimmed(type(self)):
            text = getattr(self, field)
            if isinstance(text, str) and text != (trimmed := text.strip()):
                msgspec.structs.force_setattr(self, field, trimmed)


@cache
def _trimmed(kind: type[Named]) -> tuple[str, ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple(
        field
        for field in kind.__struct_fields__
        if field == "name"
        or any(meta.pattern in (NOT_BLANK, SEEN) for meta in _metas(hints[field]))
    )


def _metas(hint: Any) -> Iterator[Meta]:
    """What is said of a type itself, or of one of a union; not of what a list is of."""
    arms = get_args(hint) if isinstance(hint, UnionType) or get_origin(hint) is Union else (hint,)
    for arm in arms:
        yield from (meta for meta in getattr(arm, "__metadata__", ()) if isinstance(meta, Meta))


class Body(Named, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A request body."""


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The query parameters of a request."""


class PageQuery(Query, frozen=True, kw_only=True):
    """The query parameters of a list; subclasses add the filters, which a cursor is bound to."""

    cursor: Cursor | None = None
    limit: Limit = 25


class Out(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an answer."""


class PageOf(Out, Generic[T], frozen=True, kw_only=True):
    """One page of a list. `next` is the cursor of the page after it, or null at the end."""

    items: list[T]
    next: str | None


class Money(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An amount of money as decimal text with the currency's number of decimals. Sums of an answer
    may be more than anything may cost."""

    amount: Annotated[str, Meta(pattern=r"^-?\d+(\.\d{1,4})?$(?![\s\S])", examples=["12.30"])]
    currency: Currency

    @classmethod
    def of(cls, value: money.Money) -> Self:
        return cls.of_minor(value.amount_minor, value.currency)

    @classmethod
    @lru_cache(maxsize=4096)
    def of_minor(cls, amount_minor: int, currency: str) -> Self:
        # An answer has a score of amounts, and many of them are the same.
        return cls(amount=money.Money(amount_minor, currency).amount_text, currency=currency)


class GivenMoney(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An amount that comes in: as decimal text, with no more decimals than the currency has."""

    amount: Annotated[
        str, Meta(pattern=r"^-?\d{1,16}(\.\d{1,4})?$(?![\s\S])", max_length=21, examples=["12.30"])
    ]
    currency: Currency

    def __post_init__(self) -> None:
        self.to_money()

    def to_money(self) -> money.Money:
        return money.Money.parse(self.amount, self.currency)
