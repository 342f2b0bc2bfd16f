"""What the price routes take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from domains.products.api.serializers.fields import Code
from domains.products.models import PriceEntry as PriceEntryModel
from domains.products.models import PriceList as PriceListModel
from domains.products.queries import prices as queries
from domains.products.rules import prices as rules
from domains.products.rules.stock import MAX_QUANTITY
from infrastructure.http.types import (
    Body,
    Currency,
    GivenMoney,
    Money,
    Out,
    PageQuery,
    Query,
    ShortText,
)
from infrastructure.money import Money as MoneyValue
from infrastructure.money import minor_digits

Instant = Annotated[datetime, Meta(tz=True)]
Kind = Literal["regular", "sale"]
Verdict = Literal[
    "applies",
    "not_yet",
    "over",
    "cancelled",
    "superseded",
    "quantity_not_reached",
    "not_the_cheapest",
]
FromQuantity = Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]
Priority = Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]


class Reduction(Out, frozen=True, kw_only=True):
    """regular_price: without the sale. lowest_price_30_days: the lowest that whoever asks was
    asked in the 30 days before the reduction began for them, whichever price list it was from
    (Directive 98/6/EC, article 6a)."""

    regular_price: Money
    lowest_price_30_days: Money

    @classmethod
    def of(cls, reduction: queries.ShownReduction) -> Self:
        return cls(
            regular_price=Money.of(reduction.regular_price),
            lowest_price_30_days=Money.of(reduction.lowest_price_30_days),
        )


class PriceTier(Out, frozen=True, kw_only=True):
    """What one costs for whoever takes at least so many."""

    min_quantity: int
    price: Money

    @classmethod
    def of(cls, tier: queries.ShownTier) -> Self:
        return cls(min_quantity=tier.min_quantity, price=Money.of(tier.price))


class PriceListChoice(Query, frozen=True, kw_only=True):
    """price_list: a code; the base where none is given."""

    currency: Currency | None = None
    price_list: Code | None = None


class PriceHistoryQuery(PageQuery, frozen=True, kw_only=True):
    currency: Currency | None = None
    price_list: Code | None = None


class PriceTimelineQuery(Query, frozen=True, kw_only=True):
    """From 90 days ago to 90 days ahead, unless said otherwise."""

    currency: Currency | None = None
    price_list: Code | None = None
    from_at: Instant | None = None
    until_at: Instant | None = None


class ExplainPrice(Query, frozen=True, kw_only=True):
    """For whom, how many and when the price is looked for; now and one piece by default."""

    currency: Currency | None = None
    channel: Code | None = None
    customer_group: Code | None = None
    quantity: FromQuantity = 1
    at: Instant | None = None


class SetPrice(GivenMoney, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From now on, or within the window given; for everybody, or in a price list."""

    kind: Kind = "regular"
    min_quantity: FromQuantity = 1
    valid_from: Instant | None = None
    valid_until: Instant | None = None
    price_list: Code | None = None


class Price(Out, frozen=True, kw_only=True):
    """What is asked now in the base, or in the price list named; null where there is no price.
    changes_at: when that may turn by itself. reduction: by what this list alone asked before."""

    sku: str
    price_list: str | None
    price: Money | None
    reduction: Reduction | None
    price_tiers: list[PriceTier]
    changes_at: datetime | None
    updated_at: datetime

    @classmethod
    def of(cls, price: queries.PriceNow) -> Self:
        shown = price.shown
        return cls(
            sku=price.sku,
            price_list=price.price_list,
            price=None if shown.price is None else Money.of(shown.price),
            reduction=None if shown.reduction is None else Reduction.of(shown.reduction),
            price_tiers=[PriceTier.of(tier) for tier in shown.tiers],
            changes_at=shown.changes_at,
            updated_at=price.updated_at,
        )


class PriceEntry(Out, frozen=True, kw_only=True):
    """An amount that was set once. ending: why it ended before its time, if it did."""

    id: UUID
    price: Money
    kind: Kind
    min_quantity: int
    from_at: datetime
    until_at: datetime | None
    recorded_at: datetime
    actor_id: UUID | None
    ended_at: datetime | None
    ending: Literal["cancelled", "withdrawn", "superseded"] | None
    ended_by_id: UUID | None

    @classmethod
    def of(cls, entry: PriceEntryModel, *, currency: str, **more: Any) -> Self:
        return cls(
            id=entry.id,
            price=Money.of(MoneyValue(entry.amount_minor, currency)),
            kind=entry.kind,  # type: ignore[arg-type]
            min_quantity=entry.min_quantity,
            from_at=entry.from_at,
            until_at=entry.until_at,
            recorded_at=entry.recorded_at,
            actor_id=entry.actor_id,
            ended_at=entry.ended_at,
            ending=entry.ending or None,  # type: ignore[arg-type]
            ended_by_id=entry.ended_by_id,
            **more,
        )


