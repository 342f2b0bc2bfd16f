"""What is taxed how much where."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Self, TypedDict, Unpack

from django.db import models

from domains.pricing.errors import InvalidTaxRate
from domains.pricing.models.archiving import Archivable
from infrastructure.aggregates import AggregateQuerySet
from infrastructure.errors import FieldError
from infrastructure.ids import new_id


class TaxChanges(TypedDict, total=False):
    name: str
    percent: Decimal


class TaxRate(Archivable):
    """The rate of a tax class in a country, or in a region of it.

    country, region, tax_class: never change. region: as addresses write it, in capitals; empty for
    the whole country. percent: 20 for 20 %.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    country = models.CharField(max_length=2)
    region = models.CharField(max_length=100, blank=True)
    tax_class = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    percent = models.DecimalField(max_digits=7, decimal_places=4)

    objects = AggregateQuerySet.as_manager()

    class Meta:
        ordering = ("country", "region", "tax_class")
        constraints = [
            models.UniqueConstraint(
                fields=["country", "region", "tax_class"],
                condition=models.Q(archived_at__isnull=True),
                name="pricing_taxrate_unique",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.country}"

    # Factories

    @classmethod
    def create(
        cls,
        *,
        country: str,
        tax_class: str,
        name: str,
        percent: Decimal,
        region: str = "",
        now: datetime,
    ) -> Self:
        """Raises InvalidTaxRate."""
        rate = cls(
            country=country, region=region.strip().upper(), tax_class=tax_class, created_at=now
        )
        rate._become(name=name, percent=percent, now=now)
        return rate

    # Commands

    def edit(self, *, now: datetime, **changes: Unpack[TaxChanges]) -> None:
        """Orders keep the rate that they were placed with. Raises InvalidTaxRate, Archived."""
        self.refuse_archived()
        if any(getattr(self, name) != value for name, value in changes.items()):
            self._become(now=now, **changes)

    def archive(self, *, now: datetime) -> None:
        """Raises Archived."""
        self._put_away(now)

    def _become(self, *, now: datetime, **changes: Unpack[TaxChanges]) -> None:
        for name, value in changes.items():
            setattr(self, name, value)
        if not 0 <= self.percent < 1000:
            fault = FieldError("/percent", "invalid_percentage", "At least 0 and below 1000.")
            raise InvalidTaxRate(errors=[fault])
        self.updated_at = now
