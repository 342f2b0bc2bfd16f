"""Commands of promotions."""

from __future__ import annotations

from datetime import datetime
from typing import Unpack
from uuid import UUID

from domains.pricing.models import Promotion
from domains.pricing.models.promotions import PromotionChanges
from domains.pricing.queries import staff
from domains.pricing.services import writing
from infrastructure.http.idempotency import IdempotencyKey


def create_promotion(
    *,
    kind: str,
    automatic: bool,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
    **terms: Unpack[PromotionChanges],
) -> UUID:
    """Raises InvalidPromotion; Duplicate for a key that was used before."""
    promotion = Promotion.create(kind=kind, automatic=automatic, now=now, **terms)
    writing.add(promotion, key=idempotency)
    return promotion.id


def edit_promotion(
    *, promotion_id: UUID, version: int | None, now: datetime, **changes: Unpack[PromotionChanges]
) -> Promotion:
    """Change what is given; orders that were placed keep what they got.

    Raises PromotionNotFound, InvalidPromotion, Archived, ConcurrentModification.
    """
    promotion = staff.promotion_of(promotion_id)
    promotion.require_version(version)
    promotion.edit(now=now, **changes)
    return writing.save(promotion)


def archive_promotion(
    *,
    promotion_id: UUID,
    version: int | None,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
) -> Promotion:
    """Raises PromotionNotFound, Archived, ConcurrentModification; Duplicate for a key that was used
    before."""
    promotion = staff.promotion_of(promotion_id)
    promotion.require_version(version)
    promotion.archive(now=now)
    return writing.save(promotion, key=idempotency)
