"""Commands of tax rates."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Unpack
from uuid import UUID

from django.db import IntegrityError

from domains.pricing.errors import TaxRateTaken
from domains.pricing.models import TaxRate
from domains.pricing.models.taxes import TaxChanges
from domains.pricing.queries import staff
from domains.pricing.services import writing
from infrastructure.database.violations import constraint_of
from infrastructure.http.idempotency import IdempotencyKey


def create_tax_rate(
    *,
    country: str,
    tax_class: str,
    name: str,
    percent: Decimal,
    region: str = "",
    now: datetime,
    idempotency: IdempotencyKey | None = None,
) -> UUID:
    """Raises TaxRateTaken, InvalidTaxRate; Duplicate for a key that was used before."""
    rate = TaxRate.create(
        country=country, region=region, tax_class=tax_class, name=name, percent=percent, now=now
    )
    try:
        writing.add(rate, key=idempotency)
    except IntegrityError as error:
        if constraint_of(error) != "pricing_taxrate_unique":
            raise
        place = " ".join(filter(None, (country, rate.region)))
        raise TaxRateTaken(f"{place} has a rate for {tax_class} already.") from error
    return rate.id


def edit_tax_rate(
    *, rate_id: UUID, version: int | None, now: datetime, **changes: Unpack[TaxChanges]
) -> TaxRate:
    """Raises TaxRateNotFound, InvalidTaxRate, Archived, ConcurrentModification."""
    rate = staff.tax_rate_of(rate_id)
    rate.require_version(version)
    rate.edit(now=now, **changes)
    return writing.save(rate)


def archive_tax_rate(
    *,
    rate_id: UUID,
    version: int | None,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
) -> TaxRate:
    """The place may get another rate. Raises TaxRateNotFound, Archived, ConcurrentModification;
    Duplicate for a key that was used before."""
    rate = staff.tax_rate_of(rate_id)
    rate.require_version(version)
    rate.archive(now=now)
    return writing.save(rate, key=idempotency)
