"""The pictures of a product: sent, described, put in order, taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase

from domains.products.admin import products as screens
from domains.products.admin.fields import NamesField
from domains.products.models import Product
from domains.products.queries.media import StaffMedia, media_of_product
from domains.products.services import media
from infrastructure import clock
from infrastructure.errors import DomainError
from infrastructure.form_fields import LineField
from infrastructure.screens import ServiceForm, version_in

if TYPE_CHECKING:
    from domains.products.admin.products import ProductAdmin

ALL_VARIANTS = "All variants"


class _Fields(ServiceForm):
    alt = LineField(
        required=False, max_length=300, label="What it shows", help_text="Read out to the blind."
    )
    variant = forms.ChoiceField(required=False, label="Of")

    def __init__(self, data: Any, files: Any = None, *, product: Product, **options: Any) -> None:
        super().__init__(data, files, **options)
        choice: Any = self.fields["variant"]
        choice.choices = [
            ("", ALL_VARIANTS),
            *((variant.sku, variant.sku) for variant in product.variants),
        ]


class UploadForm(_Fields):
    file = forms.FileField(label="Picture", help_text="JPEG, PNG, WebP, GIF or AVIF.")

    field_order = ("file", "alt", "variant")
    fields_of_codes = {
        "unsupported_image": "file",
        "broken_image": "file",
        "too_many_pixels": "file",
        "media_exists": "file",
    }

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > settings.MEDIA_MAX_BYTES:
            raise ValidationError(
                f"It has more than {settings.MEDIA_MAX_BYTES // 2**20} megabytes."
            )
        return file


class PictureForm(_Fields):
    place = forms.IntegerField(min_value=1, max_value=1000, label="Place")
    alts = NamesField(label="In other languages", help_text="A line such as de: Laterne")

    field_order = ("place", "alt", "variant", "alts")
    fields_of_codes = {"unknown_locale": "alts"}


def pictures_page(screen: ProductAdmin, request: HttpRequest, product_id: UUID) -> HttpResponseBase:
    found = screen.found(request, product_id)
    product = screens.whole(found.pk)
    shown = media_of_product(product.pk)
    upload = UploadForm(None, product=product)
    edited: dict[UUID, PictureForm] = {}
    stale = False
    if request.method == "POST":
        screen.require_write(request)
        what, _, which = request.POST.get("do", "").partition(":")
        form: ServiceForm
        if what == "upload":
            form = upload = UploadForm(request.POST, request.FILES, product=product)
        else:
            picture = next((one for one in shown if str(one.shown.id) == which), None)
            if picture is None:
                messages.error(request, "That picture is not there any more.")
                return HttpResponseRedirect(request.path)
            form = edited[picture.shown.id] = _form_of(picture, request.POST, product=product)
        if what == "remove" or form.is_valid():
            version = version_in(request.POST)
            try:
                done = _carry_out(product, what, which, form, version)
            except DomainError as refusal:
                stale = refusal.code == "stale_version"
                if what == "remove":
                    messages.error(request, refusal.detail)
                else:
                    form.refuse(refusal)
            else:
                messages.success(request, done)
                return HttpResponseRedirect(request.path)
    return screen.shown(
        request,
        "products/pictures.html",
        title=product.name,
        product=product,
        tabs=screens.tabs(product, "pictures"),
        pictures=[
            (one, _small(one), edited.get(one.shown.id) or _form_of(one, None, product=product))
            for one in shown
        ],
        upload=upload,
        stale=stale,
        may_write=screen.has_write_permission(request)
        and product.status != Product.Status.ARCHIVED,
    )


def _carry_out(product: Product, what: str, which: str, form: ServiceForm, version: int) -> str:
    now = clock.now()
    if what == "remove":
        media.remove_media(media_id=UUID(which), version=version, now=now)
        return "The picture is taken away."
    said = form.cleaned_data
    if what == "upload":
        media.add_media(
            product_id=product.pk,
            file=said["file"].file,
            now=now,
            alt=said["alt"],
            variant=said["variant"] or None,
        )
        return "The picture is shown. Its small sizes follow in a moment."
    assert isinstance(form, PictureForm)
    known = form.initial["alts"]
    media.edit_media(
        media_id=UUID(which),
        version=version,
        now=now,
        alt=said["alt"],
        alts=dict.fromkeys(known) | said["alts"],
        variant=said["variant"] or None,
        position=said["place"] - 1,
    )
    return "The picture is saved."


def _form_of(picture: StaffMedia, data: Any, *, product: Product) -> PictureForm:
    initial = {
        "place": picture.position + 1,
        "alt": picture.shown.alt,
        "variant": picture.shown.variant or "",
        "alts": picture.alts,
    }
    return PictureForm(data, product=product, initial=initial, prefix=f"p{picture.shown.id.hex}")


def _small(picture: StaffMedia) -> str:
    wide = [size.url for size in picture.shown.renditions if size.width >= 300]
    return wide[0] if wide else picture.shown.url
