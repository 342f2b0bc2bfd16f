"""What the product routes take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from domains.products.api.serializers.categories import CategoryLink
from domains.products.api.serializers.fields import (
    CategoryName,
    Code,
    ExternalId,
    InCurrency,
    Locale,
    NewSlug,
    Quantity,
    Seo,
    SeoDescription,
    SeoTitle,
    Sku,
    Texts,
    given,
)
from domains.products.api.serializers.media import Media
from domains.products.api.serializers.prices import PriceTier, Reduction
from domains.products.queries import products as queries
from domains.products.queries import types
from domains.products.queries.variants import ListedVariant
from domains.products.rules.attributes import MAX_NUMBER, MAX_TEXT
from domains.products.services.products import NewProduct, NewVariant
from infrastructure.http.types import NOT_BLANK, Body, GivenMoney, LongText, Money, Out, ShortText

MAX_VARIANTS = 100
MAX_CATEGORIES = 50
MAX_ATTRIBUTES = 200
MAX_LOCALES = 50
GREATEST = 2_000_000_000

Name = Annotated[str, Meta(max_length=200)]
OptionText = Annotated[str, Meta(min_length=1, max_length=100, pattern=NOT_BLANK)]
Options = Annotated[dict[OptionText, OptionText], Meta(max_length=20)]
ChangedOptions = Annotated[dict[OptionText, OptionText | None], Meta(max_length=20)]
Status = Literal["draft", "active", "archived"]
Unit = Literal["piece", "g", "cm"]
Barcode = Annotated[
    str,
    Meta(
        max_length=64,
        description="8, 12, 13 or 14 digits are a GTIN, whose check digit has to be right.",
        examples=["4006381333931"],
    ),
]
Grams = Annotated[int, Meta(ge=0, le=GREATEST, description="Of one unit, packed, in g.")]
Millimetres = Annotated[int, Meta(ge=0, le=GREATEST, description="Of one unit, packed, in mm.")]
TaxClass = Annotated[Code, Meta(examples=["standard"])]
AttributeCode = Annotated[str, Meta(min_length=1, max_length=64)]
AttributeText = Annotated[str, Meta(max_length=MAX_TEXT)]
AttributeValue = (
    bool
    | Annotated[int, Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
    | Annotated[float, Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
    | AttributeText
    | Annotated[list[AttributeText], Meta(max_length=200)]
)
Attributes = Annotated[
    dict[AttributeCode, AttributeValue],
    Meta(
        max_length=MAX_ATTRIBUTES,
        description="By code, as the product's type says: a text, a number, the code of a choice"
        " or a list of them, true or false, or a date such as 2026-03-31.",
        examples=[{"material": "glass", "dishwasher_safe": True}],
    ),
]
ChangedAttributes = Annotated[
    dict[AttributeCode, AttributeValue | None],
    Meta(
        max_length=MAX_ATTRIBUTES,
        description="Those that change; null takes one away.",
        examples=[{"material": "steel", "dishwasher_safe": None}],
    ),
]
ChangedTexts = Annotated[
    dict[Locale, Texts | None],
    Meta(max_length=MAX_LOCALES, description="Those that change; null takes a locale away."),
]
CategoryNames = Annotated[
    list[CategoryName],
    Meta(
        max_length=MAX_CATEGORIES,
        description="By slug, or `external:` and their external id; not by id. The first is the"
        " main one.",
    ),
]
Position = Annotated[int, Meta(ge=0, le=30_000)]


class ReadProduct(InCurrency, frozen=True, kw_only=True):
    locale: Locale | None = None


class AddedVariant(Body, frozen=True, kw_only=True):
    """price: in one currency; others are set by `PUT /variants/{sku}/price`."""

    sku: Sku
    price: GivenMoney
    name: Name = ""
    options: Options = {}
    unit: Unit = "piece"
    backorder_limit: Quantity = 0
    external_id: ExternalId | None = None
    barcode: Barcode = ""
    attributes: Attributes = {}
    weight_g: Grams | None = None
    length_mm: Millimetres | None = None
    width_mm: Millimetres | None = None
    height_mm: Millimetres | None = None
    tax_class: TaxClass = "standard"

    def to_new(self) -> NewVariant:
        return NewVariant(
            sku=self.sku,
            prices=(self.price.to_money(),),
            name=self.name,
            options=self.options,
            unit=self.unit,
            backorder_limit=self.backorder_limit,
            external_id=self.external_id,
            barcode=self.barcode,
            attributes=self.attributes,
            weight_g=self.weight_g,
            length_mm=self.length_mm,
            width_mm=self.width_mm,
            height_mm=self.height_mm,
            tax_class=self.tax_class,
        )


class AddVariants(Body, frozen=True, kw_only=True):
    variants: Annotated[list[AddedVariant], Meta(min_length=1, max_length=MAX_VARIANTS)]


class CreateProduct(Body, frozen=True, kw_only=True):
    """slug: made from the name where there is none. product_type: its code."""

    name: ShortText
    variants: Annotated[list[AddedVariant], Meta(min_length=1, max_length=MAX_VARIANTS)]
    description: LongText = ""
    status: Literal["draft", "active"] = "draft"
    categories: CategoryNames = []
    slug: NewSlug | None = None
    external_id: ExternalId | None = None
    product_type: Code | None = None
    attributes: Attributes = {}
    seo_title: SeoTitle = ""
    seo_description: SeoDescription = ""
    texts: Annotated[dict[Locale, Texts], Meta(max_length=MAX_LOCALES)] = {}

    def to_new(self) -> NewProduct:
        return NewProduct(
            name=self.name,
            description=self.description,
            status=self.status,
            categories=tuple(self.categories),
            variants=tuple(variant.to_new() for variant in self.variants),
            slug=self.slug,
            external_id=self.external_id,
            product_type=self.product_type,
            attributes=self.attributes,
            seo_title=self.seo_title,
            seo_description=self.seo_description,
            texts={locale: given(texts) for locale, texts in self.texts.items()},
        )


class EditVariant(Body, frozen=True, kw_only=True):
    """What is not mentioned stays, also among options and attributes; null takes away.

    retired: whether it is off sale.
    """

    name: Name | UnsetType = UNSET
    external_id: ExternalId | UnsetType | None = UNSET
    barcode: Barcode | UnsetType = UNSET
    options: ChangedOptions | UnsetType = UNSET
    attributes: ChangedAttributes | UnsetType = UNSET
    unit: Unit | UnsetType = UNSET
    weight_g: Grams | UnsetType | None = UNSET
    length_mm: Millimetres | UnsetType | None = UNSET
    width_mm: Millimetres | UnsetType | None = UNSET
    height_mm: Millimetres | UnsetType | None = UNSET
    tax_class: TaxClass | UnsetType = UNSET
    position: Position | UnsetType = UNSET
    retired: bool | UnsetType = UNSET


class EditProduct(Body, frozen=True, kw_only=True):
    """What is not mentioned stays, also among attributes, texts and variants.

    categories: all of them, in their order. variants: by SKU; for what has to change in several
    of them at once.
    """

    name: ShortText | UnsetType = UNSET
    description: LongText | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    categories: CategoryNames | UnsetType = UNSET
    slug: NewSlug | UnsetType = UNSET
    external_id: ExternalId | UnsetType | None = UNSET
    product_type: Code | UnsetType | None = UNSET
    attributes: ChangedAttributes | UnsetType = UNSET
    seo_title: SeoTitle | UnsetType = UNSET
    seo_description: SeoDescription | UnsetType = UNSET
    texts: ChangedTexts | UnsetType = UNSET
    variants: Annotated[dict[Sku, EditVariant], Meta(max_length=MAX_VARIANTS)] | UnsetType = UNSET


class Variant(Out, frozen=True, kw_only=True):
    """As lists show it."""

    sku: str
    name: str
    options: dict[str, str]
    unit: Unit
    price: Money | None
    reduction: Reduction | None
    price_tiers: list[PriceTier]
    available: bool

    @classmethod
    def of(cls, variant: ListedVariant) -> Self:
        reduction = variant.price.reduction
        return cls(
            sku=variant.sku,
            name=variant.name,
            options=variant.options,
            unit=variant.unit,  # type: ignore[arg-type]
            price=None if variant.price.price is None else Money.of(variant.price.price),
            reduction=None if reduction is None else Reduction.of(reduction),
            price_tiers=[PriceTier.of(tier) for tier in variant.price.tiers],
            available=variant.available,
        )


class ChosenValue(Out, frozen=True, kw_only=True):
    code: str
    name: str


class ShownAttribute(Out, frozen=True, kw_only=True):
    """value: as its kind says. choices: what is chosen, with names in the locale."""

    code: str
    name: str
    kind: Literal["text", "number", "choice", "multi_choice", "boolean", "date"]
    unit: str
    value: bool | float | str | list[str]
    choices: list[ChosenValue]

    @classmethod
    def of(cls, attribute: types.ShownAttribute) -> Self:
        return cls(
            code=attribute.code,
            name=attribute.name,
            kind=attribute.kind,  # type: ignore[arg-type]
            unit=attribute.unit,
            value=attribute.value,
            choices=[ChosenValue(code=c.code, name=c.name) for c in attribute.choices],
        )


class VariantDetail(Variant, frozen=True, kw_only=True):
    """tax_class: which rate of tax holds for it."""

    external_id: str | None
    barcode: str
    weight_g: int | None
    length_mm: int | None
    width_mm: int | None
    height_mm: int | None
    tax_class: str
    attributes: list[ShownAttribute]

    @classmethod
    def of_detail(cls, variant: queries.ShownVariant) -> Self:
        price = variant.price
        return cls(
            sku=variant.sku,
            name=variant.name,
            options=variant.options,
            unit=variant.unit,  # type: ignore[arg-type]
            price=None if price.price is None else Money.of(price.price),
            reduction=None if price.reduction is None else Reduction.of(price.reduction),
            price_tiers=[PriceTier.of(tier) for tier in price.tiers],
            available=variant.available,
            external_id=variant.external_id,
            barcode=variant.barcode,
            weight_g=variant.weight_g,
            length_mm=variant.length_mm,
            width_mm=variant.width_mm,
            height_mm=variant.height_mm,
            tax_class=variant.tax_class,
            attributes=[ShownAttribute.of(attribute) for attribute in variant.attributes],
        )


class ListedIn(CategoryLink, frozen=True, kw_only=True):
    """breadcrumbs: the way there from the top of the tree, the category itself left out."""

    breadcrumbs: list[CategoryLink]


class Product(Out, frozen=True, kw_only=True):
    """categories: the main one first."""

    id: UUID
    slug: str
    external_id: str | None
    name: str
    description: str
    seo: Seo
    status: Status
    product_type: str | None
    attributes: list[ShownAttribute]
    categories: list[ListedIn]
    variants: list[VariantDetail]
    media: list[Media]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, detail: queries.ProductDetail) -> Self:
        product = detail.product
        return cls(
            id=detail.id,
            slug=product.slug,
            external_id=product.external_id,
            name=product.name,
            description=product.description,
            seo=Seo(title=product.seo_title, description=product.seo_description),
            status=product.status,  # type: ignore[arg-type]
            product_type=product.product_type,
            attributes=[ShownAttribute.of(attribute) for attribute in detail.attributes],
            categories=[
                ListedIn(
                    id=trail[-1].id,
                    slug=trail[-1].slug,
                    name=trail[-1].name,
                    breadcrumbs=[CategoryLink.of(step) for step in trail[:-1]],
                )
                for trail in product.trails
            ],
            variants=[VariantDetail.of_detail(variant) for variant in detail.variants],
            media=[Media.of(media) for media in detail.media],
            created_at=product.created_at,
            updated_at=product.updated_at,
        )
