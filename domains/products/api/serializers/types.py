"""What the routes of product types take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from domains.products.api.serializers.fields import Code, Locale
from domains.products.models import ProductType as ProductTypeModel
from domains.products.rules.attributes import Kind, Level
from domains.products.rules.types import (
    MAX_ATTRIBUTES,
    MAX_CHOICES,
    AttributeTerms,
    ChoiceTerms,
)
from infrastructure.http.types import Body, Out, PageQuery, ShortText

AttributeCode = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[a-z0-9][a-z0-9_-]*$(?!\s)",
        examples=["material"],
    ),
]
Names = Annotated[
    dict[Locale, ShortText],
    Meta(max_length=50, description="In other locales than the default one."),
]
KindName = Literal["text", "number", "choice", "multi_choice", "boolean", "date"]
LevelName = Literal["product", "variant"]


class ListProductTypes(PageQuery, frozen=True, kw_only=True):
    pass


class Choice(Body, frozen=True, kw_only=True):
    code: AttributeCode
    name: ShortText
    names: Names = {}


class Attribute(Body, frozen=True, kw_only=True):
    """unit: of a number, as it is shown. choices: of a choice or a multi-choice, in their order.
    required: active products have it. level: whether the product has it, or each variant."""

    code: AttributeCode
    name: ShortText
    kind: KindName
    names: Names = {}
    unit: Annotated[str, Meta(max_length=20, examples=["cm"])] = ""
    choices: Annotated[list[Choice], Meta(max_length=MAX_CHOICES)] = []
    required: bool = False
    filterable: bool = False
    level: LevelName = "product"

    def to_terms(self) -> AttributeTerms:
        return AttributeTerms(
            code=self.code,
            name=self.name,
            names=self.names,
            kind=Kind(self.kind),
            unit=self.unit,
            choices=tuple(
                ChoiceTerms(code=choice.code, name=choice.name, names=choice.names)
                for choice in self.choices
            ),
            required=self.required,
            filterable=self.filterable,
            level=Level(self.level),
        )

    @classmethod
    def of(cls, terms: AttributeTerms) -> Self:
        return cls(
            code=terms.code,
            name=terms.name,
            names=dict(terms.names),
            kind=terms.kind.value,
            unit=terms.unit,
            choices=[
                Choice(code=choice.code, name=choice.name, names=dict(choice.names))
                for choice in terms.choices
            ],
            required=terms.required,
            filterable=terms.filterable,
            level=terms.level.value,
        )


Attributes = Annotated[list[Attribute], Meta(max_length=MAX_ATTRIBUTES)]


class CreateProductType(Body, frozen=True, kw_only=True):
    code: Code
    name: ShortText
    attributes: Attributes = []


class EditProductType(Body, frozen=True, kw_only=True):
    """attributes: all of them, in their order; those of the same code are the same ones."""

    name: ShortText | UnsetType = UNSET
    attributes: Attributes | UnsetType = UNSET


class ProductType(Out, frozen=True, kw_only=True):
    id: UUID
    code: str
    name: str
    attributes: list[Attribute]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, shown: ProductTypeModel) -> Self:
        return cls(
            id=shown.id,
            code=shown.code,
            name=shown.name,
            attributes=[Attribute.of(terms) for terms in shown.terms],
            created_at=shown.created_at,
            updated_at=shown.updated_at,
        )
