"""Calculations of products: slugs, search words, what is left of a stock, what a hold asks for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from domains.products.errors import InvalidQuantity
from infrastructure.observability.correlation import Correlation

MAX_SLUG_LENGTH = 200
MAX_SLUG_NUMBER = 50
MAX_QUANTITY = 1_000_000_000
MAX_SEARCH_WORDS = 8

_NO_LETTER = re.compile(r"[^\w]+|_+")
_LATIN_ACCENTS = re.compile(r"([a-z])[\u0300-\u036f]+")
_WORD = re.compile(r"\w+")


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


def search_words(text: str) -> str:
    """What somebody typed as a tsquery: every word must occur, each may be the start of one.

    Empty where the text has no word in it.
    """
    words = _WORD.findall(text)[:MAX_SEARCH_WORDS]
    return " & ".join(f"'{word}':*" for word in words)


def search_text(*, name: str, skus: Collection[str], description: str) -> str:
    """What the full-text index of a product reads."""
    return "\n".join((name, " ".join(skus), description))


def left(*, on_hand: int, backorder_limit: int, held: int) -> int:
    """How much can still be promised. Below zero: more is promised than there is."""
    return on_hand + backorder_limit - held


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldLine:
    variant_id: UUID
    sku: str
    quantity: int


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldRequest:
    """`cause`: whose correlation the order's event carries, where that is not the caller's."""

    order_id: UUID
    lines: tuple[HoldLine, ...]
    cause: Correlation | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Shortage:
    """What one SKU lacks for an order. `available` is 0 for a SKU that does not exist."""

    variant_id: UUID
    sku: str
    requested: int
    available: int


@dataclass(frozen=True, slots=True)
class Held:
    """All lines are held, by this call or by an earlier one."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing is held, and nothing of the attempt is left."""

    shortages: tuple[Shortage, ...]


@dataclass(frozen=True, slots=True)
class Released:
    """The order's stock was released before; it cannot be held again."""


HoldOutcome = Held | Refused | Released


class HoldState(StrEnum):
    """What an order's reservation is, once there is one."""

    HELD = "HELD"
    RELEASED = "RELEASED"


def summed(lines: Iterable[HoldLine]) -> tuple[HoldLine, ...]:
    """One line per variant, in the order of their ids. Raises InvalidQuantity."""
    by_variant: dict[UUID, HoldLine] = {}
    for line in lines:
        if line.quantity < 1:
            raise InvalidQuantity(f"{line.quantity} of {line.sku} cannot be held.")
        known = by_variant.get(line.variant_id)
        if known is not None:
            line = replace(known, quantity=known.quantity + line.quantity)
        if line.quantity > MAX_QUANTITY:
            raise InvalidQuantity(f"{line.quantity} of {line.sku} is more than can be held.")
        by_variant[line.variant_id] = line
    if not by_variant:
        raise InvalidQuantity("There is nothing to hold.")
    return tuple(by_variant[variant_id] for variant_id in sorted(by_variant))
