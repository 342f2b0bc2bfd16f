"""What a search engine is asked for, and what it answers.

The one there is asks Postgres (`postgres.py`). docs/search.md tells what another one needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Literal, Protocol
from uuid import UUID

import msgspec
from django.conf import settings
from django.utils.module_loading import import_string

from domains.products.queries.media import ListedMedia
from domains.products.queries.prices import PricesFor, ShownPrice
from domains.products.queries.variants import ListedVariant

Sort = Literal["relevance", "name", "-name", "price", "-price", "newest", "popularity"]

# What a list is sorted by: fields of ListedProduct that are unique together and never null.
ORDERS: dict[Sort, tuple[str, ...]] = {
    "relevance": ("-rank", "-popularity", "-id"),
    "name": ("sort_name", "id"),
    "-name": ("-sort_name", "-id"),
    "price": ("lowest_minor", "id"),
    "-price": ("-lowest_minor", "-id"),
    "newest": ("-created_at", "-id"),
    "popularity": ("-popularity", "-id"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """From `least` to `most`, both included; None where it is open."""

    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Criteria:
    """Which products a list has.

    q: what somebody typed. category: a slug; products of those below it belong to it too.
    lowest_minor: what the cheapest variant costs everybody, in `currency`.
    available: only what is left, or only what is sold out.
    choices: by attribute or option the values of which one must be there. ranges: by attribute,
    numbers, or dates as days since 1970. What variants differ in is asked of one and the same: a
    variant that has all the choices and lies in all the ranges, and is left; sold out is what has
    such variants, of none of which anything is left.
    """

    locale: str
    currency: str
    q: str | None = None
    category: str | None = None
    lowest_minor: Range | None = None
    available: bool | None = None
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class FacetsWanted:
    """attributes: codes, or True for all of them."""

    categories: bool = False
    price: bool = False
    available: bool = False
    attributes: bool | frozenset[str] = False


class RenderedVariants(str):
    """Variants as a JSON array that the API can pass on as it is: an engine that has them so
    already need not take them apart. Only such that show nothing that turns by itself."""

    __slots__ = ()


class ListedProduct(msgspec.Struct, frozen=True, kw_only=True):
    """A product as a list shows it, in the locale and at the prices that were asked for.

    rank, popularity, sort_name, created_at, lowest_minor: what it was sorted by; only those that
    the order of the list needs are set.
    """

    id: UUID
    slug: str
    name: str
    image: ListedMedia | None
    variants: tuple[ListedVariant, ...] | RenderedVariants
    rank: int = 0
    popularity: int = 0
    sort_name: str = ""
    created_at: datetime | None = None
    lowest_minor: int = 0

    @property
    def prices(self) -> tuple[ShownPrice, ...]:
        """Those that may turn by themselves."""
        if isinstance(self.variants, RenderedVariants):
            return ()
        return tuple(variant.price for variant in self.variants)


@dataclass(frozen=True, kw_only=True, slots=True)
class CountedValue:
    """value: as a filter takes it. name: in the locale, for what has one."""

    value: str
    name: str
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CountedAttribute:
    code: str
    name: str
    values: tuple[CountedValue, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CountedRange:
    """least_minor to below most_minor; most_minor is None for the last range."""

    least_minor: int
    most_minor: int | None
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CountedPrices:
    lowest_minor: int
    highest_minor: int
    ranges: tuple[CountedRange, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Facets:
    """How many products there are, and how many there would be with one more choice.

    What is chosen in a facet does not narrow the facet itself, and of a product the variants count
    that fit all other choices. None for what was not asked for.
    categories: those right below the chosen one, or at the top; a product counts once in each.
    """

    count: int
    categories: tuple[CountedValue, ...] | None = None
    price: CountedPrices | None = None
    available: Mapping[bool, int] | None = None
    attributes: tuple[CountedAttribute, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    products: Sequence[ListedProduct]
    facets: Facets | None = None


class UnknownFilters(Exception):
    """Nothing can be filtered by these codes."""

    def __init__(self, codes: Sequence[str]) -> None:
        super().__init__(*codes)
        self.codes = codes


class SearchEngine(Protocol):
    def search(
        self,
        criteria: Criteria,
        *,
        sort: Sort,
        after: Sequence[Any] | None,
        limit: int,
        prices: PricesFor,
        facets: FacetsWanted | None,
    ) -> Found:
        """At most `limit` products on sale, in the order of ORDERS[sort], those behind the values
        `after`. Sorted by price are only those that have one in the currency.

        Raises UnknownFilters.
        """


@cache
def search_engine() -> SearchEngine:
    """The one that this installation has chosen."""
    engine: SearchEngine = import_string(settings.SEARCH_ENGINE)()
    return engine
