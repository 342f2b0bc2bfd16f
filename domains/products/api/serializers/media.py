"""What the routes of pictures take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from domains.products.api.serializers.fields import Sku
from domains.products.queries import media as queries
from domains.products.rules.media import MAX_MEDIA
from infrastructure.http.types import Body, Out

Alt = Annotated[str, Meta(max_length=300, description="What the picture shows, in words.")]
Locale = Annotated[str, Meta(min_length=1, max_length=16)]
Position = Annotated[int, Meta(ge=0, le=MAX_MEDIA - 1, description="0 is the first picture.")]
State = Literal["UPLOADING", "PROCESSING", "READY", "FAILED"]


class UploadMedia(Body, frozen=True, kw_only=True):
    """The fields beside the file."""

    alt: Alt = ""
    variant: Sku | None = None
    position: Position | None = None


class EditMedia(Body, frozen=True, kw_only=True):
    """alts: per locale, null takes one away. variant: null for all of them."""

    alt: Alt | UnsetType = UNSET
    alts: Annotated[dict[Locale, Alt | None], Meta(max_length=50)] | UnsetType = UNSET
    variant: Sku | UnsetType | None = UNSET
    position: Position | UnsetType = UNSET


class Rendition(Out, frozen=True, kw_only=True):
    """A size of a picture, in WebP."""

    width: int
    height: int
    url: str


class Media(Out, frozen=True, kw_only=True):
    """A picture. `url`: the largest, as JPEG or PNG. `renditions`: the smallest first; empty until
    they are made, a moment after the upload. `variant`: the SKU that it shows, null for all."""

    id: UUID
    alt: str
    width: int
    height: int
    url: str
    renditions: list[Rendition]
    variant: str | None

    @classmethod
    def of(cls, media: queries.ListedMedia) -> Self:
        return cls(
            id=media.id,
            alt=media.alt,
            width=media.width,
            height=media.height,
            url=media.url,
            renditions=[
                Rendition(width=size.width, height=size.height, url=size.url)
                for size in media.renditions
            ],
            variant=media.variant,
        )


class ProductMedia(Media, frozen=True, kw_only=True):
    """A picture as staff see it. `failure`: what went wrong with its sizes, if anything did; a
    FAILED one is not shown. `sha256`, `byte_size`: of the file at `url`."""

    product_id: UUID
    position: int
    alts: dict[str, str]
    state: State
    failure: str
    byte_size: int
    sha256: str
    created_at: datetime

    @classmethod
    def of_staff(cls, media: queries.StaffMedia) -> Self:
        shown = Media.of(media.shown)
        return cls(
            **{name: getattr(shown, name) for name in Media.__struct_fields__},
            product_id=media.product_id,
            position=media.position,
            alts=media.alts,
            state=media.state,  # type: ignore[arg-type]
            failure=media.failure,
            byte_size=media.byte_size,
            sha256=media.sha256,
            created_at=media.created_at,
        )


class MediaList(Out, frozen=True, kw_only=True):
    """All pictures of a product, in their order."""

    items: list[ProductMedia]
