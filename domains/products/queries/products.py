"""One product, as its page shows it: one statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import msgspec

from domains.products.errors import ProductNotFound
from domains.products.queries.categories import TRAIL, Moved, Step
from domains.products.queries.media import MEDIA, ListedMedia, media_of
from domains.products.queries.prices import PRICE, PRICES, PricesFor, ShownPrice
from domains.products.queries.variants import priced
from domains.products.rules.slugs import named_by
from infrastructure.database.contexts import connection_of


class ShownChoice(msgspec.Struct, frozen=True, array_like=True):
    code: str
    name: str


class ShownAttribute(msgspec.Struct, frozen=True, array_like=True):
    """value: as its kind says; choices: what is chosen, with its name in the locale."""

    code: str
    name: str
    kind: str
    unit: str
    value: Any
    choices: tuple[ShownChoice, ...]


@dataclass(frozen=True, slots=True)
class ShownVariant:
    sku: str
    external_id: str | None
    name: str
    options: dict[str, str]
    unit: str
    barcode: str
    weight_g: int | None
    length_mm: int | None
    width_mm: int | None
    height_mm: int | None
    tax_class: str
    available: bool
    attributes: tuple[ShownAttribute, ...]
    price: ShownPrice


class ShownProduct(msgspec.Struct, frozen=True, array_like=True):
    """trails: per category that it is listed in, the way there from the top of the tree."""

    slug: str
    external_id: str | None
    name: str
    description: str
    seo_title: str
    seo_description: str
    status: str
    version: int
    product_type: str | None
    attributes: tuple[ShownAttribute, ...]
    trails: tuple[tuple[Step, ...], ...]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductDetail:
    id: UUID
    product: ShownProduct
    variants: tuple[ShownVariant, ...]
    media: tuple[ListedMedia, ...]


# The attributes that `owner` has values for, of the type of the product `p`. Takes the locale for
# the name, and once more for the choices.
_ATTRIBUTES = """
    SELECT coalesce(json_agg(json_build_array(
        a.code, coalesce(a.names ->> %s::text, a.name), a.kind, a.unit,
        {owner}.attributes -> a.code,
        CASE WHEN a.kind IN ('choice', 'multi_choice') THEN (
            SELECT coalesce(json_agg(json_build_array(
                c.choice ->> 'code',
                coalesce(c.choice -> 'names' ->> %s::text, c.choice ->> 'name')
            ) ORDER BY c.place), '[]'::json)
            FROM jsonb_array_elements(a.choices) WITH ORDINALITY AS c (choice, place)
            WHERE {owner}.attributes -> a.code @> (c.choice -> 'code')
        ) ELSE '[]'::json END
    ) ORDER BY a.position, a.id), '[]'::json)
    FROM products_attribute a
    WHERE a.product_type_id = p.product_type_id AND a.level = '{level}'
        AND {owner}.attributes ? a.code
"""
_ATTRIBUTES_OF_PRODUCT = _ATTRIBUTES.format(owner="p", level="product")
_ATTRIBUTES_OF_VARIANT = _ATTRIBUTES.format(owner="v", level="variant")

# Takes the locale twice for each set of attributes and once for the categories, the parameters of
# PricesFor, and the locale for pictures and texts.
_DETAIL = f"""
    SELECT p.id, json_build_array(
        p.slug, p.external_id,
        coalesce(nullif(t.name, ''), p.name),
        coalesce(nullif(t.description, ''), p.description),
        coalesce(nullif(t.seo_title, ''), p.seo_title),
        coalesce(nullif(t.seo_description, ''), p.seo_description),
        p.status, p.version,
        (SELECT pt.code FROM products_producttype pt WHERE pt.id = p.product_type_id),
        ({_ATTRIBUTES_OF_PRODUCT}),
        (
            SELECT coalesce(json_agg(({TRAIL.format(start="l.category_id")})
                ORDER BY l.position, l.id), '[]'::json)
            FROM products_productcategory l WHERE l.product_id = p.id
        ),
        p.created_at, p.updated_at
    )::text, (
        SELECT json_agg(json_build_array(
            v.sku, v.external_id, v.name, v.options, v.unit, v.barcode, v.weight_g, v.length_mm,
            v.width_mm, v.height_mm, v.tax_class, s.on_hand + s.backorder_limit - s.held > 0,
            ({_ATTRIBUTES_OF_VARIANT}), {PRICE}
        ) ORDER BY v.position, v.id)::text
        FROM products_variant v
        JOIN products_stockitem s ON s.variant_id = v.id
        {PRICES}
        WHERE v.product_id = p.id AND v.retired_at IS NULL
    ), ({MEDIA})
    FROM products_product p
    LEFT JOIN products_producttext t ON t.product_id = p.id AND t.locale = %s
    WHERE p.{{column}} = %s {{shown}}
"""

_decode_product = msgspec.json.Decoder(ShownProduct).decode


def product_shown(
    name: str, *, prices: PricesFor, locale: str, hidden_too: bool
) -> ProductDetail | Moved:
    """One product, by its id, its slug, or `external:` and its external id.

    One statement; a second one looks for an old slug, which is answered with the new one.
    hidden_too: whether the caller may see what is not on sale. Raises ProductNotFound.
    """
    column, key = named_by(name)
    rows = connection_of("products").fetch(
        _detail_text(column, hidden_too),
        [locale] * 5 + prices.params + [locale, locale, key],
    )
    if not rows:
        return Moved(slug=_slug_now(name, hidden_too=hidden_too))
    product_id, product, variants, media = rows[0]
    return ProductDetail(
        id=product_id,
        product=_decode_product(product),
        variants=tuple(
            ShownVariant(*[*facts, tuple(_attribute(*told) for told in attributes), price])
            for (*facts, attributes), price in priced(variants, prices)
        ),
        media=media_of(media),
    )


def product_id_of(name: str) -> UUID:
    """By id, slug, or `external:` and external id. Raises ProductNotFound."""
    column, key = named_by(name)
    rows = connection_of("products").fetch(
        f"SELECT id FROM products_product WHERE {column} = %s", [key]
    )
    if not rows:
        raise ProductNotFound(f"There is no product {name}.")
    found: UUID = rows[0][0]
    return found


@cache
def _detail_text(column: str, hidden_too: bool) -> str:
    return _DETAIL.format(column=column, shown="" if hidden_too else "AND p.status = 'active'")


def _attribute(
    code: str, name: str, kind: str, unit: str, value: Any, choices: list[list[str]]
) -> ShownAttribute:
    return ShownAttribute(
        code, name, kind, unit, value, tuple(ShownChoice(*choice) for choice in choices)
    )


def _slug_now(name: str, *, hidden_too: bool) -> str:
    """Raises ProductNotFound."""
    rows = connection_of("products").fetch(
        "SELECT p.slug, p.status FROM products_productslug s"
        " JOIN products_product p ON p.id = s.product_id WHERE s.slug = %s",
        [name],
    )
    if not rows or not (hidden_too or rows[0][1] == "active"):
        raise ProductNotFound(f"There is no product {name}.")
    slug: str = rows[0][0]
    return slug
