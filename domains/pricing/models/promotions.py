"""Promotions: what is taken off, and when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Self, TypedDict, Unpack

import msgspec
from django.db import models

from domains.pricing.errors import InvalidPromotion
from domains.pricing.events import PromotionChanged
from domains.pricing.models.archiving import Archivable
from domains.pricing.models.redemptions import Tally
from domains.pricing.rules.checks import promotion_faults
from domains.pricing.rules.terms import Conditions, PromotionKind, PromotionTerms
from infrastructure.aggregates import AggregateQuerySet
from infrastructure.ids import new_id

# A type is looked at where it is declared, before threads come.
msgspec.json.Decoder(Conditions)


class PromotionChanges(TypedDict, total=False):
    """What can be changed of a promotion; see PromotionTerms. Its kind stays, and whether it needs
    a coupon."""

    name: str
    percent: Decimal
    amounts_minor: Mapping[str, int]
    priority: int
    combinable: bool
    conditions: Conditions
    valid_from: datetime | None
    valid_until: datetime | None
    usage_limit: int | None
    usage_limit_per_customer: int | None
    active: bool


class Promotion(Archivable):
    """What is taken off; `rules.terms.PromotionTerms` says what is what.

    active: a paused one holds for nobody. usage_limit and usage_limit_per_customer count the orders
    that used it since it has one.
    """

    class Kind(models.TextChoices):
        PERCENTAGE = PromotionKind.PERCENTAGE.value
        FIXED_ORDER = PromotionKind.FIXED_ORDER.value, "fixed amount on the order"
        FIXED_ITEM = PromotionKind.FIXED_ITEM.value, "fixed amount on each item"
        FREE_SHIPPING = PromotionKind.FREE_SHIPPING.value

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=13, choices=Kind)
    automatic = models.BooleanField()
    percent = models.DecimalField(max_digits=7, decimal_places=4, default=Decimal(0))
    amounts_minor: Any = models.JSONField(default=dict)
    priority = models.IntegerField(default=0)
    combinable = models.BooleanField(default=True)
    conditions: Any = models.JSONField(default=dict)
    valid_from = models.DateTimeField(null=True)
    valid_until = models.DateTimeField(null=True)
    usage_limit = models.IntegerField(null=True)
    usage_limit_per_customer = models.IntegerField(null=True)
    active = models.BooleanField(default=True)

    objects = AggregateQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = [
            # What every quote may need: few of the many that there have been.
            models.Index(
                fields=["valid_until"],
                name="pricing_promotion_current",
                condition=models.Q(active=True, automatic=True, archived_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return self.name

    # Factories

    @classmethod
    def create(
        cls, *, kind: str, automatic: bool, now: datetime, **terms: Unpack[PromotionChanges]
    ) -> Self:
        """Raises InvalidPromotion."""
        promotion = cls(kind=PromotionKind(kind).value, automatic=automatic, created_at=now)
        promotion._become(now, dict(terms))
        promotion.record(promotion._changed((), now))
        promotion.write_along(Tally(owner_id=promotion.id))
        return promotion

    # Commands

    def edit(self, *, now: datetime, **changes: Unpack[PromotionChanges]) -> None:
        """Change what is given. Raises InvalidPromotion, Archived."""
        self.refuse_archived()
        changed = self._become(now, dict(changes))
        if changed:
            self.record(self._changed(changed, now))

    def archive(self, *, now: datetime) -> None:
        """It holds for nobody any more, and neither do its coupons. Raises Archived."""
        self._put_away(now)
        self.record(self._changed(("status",), now))

    def _become(self, now: datetime, values: dict[str, Any]) -> tuple[str, ...]:
        """Returns the names of what is different now."""
        if "conditions" in values:
            values["conditions"] = msgspec.to_builtins(
                values["conditions"], order="sorted", str_keys=True
            )
        if "amounts_minor" in values:
            values["amounts_minor"] = dict(sorted(values["amounts_minor"].items()))
        changed = tuple(name for name, value in values.items() if getattr(self, name) != value)
        for name in changed:
            setattr(self, name, values[name])
        asks = self.asks
        faults = list(
            promotion_faults(
                kind=self.kind,
                percent=self.percent,
                amounts_minor=self.amounts_minor,
                minimums_minor=asks.minimum_subtotal_minor,
                shipping_methods=bool(asks.shipping_methods),
                usage_limit=self.usage_limit,
                usage_limit_per_customer=self.usage_limit_per_customer,
                valid_from=self.valid_from,
                valid_until=self.valid_until,
            )
        )
        if faults:
            raise InvalidPromotion(errors=faults)
        if changed:
            self.updated_at = now
        return changed

    def _changed(self, changed: tuple[str, ...], now: datetime) -> PromotionChanged:
        return PromotionChanged(
            promotion_id=self.id,
            promotion=self.name,
            kind=self.kind,
            automatic=self.automatic,
            status=self.status,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            changed=changed,
            occurred_at=now,
        )

    # Questions

    @property
    def status(self) -> str:
        if self.is_archived:
            return "archived"
        return "active" if self.active else "paused"

    @property
    def asks(self) -> Conditions:
        return msgspec.convert(self.conditions, Conditions)

    @property
    def terms(self) -> PromotionTerms:
        """As quotes take it, for a preview: as if nobody had used it yet."""
        return PromotionTerms(
            id=self.id,
            name=self.name,
            kind=PromotionKind(self.kind),
            automatic=self.automatic,
            percent=self.percent,
            amounts_minor=self.amounts_minor,
            priority=self.priority,
            combinable=self.combinable,
            conditions=self.asks,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            usage_limit=self.usage_limit,
            usage_limit_per_customer=self.usage_limit_per_customer,
        )
