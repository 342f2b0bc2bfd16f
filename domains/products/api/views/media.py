"""The routes of pictures: translate, make one call, translate back."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from domains.products import errors
from domains.products.api.parameters import once
from domains.products.api.serializers import media as serializers
from domains.products.api.serializers.fields import given
from domains.products.models.media import MediaChanges
from domains.products.queries import media as queries
from domains.products.queries.products import product_id_of
from domains.products.services import media as services
from infrastructure import clock
from infrastructure.http.views import APIView, operation
from infrastructure.public_files import StorageUnavailable


class ProductMedia(APIView):
    scopes = {"GET": "catalogue.read", "POST": "catalogue.write"}

    @operation(
        summary="List the pictures of a product, with what became of them",
        responses={200: serializers.MediaList},
        errors=[errors.ProductNotFound],
    )
    def get(self, request: HttpRequest, id_or_slug: str) -> HttpResponse:
        found = queries.media_of_product(product_id_of(id_or_slug))
        items = [serializers.ProductMedia.of_staff(media) for media in found]
        return self.answer(serializers.MediaList(items=items))

    @operation(
        summary="Upload a picture of a product",
        description=(
            "One JPEG, PNG, WebP, GIF (its first frame) or AVIF file. Its bytes say what it is, its"
            " name is not looked at. What is kept was decoded, turned upright, brought to sRGB and"
            " written anew, without metadata. Smaller sizes follow in a moment. Pictures are not"
            " fetched from addresses that a caller names."
        ),
        form=serializers.UploadMedia,
        responses={201: serializers.ProductMedia},
        errors=[
            errors.ProductNotFound,
            errors.ProductArchived,
            errors.VariantNotFound,
            errors.TooManyMedia,
            errors.MediaExists,
            # A repetition of what was deleted since.
            errors.MediaNotFound,
            errors.UnsupportedImage,
            errors.BrokenImage,
            errors.TooManyPixels,
            StorageUnavailable,
        ],
        idempotency="accepted",
        etag=True,
    )
    def post(self, request: HttpRequest, id_or_slug: str) -> HttpResponse:
        form, upload = self.form(serializers.UploadMedia, max_bytes=settings.MEDIA_MAX_BYTES)
        fields: MediaChanges = {"alt": form.alt, "variant": form.variant}
        if form.position is not None:
            fields["position"] = form.position
        with upload.content as file:
            product_id = product_id_of(id_or_slug)
            media_id, headers = once(
                self.idempotency(request, (form, upload.sha256)),
                lambda key: services.add_media(
                    product_id=product_id, file=file, now=clock.now(), idempotency=key, **fields
                ),
            )
        location = reverse("media", kwargs={"media_id": media_id})
        return _answer_media(self, media_id, status=201, headers={"Location": location, **headers})


class MediaDetail(APIView):
    scopes = {"GET": "catalogue.read", "PATCH": "catalogue.write", "DELETE": "catalogue.write"}

    @operation(
        summary="Read a picture, with what became of it",
        responses={200: serializers.ProductMedia},
        errors=[errors.MediaNotFound],
        etag=True,
    )
    def get(self, request: HttpRequest, media_id: UUID) -> HttpResponse:
        return _answer_media(self, media_id)

    @operation(
        summary="Change a picture of a product, or move it",
        description="If-Match takes the ETag of the product, or of another picture of it.",
        body=serializers.EditMedia,
        responses={200: serializers.ProductMedia},
        errors=[
            errors.MediaNotFound,
            errors.ProductArchived,
            errors.VariantNotFound,
            errors.MediaExists,
            errors.UnknownLocale,
        ],
        if_match="accepted",
        etag=True,
        examples={"the first one": {"position": 0}, "in words": {"alt": "A lantern at night"}},
    )
    def patch(self, request: HttpRequest, media_id: UUID) -> HttpResponse:
        body = self.body(serializers.EditMedia)
        services.edit_media(
            media_id=media_id, version=self.if_match(request), now=clock.now(), **given(body)
        )
        return _answer_media(self, media_id)

    @operation(
        summary="Take a picture off a product",
        responses={204: None},
        errors=[errors.MediaNotFound, errors.ProductArchived],
        if_match="accepted",
    )
    def delete(self, request: HttpRequest, media_id: UUID) -> HttpResponse:
        services.remove_media(media_id=media_id, version=self.if_match(request), now=clock.now())
        return self.answer(status=204)


def _answer_media(
    view: APIView, media_id: UUID, *, status: int = 200, headers: dict[str, str] | None = None
) -> HttpResponse:
    shown = queries.media_shown(media_id)
    return view.answer(
        serializers.ProductMedia.of_staff(shown),
        status=status,
        etag=f"{shown.product_version}-{shown.state.lower()}",
        headers=headers,
    )
