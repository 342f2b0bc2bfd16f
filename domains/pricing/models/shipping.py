"""How the shop ships."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Self, TypedDict, Unpack

import msgspec
from django.db import models

from domains.pricing.errors import InvalidShippingMethod
from domains.pricing.models.archiving import Archivable
from domains.pricing.rules.checks import rate_faults
from domains.pricing.rules.shipping import plain_postcode
from domains.pricing.rules.terms import STANDARD_TAX_CLASS, ShippingKind, ShippingRate
from infrastructure.aggregates import AggregateQuerySet
from infrastructure.ids import new_id

# A type is looked at where it is declared, before threads come.
msgspec.json.Decoder(dict[str, ShippingRate])


class ShippingChanges(TypedDict, total=False):
    """What can be changed of a shipping method; see ShippingTerms."""

    name: str
    kind: str
    tax_class: str
    rates: Mapping[str, ShippingRate]
    countries: Collection[str]
    channels: Collection[str]
    not_to: Collection[str]
    position: int
    active: bool


class ShippingMethod(Archivable):
    """A way that goods go, and what it costs where; `rules.terms.ShippingTerms` says what is what.

    code: never changes, and is given to nothing else, since orders name it.
    position: of those that go somewhere the first is the default there.
    active: whether it is offered.
    """

    class Kind(models.TextChoices):
        FLAT = ShippingKind.FLAT.value
        WEIGHT = ShippingKind.WEIGHT.value

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    code = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=6, choices=Kind)
    tax_class = models.CharField(max_length=64, default=STANDARD_TAX_CLASS)
    rates: Any = models.JSONField(default=dict)
    countries: Any = models.JSONField(default=list)
    channels: Any = models.JSONField(default=list)
    not_to: Any = models.JSONField(default=list)
    position = models.IntegerField(default=0)
    active = models.BooleanField(default=True)

    objects = AggregateQuerySet.as_manager()

    class Meta:
        ordering = ("position", "code")
        constraints = [
            models.UniqueConstraint(fields=["code"], name="pricing_shippingmethod_code_unique"),
        ]

    def __str__(self) -> str:
        return self.name

    # Factories

    @classmethod
    def create(cls, *, code: str, now: datetime, **terms: Unpack[ShippingChanges]) -> Self:
        """Raises InvalidShippingMethod."""
        method = cls(code=code, created_at=now)
        method._become(now=now, **terms)
        return method

    # Commands

    def edit(self, *, now: datetime, **changes: Unpack[ShippingChanges]) -> None:
        """Change what is given. Raises InvalidShippingMethod, Archived."""
        self.refuse_archived()
        self._become(now=now, **changes)

    def archive(self, *, now: datetime) -> None:
        """Raises Archived."""
        self._put_away(now)

    def _become(self, *, now: datetime, **terms: Unpack[ShippingChanges]) -> None:
        values: dict[str, Any] = dict(terms)
        if "rates" in terms:
            values["rates"] = {
                currency: msgspec.to_builtins(rate)
                for currency, rate in sorted(terms["rates"].items())
            }
        for name in ("countries", "channels"):
            if name in values:
                values[name] = sorted(set(values[name]))
        if "not_to" in values:
            values["not_to"] = sorted({plain_postcode(text) for text in values["not_to"]} - {""})
        if all(getattr(self, name) == value for name, value in values.items()) and self.updated_at:
            return
        for name, value in values.items():
            setattr(self, name, value)
        faults = list(rate_faults(self.kind, self.terms_of_rates))
        if faults:
            raise InvalidShippingMethod(errors=faults)
        self.updated_at = now

    # Questions

    @property
    def terms_of_rates(self) -> dict[str, ShippingRate]:
        return msgspec.convert(self.rates, dict[str, ShippingRate])
