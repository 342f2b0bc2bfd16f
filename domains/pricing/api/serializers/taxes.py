"""What the routes of tax rates take and answer."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from msgspec import UNSET, UnsetType

from domains.pricing.api.serializers.fields import Percent, Region, TaxClass, given
from domains.pricing.models import TaxRate as TaxRateRow
from domains.pricing.rules.taxes import rate_text
from domains.pricing.rules.terms import STANDARD_TAX_CLASS
from infrastructure.http.types import Body, CountryCode, Out, PageQuery, ShortText


class ListTaxRates(PageQuery, frozen=True, kw_only=True):
    country: CountryCode | None = None
    tax_class: TaxClass | None = None
    archived: bool | None = None


class CreateTaxRate(Body, frozen=True, kw_only=True):
    """region: as addresses write it; empty for the whole country."""

    country: CountryCode
    region: Region = ""
    tax_class: TaxClass = STANDARD_TAX_CLASS
    name: ShortText
    percent: Percent


class EditTaxRate(Body, frozen=True, kw_only=True):
    name: ShortText | UnsetType = UNSET
    percent: Percent | UnsetType = UNSET

    def changes(self) -> dict[str, Any]:
        found = given(self)
        if "percent" in found:
            found["percent"] = Decimal(found["percent"])
        return found


class TaxRate(Out, frozen=True, kw_only=True):
    id: UUID
    country: str
    region: str
    tax_class: str
    name: str
    percent: str
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None

    @classmethod
    def of(cls, row: TaxRateRow) -> Self:
        return cls(
            id=row.id,
            country=row.country,
            region=row.region,
            tax_class=row.tax_class,
            name=row.name,
            percent=rate_text(row.percent),
            created_at=row.created_at,
            updated_at=row.updated_at,
            archived_at=row.archived_at,
        )
