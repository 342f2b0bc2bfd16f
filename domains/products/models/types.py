"""Types of products: which attributes they have."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db import models

from domains.products.errors import InvalidProductType
from domains.products.rules.attributes import AttributeRule, Kind, Level
from domains.products.rules.types import AttributeTerms, ChoiceTerms, faults_among
from infrastructure.aggregates import AggregateQuerySet, AggregateRoot, Owned, OwnedModel
from infrastructure.ids import new_id


class ProductTypeQuerySet(AggregateQuerySet):
    def locked(self) -> Self:
        """Lock against whoever changes it, and against whoever checks a product by it."""
        return self.select_for_update(of=("self",)).order_by("pk")

    def staying(
        self, codes: Collection[str] = (), *, ids: Collection[UUID] = ()
    ) -> dict[str, ProductType]:
        """Types by their codes, which nobody changes before the transaction ends."""
        if not codes and not ids:
            return {}
        types = self.raw(
            "SELECT * FROM products_producttype"
            " WHERE code = ANY(%s::text[]) OR id = ANY(%s::uuid[]) ORDER BY id FOR SHARE",
            [sorted(codes), sorted(ids)],
        ).prefetch_related("attribute_rows")
        return {found.code: found for found in types}

    def remove_unused(self, type_id: UUID) -> bool:
        """Remove a type that no product has. The caller has locked it."""
        return bool(self.command(_REMOVE_UNUSED, [type_id]))


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

    # Factories

    @classmethod
    def create(
        cls, *, code: str, name: str, attributes: Sequence[AttributeTerms], now: datetime
    ) -> Self:
        """Raises InvalidProductType with all that is wrong."""
        created = cls(code=code, name=name, created_at=now, updated_at=now)
        created._have(attributes)
        return created

    # Commands

    def edit(
        self,
        *,
        name: str | None = None,
        attributes: Sequence[AttributeTerms] | None = None,
        now: datetime,
    ) -> None:
        """Change what is given; whoever calls has looked whether products use what goes.

        Raises InvalidProductType with all that is wrong.
        """
        if name is not None:
            self.name = name
        if attributes is not None:
            self._have(attributes)
        if self.has_changes:
            self.updated_at = now

    def _have(self, attributes: Sequence[AttributeTerms]) -> None:
        faults = faults_among(attributes)
        if faults:
            raise InvalidProductType(errors=faults)
        known = {attribute.code: attribute for attribute in self.attributes}
        self.attributes = [
            (known.get(terms.code) or Attribute(code=terms.code)).become(terms, position)
            for position, terms in enumerate(attributes)
        ]

    # Questions

    def rules(self, level: Level) -> Sequence[AttributeRule]:
        return [attribute.rule for attribute in self.attributes if attribute.level == level]

    @property
    def terms(self) -> Sequence[AttributeTerms]:
        """Its attributes, in their order."""
        return [attribute.terms for attribute in self.attributes]


class Attribute(OwnedModel):
    """One thing that is told of every product of a type, or of every variant.

    unit: of a number, as it is shown. choices: `{"code", "name", "names"}`, in the order in which
    they are shown. names: the attribute's name per locale.
    """

    product_type = models.ForeignKey(
        ProductType, on_delete=models.PROTECT, related_name="attribute_rows", db_index=False
    )
    code = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    names: Any = models.JSONField(default=dict)
    kind = models.CharField(max_length=12, choices=[(kind.value, kind.value) for kind in Kind])
    unit = models.CharField(max_length=20, blank=True)
    choices: Any = models.JSONField(default=list)
    required = models.BooleanField(default=False)
    filterable = models.BooleanField(default=False)
    level = models.CharField(
        max_length=7, choices=[(level.value, level.value) for level in Level], default="product"
    )
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

    def become(self, terms: AttributeTerms, position: int) -> Self:
        self.name, self.names, self.unit = terms.name, dict(terms.names), terms.unit
        self.kind, self.level = terms.kind.value, terms.level.value
        self.required, self.filterable = terms.required, terms.filterable
        self.choices = [
            {"code": choice.code, "name": choice.name, "names": dict(choice.names)}
            for choice in terms.choices
        ]
        self.position = position
        return self

    @property
    def terms(self) -> AttributeTerms:
        return AttributeTerms(
            code=self.code,
            name=self.name,
            names=self.names,
            kind=Kind(self.kind),
            unit=self.unit,
            choices=tuple(ChoiceTerms(**choice) for choice in self.choices),
            required=self.required,
            filterable=self.filterable,
            level=Level(self.level),
        )

    @property
    def rule(self) -> AttributeRule:
        return AttributeRule(
            code=self.code,
            kind=Kind(self.kind),
            required=self.required,
            choices=tuple(choice["code"] for choice in self.choices),
        )


_REMOVE_UNUSED = """
WITH unused AS MATERIALIZED (
    SELECT t.id FROM products_producttype t
    WHERE t.id = %s AND NOT EXISTS (SELECT 1 FROM products_product p WHERE p.product_type_id = t.id)
), attributes AS (
    DELETE FROM products_attribute a USING unused WHERE a.product_type_id = unused.id
)
DELETE FROM products_producttype t USING unused WHERE t.id = unused.id RETURNING t.id
"""
