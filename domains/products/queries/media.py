"""The pictures of products, as lists, details and staff see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from domains.products.errors import MediaNotFound, ProductNotFound
from domains.products.models import Product, ProductMedia
from domains.products.models.listing_card_sql import FROM_PICTURES, picture
from domains.products.models.media import MediaFile
from domains.products.rules.media import original_key, size_key
from infrastructure.database.contexts import connection_of
from infrastructure.public_files import url_of


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedRendition:
    width: int
    height: int
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedMedia:
    """variant: the SKU that it shows, None where it shows all of them. renditions: the smallest
    first; none until a worker has made them."""

    id: UUID
    alt: str
    width: int
    height: int
    url: str
    renditions: tuple[ListedRendition, ...]
    variant: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StaffMedia:
    """A picture with what became of it. failure: why its sizes could not be made, or why the
    last attempt did not succeed."""

    shown: ListedMedia
    product_id: UUID
    product_version: int
    position: int
    alts: dict[str, str]
    byte_size: int
    sha256: str
    state: str
    failure: str
    created_at: datetime


_ALT = "coalesce(nullif(m.alts ->> %s::text, ''), m.alt)"
_ARRAY = f"json_build_array({picture(_ALT)})"

# One JSON array of all pictures per product `p`. Takes the locale.
MEDIA = f"""
    SELECT json_agg({_ARRAY} ORDER BY m.position, m.id)::text {FROM_PICTURES}
"""
# The first picture of a product `p`. Takes the locale.
IMAGE = f"""
    SELECT {_ARRAY}::text {FROM_PICTURES} ORDER BY m.position, m.id LIMIT 1
"""


def media_of(text: str | None) -> tuple[ListedMedia, ...]:
    """What MEDIA found."""
    return tuple(_media(row) for row in msgspec.json.decode(text)) if text else ()


def image_of(text: str | None) -> ListedMedia | None:
    """What IMAGE found."""
    return _media(msgspec.json.decode(text)) if text else None


def thumbnails(product_ids: Sequence[UUID], *, width: int = 160) -> dict[UUID, str]:
    """Addresses of small first pictures, at least so wide where there is one, in one statement.

    Products without a picture are not in the answer.
    """
    rows = connection_of("products").fetch(
        f"""
        SELECT p.id, ({IMAGE}) FROM products_product p WHERE p.id = ANY(%s::uuid[])
        """,
        ["", [str(product_id) for product_id in product_ids]],
    )
    found = {}
    for product_id, text in rows:
        image = image_of(text)
        if image is not None:
            wide = [size.url for size in image.renditions if size.width >= width]
            found[UUID(str(product_id))] = wide[0] if wide else image.url
    return found


def media_of_product(product_id: UUID) -> list[StaffMedia]:
    """All pictures of a product in their order, the failed ones too: one statement, two where
    there are none. Raises ProductNotFound."""
    rows = ProductMedia.objects.select_related("file", "variant", "product")
    found = [_staff_media(row) for row in rows.filter(product_id=product_id)]
    if not found and not Product.objects.filter(pk=product_id).exists():
        raise ProductNotFound(f"There is no product {product_id}.")
    return found


def products_with_pictures(product_ids: Sequence[UUID]) -> set[UUID]:
    """Those of these products that have a picture, if only one whose sizes could not be made."""
    rows = ProductMedia.objects.filter(product_id__in=product_ids)
    return set(rows.values_list("product_id", flat=True))


def media_shown(media_id: UUID) -> StaffMedia:
    """Raises MediaNotFound."""
    rows = ProductMedia.objects.select_related("file", "variant", "product")
    row = rows.filter(pk=media_id).first()
    if row is None:
        raise MediaNotFound(f"There is no picture {media_id}.")
    return _staff_media(row)


def _media(row: Sequence[Any]) -> ListedMedia:
    media_id, alt, sha256, suffix, width, height, renditions, sku = row
    return ListedMedia(
        id=UUID(media_id),
        alt=alt,
        width=width,
        height=height,
        url=url_of(original_key(sha256, suffix)),
        renditions=tuple(
            ListedRendition(width=w, height=h, url=url_of(size_key(sha256, w)))
            for w, h in renditions
        ),
        variant=sku,
    )


def _staff_media(row: ProductMedia) -> StaffMedia:
    file: MediaFile = row.file
    sku = None if row.variant is None else row.variant.sku
    shown = _media(
        (
            str(row.pk),
            row.alt,
            file.sha256,
            file.suffix,
            file.width,
            file.height,
            file.renditions,
            sku,
        )
    )
    return StaffMedia(
        shown=shown,
        product_id=row.product_id,
        product_version=row.product.version,
        position=row.position,
        alts=row.alts,
        byte_size=file.byte_size,
        sha256=file.sha256,
        state=file.state,
        failure=file.failure,
        created_at=row.created_at,
    )
