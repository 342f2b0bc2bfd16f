"""One product, as its page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import msgspec

from domains.products.errors import ProductNotFound, UnknownProduct
from domains.products.queries.categories import TRAIL, Moved, Step
from domains.products.queries.media import MEDIA, ListedMedia, media_of
from domains.products.queries.price_sql import PRICE, PRICES
from domains.products.queries.prices import PricesFor, ShownPrice
from domains.products.queries.types import ShownAttribute, attributes_shown, definitions_of
from domains.products.queries.variants import priced
from domains.products.rules.slugs import named_by
from infrastructure.database.contexts import connection_of
from infrastructure.errors import FieldError


class ShownVariant(msgspec.Struct, frozen=True):
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
    """values: of its attributes, by code. trails: per category that it is listed in, the way there
    from the top of the tree."""

    slug: str
    external_id: str | None
    name: str
    description: str
    seo_title: str
    seo_description: str
    status: str
    version: int
    type_id: UUID | None
    type_version: int | None
    product_type: str | None
    values: dict[str, Any]
    trails: tuple[tuple[Step, ...], ...]
    created_at: datetime
    updated_at: datetime


class ProductDetail(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    product: ShownProduct
    attributes: tuple[ShownAttribute, ...]
    variants: tuple[ShownVariant, ...]
    media: tuple[ListedMedia, ...]


# Takes the locale for the categories, the parameters of PricesFor, and the locale for pictures and
# texts.
_DETAIL = f"""
    SELECT p.id, json_build_array(
        p.slug, p.external_id,
        coalesce(nullif(t.name, ''), p.name),
        coalesce(nullif(t.description, ''), p.description),
        coalesce(nullif(t.seo_title, ''), p.seo_title),
        coalesce(nullif(t.seo_description, ''), p.seo_description),
        p.status, p.version,
        y.id, y.version, y.code, p.attributes,
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
            v.attributes, {PRICE}
        ) ORDER BY v.position, v.id)::text
        FROM products_variant v
        JOIN products_stockitem s ON s.variant_id = v.id
        {PRICES}
        WHERE v.product_id = p.id AND v.retired_at IS NULL
    ), ({MEDIA})
    FROM products_product p
    LEFT JOIN products_producttype y ON y.id = p.product_type_id
    LEFT JOIN products_producttext t ON t.product_id = p.id AND t.locale = %s
    WHERE p.{{column}} = %s {{shown}}
"""

_decode_product = msgspec.json.Decoder(ShownProduct).decode


def product_shown(
    name: str, *, prices: PricesFor, locale: str, hidden_too: bool
) -> ProductDetail | Moved:
    """One product, by its id, its slug, or `external:` and its external id.

    One statement. A second one where this process does not know the attributes of the product's
    type yet, or to look for an old slug, which is answered with the new one.
    hidden_too: whether the caller may see what is not on sale. Raises ProductNotFound.
    """
    column, key = named_by(name)
    rows = connection_of("products").fetch(
        _detail_text(column, hidden_too),
        [locale, *prices.params, locale, locale, key],
    )
    if not rows:
        return Moved(slug=_slug_now(name, hidden_too=hidden_too))
    product_id, product_text, variants, media = rows[0]
    product = _decode_product(product_text)
    attributes = definitions_of(product.type_id, product.type_version)
    return ProductDetail(
        id=product_id,
        product=product,
        attributes=attributes_shown(attributes, "product", product.values, locale),
        variants=tuple(
            ShownVariant(*[*facts, attributes_shown(attributes, "variant", values, locale), price])
            for (*facts, values), price in priced(variants, prices)
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


_IDS_NAMED = """
    SELECT 'id', id::text, id FROM products_product WHERE id = ANY(%s::uuid[])
    UNION ALL SELECT 'slug', slug, id FROM products_product WHERE slug = ANY(%s::text[])
    UNION ALL SELECT 'external_id', external_id, id FROM products_product
     WHERE external_id = ANY(%s::text[])
"""


def product_ids_at(places: Mapping[str, str]) -> dict[str, UUID]:
    """The products that an input names, each as `product_id_of` takes it, by where it does so: JSON
    pointers. One statement. Raises UnknownProduct with every place that names none."""
    named = {place: named_by(name) for place, name in places.items()}
    keys = {
        place: (column, str(UUID(key)) if column == "id" else key)
        for place, (column, key) in named.items()
    }
    asked = [
        sorted({key for column, key in keys.values() if column == wanted})
        for wanted in ("id", "slug", "external_id")
    ]
    rows = connection_of("products").fetch(_IDS_NAMED, asked)
    found = {(column, key): product_id for column, key, product_id in rows}
    unknown = [
        FieldError(place, UnknownProduct.code, f"There is no product {places[place]}.")
        for place, key in keys.items()
        if key not in found
    ]
    if unknown:
        raise UnknownProduct(errors=unknown)
    return {place: found[key] for place, key in keys.items()}


@cache
def _detail_text(column: str, hidden_too: bool) -> str:
    return _DETAIL.format(column=column, shown="" if hidden_too else "AND p.status = 'active'")


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
