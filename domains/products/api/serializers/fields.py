"""Field types that several areas take."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from domains.products.rules import names
from domains.products.rules.slugs import EXTERNAL, MAX_SLUG_LENGTH
from domains.products.rules.stock import MAX_QUANTITY
from infrastructure.http.types import ONE_LINE, Body, Currency, LongText, Out, Query

Sku = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=names.SKU,
        examples=["85123A"],
    ),
]
Slug = Annotated[str, Meta(min_length=1, max_length=MAX_SLUG_LENGTH)]
CategoryName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=len(EXTERNAL) + MAX_SLUG_LENGTH,
        description="The slug of a category, or `external:` and its external id; not its id.",
        examples=["lanterns"],
    ),
]
ProductName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=len(EXTERNAL) + MAX_SLUG_LENGTH,
        description="The id of a product, its slug, or `external:` and its external id.",
        examples=["white-metal-lantern"],
    ),
]
Quantity = Annotated[int, Meta(ge=0, le=MAX_QUANTITY)]
Locale = Annotated[
    str,
    Meta(
        min_length=2,
        max_length=16,
        description="One of the shop's locales; texts that it lacks are in the default one.",
        examples=["de"],
    ),
]
# Part of paths, behind `external:`. Whatever other systems call their things.
ExternalId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=names.EXTERNAL_ID,
        description="What another system calls it; `external:` in front of it names it in paths.",
        examples=["erp-4711"],
    ),
]
NewSlug = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_SLUG_LENGTH,
        pattern=names.SLUG,
        description="Its part of the URL. Old ones are redirected to the new one.",
        examples=["hanging-lantern"],
    ),
]
SeoTitle = Annotated[str, Meta(max_length=200)]
SeoDescription = Annotated[str, Meta(max_length=500)]


class Texts(Body, frozen=True, kw_only=True):
    """In one locale. An empty text is shown in the default one."""

    name: Annotated[str, Meta(max_length=200, pattern=ONE_LINE)] | UnsetType = UNSET
    description: LongText | UnsetType = UNSET
    seo_title: SeoTitle | UnsetType = UNSET
    seo_description: SeoDescription | UnsetType = UNSET


class Seo(Out, frozen=True, kw_only=True):
    """For search engines; empty where nothing special is to be said."""

    title: str
    description: str


Code = Annotated[str, Meta(min_length=1, max_length=40, pattern=names.CODE, examples=["web"])]


class InCurrency(Query, frozen=True, kw_only=True):
    """channel: whose price lists hold besides those for everybody."""

    currency: Currency | None = None
    channel: Code | None = None


class InLocale(Query, frozen=True, kw_only=True):
    locale: Locale | None = None


def given(body: msgspec.Struct) -> dict[str, Any]:
    """The fields that the caller sent, of a body whose fields are all optional; so are those of
    the bodies in it."""
    return {
        name: _plain(value)
        for name in body.__struct_fields__
        if (value := getattr(body, name)) is not UNSET
    }


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return given(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value
