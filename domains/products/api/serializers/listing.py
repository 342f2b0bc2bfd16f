"""What lists of products take and answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from math import isfinite
from typing import Annotated, Literal, Self
from uuid import UUID

from msgspec import UNSET, Meta, Raw, UnsetType, structs

from domains.products.api.serializers.fields import Code, Locale, Slug
from domains.products.api.serializers.media import Media
from domains.products.api.serializers.products import Variant
from domains.products.queries.search import port
from domains.products.rules import tags
from infrastructure.errors import FieldError
from infrastructure.http.decoding import InvalidParameters
from infrastructure.http.types import Currency, Money, Out, PageQuery
from infrastructure.money import InvalidMoney
from infrastructure.money import Money as MoneyValue

# Parameters that begin so choose values of an attribute or option.
ATTRIBUTE = "attr."
MAX_FILTERS = 20
MAX_VALUES = 50
MAX_VALUE_LENGTH = 200
_LEAST, _MOST = "_min", "_max"
_FACETS = ("categories", "price", "available", "attributes")

Amount = Annotated[
    str, Meta(pattern=r"^\d{1,13}(\.\d{1,4})?$(?!\s)", max_length=18, examples=["9.99"])
]


class ListProducts(PageQuery, frozen=True, kw_only=True):
    """Filters of attributes, `attr.<code>`, come beside these: see `FilteredList`."""

    q: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=200,
                description="Words that must all occur; the last one may be unfinished. A word that"
                " no product has is read as one that looks like it. Or a SKU, or a barcode.",
                examples=["lantern"],
            ),
        ]
        | None
    ) = None
    category: (
        Annotated[Slug, Meta(description="A slug; what lies below the category belongs to it.")]
        | None
    ) = None
    price_min: (
        Annotated[Amount, Meta(description="Of the cheapest variant, for everybody.")] | None
    ) = None
    price_max: Amount | None = None
    available: (
        Annotated[bool, Meta(description="true: only what is left. false: only what is sold out.")]
        | None
    ) = None
    sort: (
        Annotated[
            Literal["relevance", "name", "-name", "price", "-price", "newest", "popularity"],
            Meta(
                description="By relevance where there are words, by name where there are none. By"
                " price are listed only products that have one in the currency.",
            ),
        ]
        | None
    ) = None
    facets: (
        Annotated[
            str,
            Meta(
                max_length=1000,
                description="What to count, apart by commas: `categories`, `price`, `available`,"
                " `attributes`, or single ones such as `attr.color`.",
                examples=["categories,attr.color"],
            ),
        ]
        | None
    ) = None
    locale: Locale | None = None
    currency: Currency | None = None
    channel: Code | None = None


class FilteredList(ListProducts, frozen=True, kw_only=True):
    """The same with the filters of attributes, by parameter; all of it binds a cursor, but for the
    facets, which may be asked for with the first page only."""

    attributes: dict[str, list[str]] = {}

    @property
    def order(self) -> port.Sort:
        if self.sort is None:
            return "name" if self.q is None else "relevance"
        return "popularity" if self.sort == "relevance" and self.q is None else self.sort

    def bound(self) -> Self:
        """What a cursor belongs to."""
        return structs.replace(self, facets=None)

    @property
    def tags(self) -> list[str]:
        """What the list depends on, beside the products that it shows."""
        counted = self.facets_wanted() or port.FacetsWanted()
        found = [tags.LISTS, tags.PRICE_LISTS]
        has_price = self.price_min or self.price_max or self.order in ("price", "-price")
        if has_price or counted.price:
            found.append(tags.PRICES)
        if self.available is not None or counted.available:
            found.append(tags.AVAILABILITY)
        if self.category is not None or counted.categories:
            found.append(tags.CATEGORIES)
        if self.attributes or counted.attributes:
            found.append(tags.TYPES)
        return found

    def criteria(self, *, locale: str, currency: str) -> port.Criteria:
        """Raises InvalidParameters."""
        choices, ranges = _filters(self.attributes)
        lowest = port.Range(
            least=_minor(self.price_min, currency, "price_min"),
            most=_minor(self.price_max, currency, "price_max"),
        )
        return port.Criteria(
            locale=locale,
            currency=currency,
            q=self.q,
            category=self.category,
            lowest_minor=None if lowest == port.Range() else lowest,
            available=self.available,
            choices=choices,
            ranges=ranges,
        )

    def facets_wanted(self) -> port.FacetsWanted | None:
        """Raises InvalidParameters."""
        if self.facets is None:
            return None
        names = self.facets.split(",")
        codes = [name.removeprefix(ATTRIBUTE) for name in names if name.startswith(ATTRIBUTE)]
        wrong = [n for n in names if not n.startswith(ATTRIBUTE) and n not in _FACETS]
        if wrong or "" in codes:
            detail = f"There are {', '.join(_FACETS)}, and attr. with a code."
            raise InvalidParameters(errors=[FieldError("?facets", "invalid_choice", detail)])
        return port.FacetsWanted(
            categories="categories" in names,
            price="price" in names,
            available="available" in names,
            attributes="attributes" in names or (frozenset(codes) if codes else False),
        )


def refusal_of(unknown: port.UnknownFilters, parameters: Iterable[str]) -> InvalidParameters:
    """Of codes that nothing can be filtered by; told of the parameters that name them."""
    named = [
        name
        for name in parameters
        if name.removeprefix(ATTRIBUTE).removesuffix(_LEAST).removesuffix(_MOST) in unknown.codes
        or name.removeprefix(ATTRIBUTE) in unknown.codes
    ]
    return InvalidParameters(
        errors=[
            FieldError(f"?{name}", "unknown_parameter", "Nothing can be filtered by this.")
            for name in named or ["facets"]
        ]
    )


def _filters(
    given: Mapping[str, list[str]],
) -> tuple[dict[str, tuple[str, ...]], dict[str, port.Range]]:
    """Choices and ranges, of `attr.color=red,blue` and `attr.weight_min=100`."""
    choices: dict[str, tuple[str, ...]] = {}
    bounds: dict[str, dict[str, float]] = {}
    faults = []
    if len(given) > MAX_FILTERS:
        detail = f"At most {MAX_FILTERS} attributes can be filtered by."
        raise InvalidParameters(errors=[FieldError("?attr", "too_many", detail)])
    for parameter, texts in given.items():
        code = parameter.removeprefix(ATTRIBUTE)
        values = [value for text in texts for value in text.split(",")]
        pointer = f"?{parameter[:100]}"
        if any("\x00" in value for value in (code, *values)):
            faults.append(FieldError(pointer, "bad_format", "A NUL character is not accepted."))
        elif len(values) > MAX_VALUES or any(len(value) > MAX_VALUE_LENGTH for value in values):
            detail = f"At most {MAX_VALUES} values of {MAX_VALUE_LENGTH} characters."
            faults.append(FieldError(pointer, "too_many", detail))
        elif code.endswith((_LEAST, _MOST)):
            bound = _number(texts[0]) if len(texts) == 1 else None
            if bound is None:
                detail = "A number, or a date such as 2026-03-31."
                faults.append(FieldError(pointer, "bad_format", detail))
            else:
                side = "least" if code.endswith(_LEAST) else "most"
                bounds.setdefault(code[: -len(_LEAST)], {})[side] = bound
        else:
            choices[code] = tuple(dict.fromkeys(values))
    if faults:
        raise InvalidParameters(errors=faults)
    return choices, {code: port.Range(**sides) for code, sides in bounds.items()}


def _number(text: str) -> float | None:
    """A number, or a date as the days since 1970."""
    try:
        return (date.fromisoformat(text) - date(1970, 1, 1)).days
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _minor(amount: str | None, currency: str, parameter: str) -> int | None:
    if amount is None:
        return None
    try:
        return MoneyValue.parse(amount, currency).amount_minor
    except InvalidMoney as error:
        fault = FieldError(f"?{parameter}", error.code, str(error))
        raise InvalidParameters(errors=[fault]) from error


class ListedProduct(Out, frozen=True, kw_only=True):
    id: UUID
    slug: str
    name: str
    image: Media | None
    variants: list[Variant]

    @classmethod
    def of(cls, product: port.ListedProduct) -> Self:
        return cls(
            id=product.id,
            slug=product.slug,
            name=product.name,
            image=None if product.image is None else Media.of(product.image),
            variants=Raw(product.variants.encode())  # type: ignore[arg-type]
            if isinstance(product.variants, port.RenderedVariants)
            else [Variant.of(variant) for variant in product.variants],
        )


class CategoryCount(Out, frozen=True, kw_only=True):
    slug: str
    name: str
    count: int


class ValueCount(Out, frozen=True, kw_only=True):
    """value: as the filter takes it."""

    value: str
    name: str
    count: int


class AttributeCount(Out, frozen=True, kw_only=True):
    code: str
    name: str
    values: list[ValueCount]


class PriceRangeCount(Out, frozen=True, kw_only=True, rename={"from_": "from"}):
    """From `from` to below `to`, which is null for the last range."""

    from_: Money
    to: Money | None
    count: int


class PriceCount(Out, frozen=True, kw_only=True):
    lowest: Money
    highest: Money
    ranges: list[PriceRangeCount]


class AvailabilityCount(Out, frozen=True, kw_only=True):
    left: int
    sold_out: int


class Facets(Out, frozen=True, kw_only=True):
    """count: of all products of the list. Of a facet's values each says how many products there
    are with it, whatever else of the same facet is chosen; what was not asked for is left out.
    categories: those right below the chosen one, or at the top. attributes: of each at most the 100
    most frequent values."""

    count: int
    categories: list[CategoryCount] | UnsetType = UNSET
    price: PriceCount | UnsetType | None = UNSET
    available: AvailabilityCount | UnsetType = UNSET
    attributes: list[AttributeCount] | UnsetType = UNSET

    @classmethod
    def of(cls, facets: port.Facets, wanted: port.FacetsWanted, currency: str) -> Self:
        categories, attributes, counted = facets.categories, facets.attributes, facets.available
        return cls(
            count=facets.count,
            categories=UNSET
            if categories is None
            else [CategoryCount(slug=c.value, name=c.name, count=c.count) for c in categories],
            price=_price_count(facets.price, currency) if wanted.price else UNSET,
            available=UNSET
            if counted is None
            else AvailabilityCount(left=counted.get(True, 0), sold_out=counted.get(False, 0)),
            attributes=UNSET
            if attributes is None
            else [
                AttributeCount(
                    code=attribute.code,
                    name=attribute.name,
                    values=[
                        ValueCount(value=v.value, name=v.name, count=v.count)
                        for v in attribute.values
                    ],
                )
                for attribute in attributes
            ],
        )


def _price_count(prices: port.CountedPrices | None, currency: str) -> PriceCount | None:
    if prices is None:
        return None
    return PriceCount(
        lowest=Money.of_minor(prices.lowest_minor, currency),
        highest=Money.of_minor(prices.highest_minor, currency),
        ranges=[
            PriceRangeCount(
                from_=Money.of_minor(part.least_minor, currency),
                to=None if part.most_minor is None else Money.of_minor(part.most_minor, currency),
                count=part.count,
            )
            for part in prices.ranges
        ],
    )


class ProductList(Out, frozen=True, kw_only=True):
    """One page. `facets` is there where it was asked for."""

    items: list[ListedProduct]
    next: str | None
    facets: Facets | UnsetType = UNSET
