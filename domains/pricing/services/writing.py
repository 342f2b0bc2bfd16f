"""What the commands of pricing share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from django.conf import settings
from django.db import models

from domains.pricing.models import Coupon, Promotion
from domains.pricing.models.archiving import Archivable
from domains.pricing.queries import terms
from infrastructure.cache import invalidation
from infrastructure.database.contexts import alias_of, atomic, on_commit
from infrastructure.http.idempotency import IdempotencyKey, duplicates

Kept = TypeVar("Kept", bound=Archivable)


def add(new: Archivable, *, key: IdempotencyKey | None) -> None:
    """Save something new, with the record of the key that asked for it."""
    with atomic("pricing"), duplicates():
        new.save(also=_record(new, key, new.created_at))
    tell(new)


def save(found: Kept, *, key: IdempotencyKey | None = None) -> Kept:
    """Save what was changed, if it was, with the record of the key that asked for it."""
    if found.has_changes:
        with atomic("pricing"), duplicates():
            found.save(also=_record(found, key, found.updated_at))
        tell(found)
    return found


def _record(
    written: Archivable, key: IdempotencyKey | None, now: datetime
) -> Sequence[models.Model]:
    return [] if key is None else [key.record(written.pk, now)]


def tell(changed: Archivable) -> None:
    """Let quotes be made from what has changed at once, here and elsewhere. Coupons, and promotions
    that need one, are no part of the terms that are known: each quote looks them up."""
    if isinstance(changed, Coupon) or (isinstance(changed, Promotion) and not changed.automatic):
        return
    on_commit("pricing", terms.forget)
    if settings.CACHE_ENABLED:
        invalidation.after_commit(alias_of("pricing"), [terms.TAG], shown=False)
