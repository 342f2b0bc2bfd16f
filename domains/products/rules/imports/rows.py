"""The types of the rows: the same for CSV, JSON Lines and the API.

What a row does not name stays as it is; null empties it. Of options, attributes, texts and prices
each entry is a value of its own, named or not.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from domains.products.rules import names
from domains.products.rules.attributes import MAX_NUMBER, MAX_TEXT
from domains.products.rules.slugs import MAX_SLUG_LENGTH
from domains.products.rules.stock import MAX_QUANTITY
from infrastructure.http.types import NOT_BLANK, ONE_LINE, Currency, LongText, Named, ShortText

MAX_VARIANTS = 100
MAX_CATEGORIES = 50
MAX_ATTRIBUTES = 100
MAX_CHOICES = 500
MAX_LOCALES = 50

Sku = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=names.SKU, examples=["MH01-XS-Black"])
]
Code = Annotated[str, Meta(min_length=1, max_length=40, pattern=names.CODE, examples=["top"])]
AttributeCode = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=names.CODE, examples=["material"])
]
WarehouseCode = Annotated[
    str, Meta(min_length=1, max_length=32, pattern=names.CODE, examples=["main"])
]
ExternalId = Annotated[
    str, Meta(min_length=1, max_length=200, pattern=names.EXTERNAL_ID, examples=["MH01"])
]
Slug = Annotated[
    str, Meta(min_length=1, max_length=MAX_SLUG_LENGTH, pattern=names.SLUG, examples=["hoodie"])
]
Reference = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=210,
        description="A slug, or `external:` and an external id.",
        examples=["external:tops"],
    ),
]
Barcode = Annotated[str, Meta(min_length=1, max_length=64)]
Title = Annotated[str, Meta(max_length=200)]
Summary = Annotated[str, Meta(max_length=500)]
OptionText = Annotated[str, Meta(min_length=1, max_length=100, pattern=NOT_BLANK)]
Locale = Annotated[str, Meta(min_length=2, max_length=16)]
Amount = Annotated[
    str, Meta(pattern=r"^\d{1,16}(\.\d{1,4})?$(?![\s\S])", max_length=21, examples=["12.30"])
]
Measure = Annotated[int, Meta(ge=0, le=MAX_QUANTITY)]
Quantity = Annotated[int, Meta(ge=0, le=MAX_QUANTITY)]
Change = Annotated[int, Meta(ge=-MAX_QUANTITY, le=MAX_QUANTITY)]
AttributeText = Annotated[str, Meta(max_length=MAX_TEXT)]
AttributeValue = (
    bool
    | Annotated[int, Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
    | Annotated[float, Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
    | AttributeText
    | Annotated[list[AttributeText], Meta(max_length=MAX_CHOICES)]
    | None
)
Attributes = Annotated[dict[AttributeCode, AttributeValue], Meta(max_length=MAX_ATTRIBUTES)]


class Row(Named, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row of an import."""


class TextsRow(Row, frozen=True, kw_only=True):
    """The texts in one language."""

    name: Annotated[str, Meta(max_length=200, pattern=ONE_LINE)] | UnsetType | None = UNSET
    description: LongText | UnsetType | None = UNSET
    seo_title: Title | UnsetType | None = UNSET
    seo_description: Summary | UnsetType | None = UNSET


Texts = Annotated[dict[Locale, TextsRow | None], Meta(max_length=MAX_LOCALES)]


class VariantRow(Row, frozen=True, kw_only=True):
    sku: Sku
    external_id: ExternalId | UnsetType | None = UNSET
    name: Title | UnsetType | None = UNSET
    barcode: Barcode | UnsetType | None = UNSET
    options: Annotated[dict[OptionText, OptionText | None], Meta(max_length=20)] | UnsetType = UNSET
    attributes: Attributes | UnsetType = UNSET
    weight_g: Measure | UnsetType | None = UNSET
    length_mm: Measure | UnsetType | None = UNSET
    width_mm: Measure | UnsetType | None = UNSET
    height_mm: Measure | UnsetType | None = UNSET
    tax_class: Code | UnsetType = UNSET
    unit: Literal["piece", "g", "cm"] | UnsetType = UNSET
    retired: bool | UnsetType = UNSET
    prices: Annotated[dict[Currency, Amount], Meta(max_length=50)] | UnsetType = UNSET


