"""What the routes of promotions and coupons take and answer."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from domains.pricing.api.serializers.fields import (
    Amounts,
    CouponCode,
    Instant,
    Limit,
    Name,
    Percent,
    Position,
    given,
    minors,
    texts,
)
from domains.pricing.models import Coupon as CouponRow
from domains.pricing.models import Promotion as PromotionRow
from domains.pricing.rules import terms
from domains.pricing.rules.codes import MAX_PREFIX_LENGTH
from domains.pricing.rules.taxes import rate_text
from domains.pricing.services.coupons import MOST_AT_ONCE
from infrastructure.http.types import (
    ONE_LINE,
    Body,
    CountryCode,
    Currency,
    Out,
    PageQuery,
    ShortText,
)

Kind = Literal["percentage", "fixed_order", "fixed_item", "free_shipping"]
Status = Literal["active", "paused", "archived"]
Sku = Annotated[str, Meta(min_length=1, max_length=64, pattern=ONE_LINE)]
Slug = Annotated[str, Meta(min_length=1, max_length=200, pattern=ONE_LINE)]
BatchName = Annotated[str, Meta(max_length=100, pattern=ONE_LINE)]
_Many = Meta(max_length=1000)


class Conditions(Body, frozen=True, kw_only=True):
    """When it holds, and for which lines; what is left out does not matter.

    A line is meant that is in at least one of skus, product_ids and categories (slugs; those below
    count too). minimum_subtotal (by currency) and minimum_quantity count the lines that are meant,
    before any discount. shipping_methods: which ones free shipping is about.
    """

    minimum_subtotal: Amounts = {}
    minimum_quantity: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    skus: Annotated[list[Sku], _Many] = []
    product_ids: Annotated[list[UUID], _Many] = []
    categories: Annotated[list[Slug], _Many] = []
    customer_groups: Annotated[list[Name], _Many] = []
    countries: Annotated[list[CountryCode], _Many] = []
    currencies: Annotated[list[Currency], _Many] = []
    channels: Annotated[list[Name], _Many] = []
    shipping_methods: Annotated[list[Name], _Many] = []
    not_on_sale: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        minors(self.minimum_subtotal)

    def to_terms(self) -> terms.Conditions:
        return terms.Conditions(
            minimum_subtotal_minor=minors(self.minimum_subtotal),
            minimum_quantity=self.minimum_quantity,
            skus=frozenset(self.skus),
            product_ids=frozenset(self.product_ids),
            categories=frozenset(self.categories),
            customer_groups=frozenset(self.customer_groups),
            countries=frozenset(self.countries),
            currencies=frozenset(self.currencies),
            channels=frozenset(self.channels),
            shipping_methods=frozenset(self.shipping_methods),
            not_on_sale=self.not_on_sale,
        )

    @classmethod
    def of(cls, asks: terms.Conditions) -> Self:
        return cls(
            minimum_subtotal=texts(asks.minimum_subtotal_minor),
            minimum_quantity=asks.minimum_quantity,
            skus=sorted(asks.skus),
            product_ids=sorted(asks.product_ids),
            categories=sorted(asks.categories),
            customer_groups=sorted(asks.customer_groups),
            countries=sorted(asks.countries),
            currencies=sorted(asks.currencies),
            channels=sorted(asks.channels),
            shipping_methods=sorted(asks.shipping_methods),
            not_on_sale=asks.not_on_sale,
        )


class ListPromotions(PageQuery, frozen=True, kw_only=True):
    status: Status | None = None
    kind: Kind | None = None
    automatic: bool | None = None


class CreatePromotion(Body, frozen=True, kw_only=True):
    """automatic: everybody gets it; else a coupon brings it. percent: of a percentage. amounts: of
    a fixed amount, on the order or on each item. Of two the higher priority goes first; one that
    cannot be combined stays alone."""

    name: ShortText
    kind: Kind
    automatic: bool
    percent: Percent | None = None
    amounts: Amounts = {}
    priority: Position = 0
    combinable: bool = True
    conditions: Conditions = Conditions()
    valid_from: Instant | None = None
    valid_until: Instant | None = None
    usage_limit: Limit | None = None
    usage_limit_per_customer: Limit | None = None
    active: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        minors(self.amounts)

    def terms(self) -> dict[str, Any]:
        return _terms(given(self))


class EditPromotion(Body, frozen=True, kw_only=True):
    """Its kind stays, and whether it needs a coupon. conditions are replaced as a whole."""

    name: ShortText | UnsetType = UNSET
    percent: Percent | UnsetType = UNSET
    amounts: Amounts | UnsetType = UNSET
    priority: Position | UnsetType = UNSET
    combinable: bool | UnsetType = UNSET
    conditions: Conditions | UnsetType = UNSET
    valid_from: Instant | UnsetType | None = UNSET
    valid_until: Instant | UnsetType | None = UNSET
    usage_limit: Limit | UnsetType | None = UNSET
    usage_limit_per_customer: Limit | UnsetType | None = UNSET
    active: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.amounts is not UNSET:
            minors(self.amounts)

    def changes(self) -> dict[str, Any]:
        return _terms(given(self))


class Promotion(Out, frozen=True, kw_only=True):
    """used: by how many orders, counted while it has a limit of its own."""

    id: UUID
    name: str
    kind: Kind
    automatic: bool
    status: Status
    percent: str | None
    amounts: dict[str, str]
    priority: int
    combinable: bool
    conditions: Conditions
    valid_from: datetime | None
    valid_until: datetime | None
    usage_limit: int | None
    usage_limit_per_customer: int | None
    used: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: PromotionRow) -> Self:
        """row: with `used`."""
        return cls(
            id=row.id,
            name=row.name,
            kind=row.kind,  # type: ignore[arg-type]
            automatic=row.automatic,
            status=row.status,  # type: ignore[arg-type]
            percent=rate_text(row.percent) if row.percent else None,
            amounts=texts(row.amounts_minor),
            priority=row.priority,
            combinable=row.combinable,
            conditions=Conditions.of(row.asks),
            valid_from=row.valid_from,
            valid_until=row.valid_until,
            usage_limit=row.usage_limit,
            usage_limit_per_customer=row.usage_limit_per_customer,
            used=row.used,  # type: ignore[attr-defined]
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


# Coupons


class ListCoupons(PageQuery, frozen=True, kw_only=True):
    """prefix: what the code begins with."""

    promotion_id: UUID | None = None
    batch_id: UUID | None = None
    prefix: CouponCode | None = None
    archived: bool | None = None


class CreateCoupon(Body, frozen=True, kw_only=True):
    """code: letters are capital in it, however they are typed."""

    code: CouponCode
    promotion_id: UUID
    usage_limit: Limit | None = None
    usage_limit_per_customer: Limit | None = None


class CreateCoupons(Body, frozen=True, kw_only=True):
    """So many codes by chance, each for one order unless said otherwise."""

    count: Annotated[int, Meta(ge=1, le=MOST_AT_ONCE)]
    batch: BatchName = ""
    prefix: Annotated[str, Meta(max_length=MAX_PREFIX_LENGTH, pattern=ONE_LINE)] = ""
    usage_limit: Limit | None = 1
    usage_limit_per_customer: Limit | None = None


class EditCoupon(Body, frozen=True, kw_only=True):
    usage_limit: Limit | UnsetType | None = UNSET
    usage_limit_per_customer: Limit | UnsetType | None = UNSET


class Coupon(Out, frozen=True, kw_only=True):
    """used: how many orders use it at present."""

    code: str
    promotion_id: UUID
    batch_id: UUID | None
    batch: str
    usage_limit: int | None
    usage_limit_per_customer: int | None
    used: int
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None

    @classmethod
    def of(cls, row: CouponRow) -> Self:
        """row: with `used`."""
        return cls(
            code=row.code,
            promotion_id=row.promotion_id,
            batch_id=row.batch_id,
            batch=row.batch,
            usage_limit=row.usage_limit,
            usage_limit_per_customer=row.usage_limit_per_customer,
            used=row.used,  # type: ignore[attr-defined]
            created_at=row.created_at,
            updated_at=row.updated_at,
            archived_at=row.archived_at,
        )


class CouponBatch(Out, frozen=True, kw_only=True):
    batch_id: UUID
    codes: list[str]


def _terms(found: dict[str, Any]) -> dict[str, Any]:
    """As the services take them."""
    if "conditions" in found:
        found["conditions"] = found["conditions"].to_terms()
    if "amounts" in found:
        found["amounts_minor"] = minors(found.pop("amounts"))
    if "percent" in found:
        found["percent"] = Decimal(found["percent"] or 0)
    return found
