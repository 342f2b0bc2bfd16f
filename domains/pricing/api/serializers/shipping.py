"""What the routes of shipping methods take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from msgspec import UNSET, Meta, UnsetType

from domains.pricing.api.serializers.fields import (
    Amount,
    Name,
    Position,
    Postcode,
    Region,
    TaxClass,
    given,
    minor,
)
from domains.pricing.models import ShippingMethod
from domains.pricing.rules import quotes
from domains.pricing.rules.terms import STANDARD_TAX_CLASS, ShippingRate
from infrastructure.http.types import (
    Body,
    CountryCode,
    Currency,
    Money,
    Out,
    PageQuery,
    Query,
    ShortText,
)
from infrastructure.money import Money as MoneyValue

Kind = Literal["flat", "weight"]
Grams = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Countries = Annotated[list[CountryCode], Meta(max_length=300)]
Channels = Annotated[list[Name], Meta(max_length=100)]
NotTo = Annotated[
    list[Postcode],
    Meta(max_length=1000, description="Beginnings of postcodes that it does not go to."),
]


class WantShipping(Query, frozen=True, kw_only=True):
    """Where to. Without a country only what goes everywhere is told."""

    country: CountryCode | None = None
    region: Region = ""
    postcode: Postcode = ""
    currency: Currency | None = None
    channel: Name | None = None


class ShippingOption(Out, frozen=True, kw_only=True):
    """total: what is paid, tax included, for next to nothing: more goods may weigh more, and be
    sent for less."""

    code: str
    name: str
    price: Money
    tax: Money
    tax_rate: str
    total: Money

    @classmethod
    def of(cls, option: quotes.ShippingOption, *, currency: str) -> Self:
        price = option.price
        return cls(
            code=option.code,
            name=option.name,
            price=Money.of_minor(price.price_minor, currency),
            tax=Money.of_minor(price.tax_minor, currency),
            tax_rate=price.tax_rate,
            total=Money.of_minor(price.total_minor, currency),
        )


class ShippingOptions(Out, frozen=True, kw_only=True):
    """The first is the default."""

    items: list[ShippingOption]


class ListShippingTerms(PageQuery, frozen=True, kw_only=True):
    archived: bool | None = None


class Tier(Body, frozen=True, kw_only=True):
    """The price of what weighs at most so much."""

    up_to_g: Grams
    price: Amount


Tiers = Annotated[list[Tier], Meta(max_length=100)]


class Rate(Body, frozen=True, kw_only=True):
    """price: of a flat one. tiers: of one by weight. free_from: for goods of so much it costs
    nothing."""

    price: Amount = "0"
    tiers: Tiers = []
    free_from: Amount | None = None

    def to_terms(self, currency: str) -> ShippingRate:
        return ShippingRate(
            price_minor=minor(self.price, currency),
            tiers=tuple((tier.up_to_g, minor(tier.price, currency)) for tier in self.tiers),
            free_from_minor=None if self.free_from is None else minor(self.free_from, currency),
        )

    @classmethod
    def of(cls, rate: ShippingRate, currency: str) -> Self:
        def text(amount_minor: int) -> str:
            return MoneyValue(amount_minor, currency).amount_text

        return cls(
            price=text(rate.price_minor),
            tiers=[Tier(up_to_g=up_to_g, price=text(price)) for up_to_g, price in rate.tiers],
            free_from=None if rate.free_from_minor is None else text(rate.free_from_minor),
        )


Rates = Annotated[dict[Currency, Rate], Meta(max_length=50, description="By currency.")]


class CreateShippingTerms(Body, frozen=True, kw_only=True):
    code: Name
    name: ShortText
    kind: Kind
    rates: Rates
    tax_class: TaxClass = STANDARD_TAX_CLASS
    countries: Countries = []
    channels: Channels = []
    not_to: NotTo = []
    position: Position = 0
    active: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        rates_of(self.rates)


class EditShippingTerms(Body, frozen=True, kw_only=True):
    name: ShortText | UnsetType = UNSET
    kind: Kind | UnsetType = UNSET
    rates: Rates | UnsetType = UNSET
    tax_class: TaxClass | UnsetType = UNSET
    countries: Countries | UnsetType = UNSET
    channels: Channels | UnsetType = UNSET
    not_to: NotTo | UnsetType = UNSET
    position: Position | UnsetType = UNSET
    active: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rates is not UNSET:
            rates_of(self.rates)

    def changes(self) -> dict[str, Any]:
        found = given(self)
        if "rates" in found:
            found["rates"] = rates_of(found["rates"])
        return found


class ShippingTerms(Out, frozen=True, kw_only=True):
    """countries, channels: where it is offered; none: everywhere. Of those that go somewhere the
    one with the lowest position is the default there."""

    code: str
    name: str
    kind: Kind
    rates: dict[str, Rate]
    tax_class: str
    countries: list[str]
    channels: list[str]
    not_to: list[str]
    position: int
    active: bool
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None

    @classmethod
    def of(cls, row: ShippingMethod) -> Self:
        return cls(
            code=row.code,
            name=row.name,
            kind=row.kind,  # type: ignore[arg-type]
            rates={
                currency: Rate.of(rate, currency) for currency, rate in row.terms_of_rates.items()
            },
            tax_class=row.tax_class,
            countries=row.countries,
            channels=row.channels,
            not_to=row.not_to,
            position=row.position,
            active=row.active,
            created_at=row.created_at,
            updated_at=row.updated_at,
            archived_at=row.archived_at,
        )


def rates_of(rates: dict[str, Rate]) -> dict[str, ShippingRate]:
    """Raises InvalidMoney."""
    return {currency: rate.to_terms(currency) for currency, rate in rates.items()}