class JudgedEntry(PriceEntry, frozen=True, kw_only=True):
    verdict: Verdict


class PriceListPrices(Out, frozen=True, kw_only=True):
    """The prices of a SKU in one list (null: the base), and whether that list is asked at all."""

    price_list: str | None
    asked: bool
    why: Literal["base", "holds", "inactive", "other_channel", "other_group", "other_time"]
    entries: list[JudgedEntry]


class AppliedPrice(Out, frozen=True, kw_only=True):
    """why: `regular` or `sale`, with `_tier` where the quantity made the price."""

    price: Money
    why: Literal["regular", "sale", "regular_tier", "sale_tier"]
    price_list: str | None
    entry_id: UUID
    reduction: Reduction | None
    changes_at: datetime | None


class ExplainedPrice(Out, frozen=True, kw_only=True):
    """applies: null where there is no price. lists: in the order in which they are asked."""

    sku: str
    quantity: int
    at: datetime
    applies: AppliedPrice | None
    lists: list[PriceListPrices]

    @classmethod
    def of(cls, found: queries.Explanation) -> Self:
        currency = found.currency
        applied = None
        if found.applied is not None:
            price = found.applied
            reduction = None
            if price.regular_minor is not None and price.lowest_30d_minor is not None:
                reduction = Reduction(
                    regular_price=Money.of_minor(price.regular_minor, currency),
                    lowest_price_30_days=Money.of_minor(price.lowest_30d_minor, currency),
                )
            applied = AppliedPrice(
                price=Money.of_minor(price.amount_minor, currency),
                why=price.why,  # type: ignore[arg-type]
                price_list=found.applied_list,
                entry_id=found.applied_entry_id,  # type: ignore[arg-type]
                reduction=reduction,
                changes_at=price.changes_at,
            )
        return cls(
            sku=found.sku,
            quantity=found.quantity,
            at=found.at,
            applies=applied,
            lists=[
                PriceListPrices(
                    price_list=one.code,
                    asked=one.asked,
                    why=one.why,  # type: ignore[arg-type]
                    entries=[
                        JudgedEntry.of(entry, currency=currency, verdict=verdict.value)
                        for entry, verdict in one.entries
                    ],
                )
                for one in found.lists
            ],
        )


class PricePeriod(Out, frozen=True, kw_only=True):
    """What one piece cost for how long; null: it had no price."""

    from_at: datetime
    until_at: datetime | None
    price: Money | None
    kind: Kind | None

    @classmethod
    def of(cls, period: rules.Period, *, currency: str) -> Self:
        amount = period.amount_minor
        return cls(
            from_at=period.from_at,
            until_at=period.until_at,
            price=None if amount is None else Money.of_minor(amount, currency),
            kind=period.kind,  # type: ignore[arg-type]
        )


class PriceTimeline(Out, frozen=True, kw_only=True):
    items: list[PricePeriod]


# Price lists and channels


class CreatePriceList(Body, frozen=True, kw_only=True):
    code: Code
    name: ShortText
    currency: Currency
    channel: Code | None = None
    customer_group: Code | None = None
    priority: Priority = 0
    valid_from: Instant | None = None
    valid_until: Instant | None = None
    active: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        minor_digits(self.currency)


class EditPriceList(Body, frozen=True, kw_only=True):
    name: ShortText | UnsetType = UNSET
    channel: Code | UnsetType | None = UNSET
    customer_group: Code | UnsetType | None = UNSET
    priority: Priority | UnsetType = UNSET
    valid_from: Instant | UnsetType | None = UNSET
    valid_until: Instant | UnsetType | None = UNSET
    active: bool | UnsetType = UNSET


class PriceList(Out, frozen=True, kw_only=True):
    """channel, customer_group: for whom it holds; null: for everybody. Of the lists that hold the
    one of the highest priority is asked first, and the base prices last."""

    code: str
    name: str
    currency: str
    channel: str | None
    customer_group: str | None
    priority: int
    valid_from: datetime | None
    valid_until: datetime | None
    active: bool
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, price_list: PriceListModel) -> Self:
        return cls(
            code=price_list.code,
            name=price_list.name,
            currency=price_list.currency,
            channel=price_list.channel_id,
            customer_group=price_list.customer_group or None,
            priority=price_list.priority,
            valid_from=price_list.valid_from,
            valid_until=price_list.valid_until,
            active=price_list.active,
            created_at=price_list.created_at,
            updated_at=price_list.updated_at,
        )


class NameChannel(Body, frozen=True, kw_only=True):
    name: ShortText


class Channel(Out, frozen=True, kw_only=True):
    code: str
    name: str


class Channels(Out, frozen=True, kw_only=True):
    items: list[Channel]
