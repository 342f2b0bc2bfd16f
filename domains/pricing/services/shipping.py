"""Commands of shipping methods."""

from __future__ import annotations

from datetime import datetime
from typing import Unpack
from uuid import UUID

from django.db import IntegrityError

from domains.pricing.errors import ShippingMethodTaken
from domains.pricing.models import ShippingMethod
from domains.pricing.models.shipping import ShippingChanges
from domains.pricing.queries import staff
from domains.pricing.services import writing
from infrastructure.database.violations import constraint_of
from infrastructure.http.idempotency import IdempotencyKey


def create_shipping_method(
    *,
    code: str,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
    **terms: Unpack[ShippingChanges],
) -> UUID:
    """Raises ShippingMethodTaken, InvalidShippingMethod; Duplicate for a key used before."""
    method = ShippingMethod.create(code=code, now=now, **terms)
    try:
        writing.add(method, key=idempotency)
    except IntegrityError as error:
        if constraint_of(error) != "pricing_shippingmethod_code_unique":
            raise
        raise ShippingMethodTaken(f"There is or was a shipping method {code}.") from error
    return method.id


def edit_shipping_method(
    *, code: str, version: int | None, now: datetime, **changes: Unpack[ShippingChanges]
) -> ShippingMethod:
    """Change what is given. `version`: the one the change is based on, None for whatever it is.

    Raises ShippingMethodNotFound, InvalidShippingMethod, Archived, ConcurrentModification.
    """
    method = staff.shipping_method_of(code)
    method.require_version(version)
    method.edit(now=now, **changes)
    return writing.save(method)


def archive_shipping_method(
    *,
    code: str,
    version: int | None,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
) -> ShippingMethod:
    """Offer it no more, for good. Raises ShippingMethodNotFound, Archived,
    ConcurrentModification; Duplicate for a key that was used before."""
    method = staff.shipping_method_of(code)
    method.require_version(version)
    method.archive(now=now)
    return writing.save(method, key=idempotency)
