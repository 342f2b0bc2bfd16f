"""Commands of coupons."""

from __future__ import annotations

from datetime import datetime
from typing import Unpack
from uuid import UUID

from django.db import IntegrityError

from domains.pricing.errors import CouponTaken, InvalidCoupon
from domains.pricing.models import Coupon
from domains.pricing.models.coupons import CouponChanges
from domains.pricing.queries import staff
from domains.pricing.rules.codes import MAX_PREFIX_LENGTH, plain_code, random_code
from domains.pricing.services import writing
from infrastructure.database.contexts import atomic
from infrastructure.database.violations import constraint_of
from infrastructure.errors import FieldError
from infrastructure.http.idempotency import IdempotencyKey, duplicates
from infrastructure.ids import new_id

MOST_AT_ONCE = 10_000
_BATCH = 1_000


def create_coupon(
    *,
    code: str,
    promotion_id: UUID,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
    **limits: Unpack[CouponChanges],
) -> UUID:
    """Raises PromotionNotFound, CouponTaken, InvalidCoupon, Archived; Duplicate for a key that was
    used before."""
    coupon = Coupon.create(code=code, promotion=staff.promotion_of(promotion_id), now=now, **limits)
    try:
        writing.add(coupon, key=idempotency)
    except IntegrityError as error:
        if constraint_of(error) != "pricing_coupon_code_unique":
            raise
        raise CouponTaken(f"There is or was a coupon {coupon.code}.") from error
    return coupon.id


def create_coupons(
    *,
    promotion_id: UUID,
    count: int,
    batch: str,
    prefix: str = "",
    usage_limit: int | None = 1,
    usage_limit_per_customer: int | None = None,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
) -> UUID:
    """Make so many codes by chance, all or none; each may be used once unless said otherwise.

    batch: what they are called together. prefix: what each begins with. Returns the batch's id.
    Raises PromotionNotFound, InvalidCoupon, Archived; Duplicate for a key that was used before.
    """
    prefix = plain_code(prefix)
    faults = []
    if not 1 <= count <= MOST_AT_ONCE:
        faults.append(FieldError("/count", "out_of_range", f"From 1 to {MOST_AT_ONCE:,}."))
    if len(prefix) > MAX_PREFIX_LENGTH:
        faults.append(FieldError("/prefix", "too_long", f"{MAX_PREFIX_LENGTH} characters at most."))
    if faults:
        raise InvalidCoupon(errors=faults)
    promotion, batch_id = staff.promotion_of(promotion_id), new_id()
    codes: dict[str, None] = {}
    while len(codes) < count:
        codes[random_code(prefix)] = None
    coupons = [
        Coupon.create(
            code=code,
            promotion=promotion,
            batch_id=batch_id,
            batch=batch,
            usage_limit=usage_limit,
            usage_limit_per_customer=usage_limit_per_customer,
            now=now,
        )
        for code in codes
    ]
    with atomic("pricing"), duplicates():
        if idempotency is not None:
            coupons[0].write_along(idempotency.record(batch_id, now))
        for start in range(0, len(coupons), _BATCH):
            Coupon.objects.add_all(coupons[start : start + _BATCH])
    return batch_id


def edit_coupon(
    *, code: str, version: int | None, now: datetime, **limits: Unpack[CouponChanges]
) -> Coupon:
    """Raises CouponNotFound, InvalidCoupon, Archived, ConcurrentModification."""
    coupon = staff.coupon_of(code)
    coupon.require_version(version)
    coupon.edit(now=now, **limits)
    return writing.save(coupon)


def archive_coupon(
    *,
    code: str,
    version: int | None,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
) -> Coupon:
    """Nobody may use it any more; who used it keeps what it brought. Raises CouponNotFound,
    Archived, ConcurrentModification; Duplicate for a key that was used before."""
    coupon = staff.coupon_of(code)
    coupon.require_version(version)
    coupon.archive(now=now)
    return writing.save(coupon, key=idempotency)
