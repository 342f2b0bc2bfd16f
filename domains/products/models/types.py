"""Types of products: which attributes they have."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Self
from uuid import UUID

from django.db import models

from domains.products.rules.attributes import AttributeRule, Kind, Level
from infrastructure.aggregates import AggregateQuerySet, AggregateRoot, Owned, OwnedModel
from infrastructure.ids import new_id


class ProductTypeQuerySet(AggregateQuerySet):
    def locked(self) -> Self:
        """Lock against whoever changes it, and against whoever checks a product by it."""
        return self.select_for_update(of=("self",)).order_by("pk")

    def staying(
        self, *, codes: Collection[str] = (), ids: Collection[UUID] = ()
    ) -> dict[str, ProductType]:
        """Types by their codes, which nobody changes before the transaction ends."""
        types = self.raw(
            "SELECT * FROM products_producttype"
            " WHERE code = ANY(%s::text[]) OR id = ANY(%s::uuid[]) ORDER BY id FOR SHARE",
            [sorted(codes), sorted(ids)],
        ).prefetch_related("attribute_rows")
        return {found.code: found for found in types}


class ProductType(AggregateRoot):
    """What kind of thing a product is, and which attributes such things have."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    code = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    attributes = Owned("attribute_rows")

    objects = ProductTypeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["code"], name="products_producttype_code_unique"),
        ]

    def __str__(self) -> str:
        return self.name

    def rules(self, level: Level) -> Sequence[AttributeRule]:
        return [attribute.rule for attribute in self.attributes if attribute.level == level]


class Attribute(OwnedModel):
    """One thing that is told of every product of a type, or of every variant.

    unit: of a number, as it is shown. choices: `{"code", "name", "names"}`, in the order in which
    they are shown. names: the attribute's name per locale.
    """

    Kind = models.TextChoices("Kind", {kind.name: kind.value for kind in Kind})
    Level = models.TextChoices("Level", {level.name: level.value for level in Level})

    product_type = models.ForeignKey(
        ProductType, on_delete=models.PROTECT, related_name="attribute_rows", db_index=False
    )
    code = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    names: Any = models.JSONField(default=dict)
    kind = models.CharField(max_length=12, choices=Kind)
    unit = models.CharField(max_length=20, blank=True)
    choices: Any = models.JSONField(default=list)
    required = models.BooleanField(default=False)
    filterable = models.BooleanField(default=False)
    level = models.CharField(max_length=7, choices=Level, default="product")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta(OwnedModel.Meta):
        ordering = ("position", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["product_type", "code"], name="products_attribute_code_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def rule(self) -> AttributeRule:
        return AttributeRule(
            code=self.code,
            kind=Kind(self.kind),
            required=self.required,
            choices=tuple(choice["code"] for choice in self.choices),
        )
