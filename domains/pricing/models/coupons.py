"""Codes that bring a promotion."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Self, TypedDict, Unpack
from uuid import UUID

from django.db import models

from domains.pricing.errors import InvalidCoupon
from domains.pricing.models.archiving import Archivable
from domains.pricing.models.promotions import Promotion
from domains.pricing.models.redemptions import Tally
from domains.pricing.rules.checks import limit_faults
from domains.pricing.rules.codes import MAX_LENGTH, is_code, plain_code
from infrastructure.aggregates import AggregateQuerySet
from infrastructure.errors import FieldError
from infrastructure.ids import new_id


class CouponChanges(TypedDict, total=False):
    usage_limit: int | None
    usage_limit_per_customer: int | None


class Coupon(Archivable):
    """A code. Whoever has it may use it, as often as its limits and its promotion's allow.

    code: never changes, and is given to nothing else. batch_id, batch: of codes that were made
    together, and what they are called.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    code = models.CharField(max_length=MAX_LENGTH)
    promotion = models.ForeignKey(Promotion, on_delete=models.PROTECT, related_name="+")
    batch_id = models.UUIDField(null=True)
    batch = models.CharField(max_length=100, blank=True)
    usage_limit = models.IntegerField(null=True)
    usage_limit_per_customer = models.IntegerField(null=True)

    objects = AggregateQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=["code"], name="pricing_coupon_code_unique"),
        ]
        indexes = [
            models.Index(
                fields=["batch_id"],
                name="pricing_coupon_batch",
                condition=models.Q(batch_id__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return self.code

    # Factories

    @classmethod
    def create(
        cls,
        *,
        code: str,
        promotion: Promotion,
        batch_id: UUID | None = None,
        batch: str = "",
        now: datetime,
        **limits: Unpack[CouponChanges],
    ) -> Self:
        """Raises InvalidCoupon; Archived, where the promotion is."""
        promotion.refuse_archived()
        plain = plain_code(code)
        faults = []
        if not is_code(plain):
            faults.append(
                FieldError("/code", "bad_format", "Letters, digits, - and _; 40 at most.")
            )
        if promotion.automatic:
            faults.append(
                FieldError("/promotion_id", "promotion_needs_no_coupon", "Everybody gets it.")
            )
        if faults:
            raise InvalidCoupon(errors=faults)
        coupon = cls(
            code=plain, promotion_id=promotion.id, batch_id=batch_id, batch=batch, created_at=now
        )
        coupon._become(now=now, **limits)
        coupon.write_along(Tally(owner_id=coupon.id))
        return coupon

    # Commands

    def edit(self, *, now: datetime, **limits: Unpack[CouponChanges]) -> None:
        """A limit may fall below what has been used: then it is used up. Raises InvalidCoupon,
        Archived."""
        self.refuse_archived()
        if any(getattr(self, name) != value for name, value in limits.items()):
            self._become(now=now, **limits)

    def archive(self, *, now: datetime) -> None:
        """Raises Archived."""
        self._put_away(now)

    def _become(self, *, now: datetime, **limits: Unpack[CouponChanges]) -> None:
        for name, value in limits.items():
            setattr(self, name, value)
        faults = self._faults()
        if faulty := list(faults):
            raise InvalidCoupon(errors=faulty)
        self.updated_at = now

    def _faults(self) -> Iterator[FieldError]:
        return limit_faults(self.usage_limit, self.usage_limit_per_customer)
