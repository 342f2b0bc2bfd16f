"""The facts that pricing publishes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from infrastructure.events.event import Event, published

TOPIC = "pricing-events"

# Always with its offset; so the schema says what kind of text it is.
Instant = Annotated[datetime, Meta(tz=True)]


@published("pricing.promotion_changed", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class PromotionChanged(Event):
    """A promotion was made or changed. changed: what is different; empty for a new one.

    status: `active`, `paused` or `archived`, which is final.
    """

    promotion_id: UUID
    promotion: str
    kind: str
    automatic: bool
    status: str
    valid_from: Instant | None
    valid_until: Instant | None
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RedeemedUse:
    """coupon: null for a promotion that needed none."""

    promotion_id: UUID
    coupon: str | None


@published("pricing.coupon_redeemed", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class CouponRedeemed(Event):
    """An order used coupons, or promotions that are limited: all of these at once."""

    order_id: UUID
    uses: tuple[RedeemedUse, ...]


@published("pricing.coupon_returned", topic=TOPIC, version=1)
@dataclass(frozen=True, kw_only=True, slots=True)
class CouponReturned(Event):
    """What the order had used may be used again, by anybody."""

    order_id: UUID
