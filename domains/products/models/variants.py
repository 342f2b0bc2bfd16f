"""The variants of a product. They are changed through it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict, Unpack

from django.db import models

from infrastructure.aggregates import OwnedModel


class VariantChanges(TypedDict, total=False):
    """What can be changed of a variant. options, attributes: None takes a name away, names that
    are not mentioned stay. retired: whether it is taken off sale."""

    name: str
    external_id: str | None
    barcode: str
    options: Mapping[str, str | None]
    attributes: Mapping[str, Any]
    unit: str
    weight_g: int | None
    length_mm: int | None
    width_mm: int | None
    height_mm: int | None
    tax_class: str
    position: int
    retired: bool


class Variant(OwnedModel):
    """One thing that can be put into a cart.

    sku: case-sensitive, never changed.
    unit: what a quantity of one is; goods by weight or length are sold by the gram or centimetre.
    weight_g, length_mm, width_mm, height_mm: of one unit, packed.
    retired_at: since when it is neither sold nor shown; orders, stock and ledger keep it.
    """

    class Unit(models.TextChoices):
        PIECE = "piece"
        GRAM = "g"
        CENTIMETRE = "cm"

    product = models.ForeignKey("Product", on_delete=models.PROTECT, related_name="variant_rows")
    sku = models.CharField(max_length=64)
    external_id = models.CharField(max_length=200, null=True)
    barcode = models.CharField(max_length=64, blank=True)
    name = models.CharField(max_length=200, blank=True)
    options: Any = models.JSONField(default=dict)
    attributes: Any = models.JSONField(default=dict)
    unit = models.CharField(max_length=8, choices=Unit, default=Unit.PIECE.value)
    weight_g = models.PositiveIntegerField(null=True)
    length_mm = models.PositiveIntegerField(null=True)
    width_mm = models.PositiveIntegerField(null=True)
    height_mm = models.PositiveIntegerField(null=True)
    tax_class = models.CharField(max_length=64, default="standard")
    position = models.PositiveSmallIntegerField(default=0)
    retired_at = models.DateTimeField(null=True)

    class Meta(OwnedModel.Meta):
        ordering = ("position", "id")
        constraints = [
            models.UniqueConstraint(fields=["sku"], name="products_variant_sku_unique"),
            models.UniqueConstraint(
                fields=["external_id"], name="products_variant_external_id_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.sku

    def edit(self, *, now: datetime, **changes: Unpack[VariantChanges]) -> bool:
        """Change what is given, by the product. Returns whether anything is different now."""
        wanted: dict[str, Any] = dict(changes)
        for name in ("options", "attributes"):
            if name in wanted:
                wanted[name] = merged_values(getattr(self, name), wanted[name])
        if "retired" in wanted and wanted.pop("retired") != (self.retired_at is not None):
            wanted["retired_at"] = None if self.retired_at else now
        differ = {name for name, value in wanted.items() if value != getattr(self, name)}
        for name in differ:
            setattr(self, name, wanted[name])
        return bool(differ)


def merged_values(known: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """As a JSON merge patch does it (RFC 7396)."""
    merged = {**known, **changes}
    return {name: value for name, value in merged.items() if value is not None}