class ProductRow(Row, frozen=True, kw_only=True):
    """A product, found by its external id, or else its slug, or else one of its SKUs."""

    external_id: ExternalId | UnsetType | None = UNSET
    slug: Slug | UnsetType = UNSET
    name: ShortText | UnsetType = UNSET
    description: LongText | UnsetType | None = UNSET
    seo_title: Title | UnsetType | None = UNSET
    seo_description: Summary | UnsetType | None = UNSET
    status: Literal["draft", "active", "archived"] | UnsetType = UNSET
    product_type: Code | UnsetType | None = UNSET
    attributes: Attributes | UnsetType = UNSET
    categories: Annotated[list[Reference], Meta(max_length=MAX_CATEGORIES)] | UnsetType | None = (
        UNSET
    )
    texts: Texts | UnsetType = UNSET
    variants: Annotated[list[VariantRow], Meta(max_length=MAX_VARIANTS)] = []


class CategoryRow(Row, frozen=True, kw_only=True):
    """A category, found by its external id, or else its slug."""

    external_id: ExternalId | UnsetType = UNSET
    slug: Slug | UnsetType = UNSET
    name: ShortText | UnsetType = UNSET
    description: LongText | UnsetType | None = UNSET
    seo_title: Title | UnsetType | None = UNSET
    seo_description: Summary | UnsetType | None = UNSET
    parent: Reference | UnsetType | None = UNSET
    position: Annotated[str, Meta(pattern="^[0-9A-Za-z]+$", max_length=100)] | UnsetType = UNSET
    texts: Texts | UnsetType = UNSET


Names = Annotated[dict[Locale, ShortText | None], Meta(max_length=MAX_LOCALES)]


class ChoiceRow(Row, frozen=True, kw_only=True):
    code: AttributeCode
    name: ShortText
    names: Names | UnsetType = UNSET


class AttributeRow(Row, frozen=True, kw_only=True):
    code: AttributeCode
    name: ShortText
    names: Names | UnsetType = UNSET
    kind: Literal["text", "number", "choice", "multi_choice", "boolean", "date"] = "text"
    unit: Annotated[str, Meta(max_length=20)] = ""
    choices: Annotated[list[ChoiceRow], Meta(max_length=MAX_CHOICES)] = []
    required: bool = False
    filterable: bool = False
    level: Literal["product", "variant"] = "product"


class ProductTypeRow(Row, frozen=True, kw_only=True):
    """A type of products with all its attributes, found by its code."""

    code: Code
    name: ShortText | UnsetType = UNSET
    attributes: Annotated[list[AttributeRow], Meta(max_length=MAX_ATTRIBUTES)] = []


class PriceRow(Row, frozen=True, kw_only=True):
    """A price of a SKU, in the base list unless one is named."""

    sku: Sku
    currency: Currency
    amount: Amount
    price_list: Code | None = None
    kind: Literal["regular", "sale"] = "regular"
    min_quantity: Annotated[int, Meta(ge=1, le=MAX_QUANTITY)] = 1
    valid_from: Annotated[datetime, Meta(tz=True)] | None = None
    valid_until: Annotated[datetime, Meta(tz=True)] | None = None


class StockRow(Row, frozen=True, kw_only=True):
    """A count (`on_hand`, if wanted with the number it was based on) or a change (`delta`)."""

    sku: Sku
    warehouse: WarehouseCode = "main"
    on_hand: Quantity | UnsetType = UNSET
    change_from: Quantity | UnsetType = UNSET
    delta: Change | UnsetType = UNSET
    reason: ShortText = "import"

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.on_hand is UNSET) == (self.delta is UNSET):
            raise ValueError("Give either on_hand or delta")
        if self.change_from is not UNSET and self.on_hand is UNSET:
            raise ValueError("change_from belongs to on_hand")


ROWS: dict[str, type[Row]] = {
    "products": ProductRow,
    "categories": CategoryRow,
    "product-types": ProductTypeRow,
    "prices": PriceRow,
    "stock": StockRow,
}
"""Kind of file -> the type of its rows."""
