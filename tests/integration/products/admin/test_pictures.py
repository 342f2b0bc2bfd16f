"""The pictures of a product in the admin."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from domains.products.models import ProductMedia
from domains.products.queries.media import thumbnails
from domains.products.services.products import edit_product
from tests.support.admin_pages import filled, text_of
from tests.support.factories import pictures, products
from tests.support.product_pictures import use_folder

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings: LazySettings, tmp_path: Path) -> Path:
    return use_folder(settings, tmp_path / "media")


@pytest.fixture
def lantern(now: datetime) -> UUID:
    return products.product(now=now, sku="A")


def page_of(product_id: UUID) -> str:
    return reverse("admin:products_product_pictures", args=[product_id])


def send(client: Client, product_id: UUID, content: bytes, **fields: Any) -> Any:
    file = SimpleUploadedFile("lantern.jpg", content, content_type="image/jpeg")
    form = {"do": "upload", "file": file, "alt": "", "variant": "", **fields}
    return client.post(page_of(product_id), form)


def alts() -> list[str]:
    return [row.alt for row in ProductMedia.objects.order_by("position")]


def two_pictures(client: Client, product_id: UUID) -> None:
    send(client, product_id, pictures.picture(width=40), alt="Front")
    send(client, product_id, pictures.picture(width=60), alt="Back", variant="A")
    assert alts() == ["Front", "Back"]


def test_a_picture_is_sent_and_shown_in_the_list(clerk: Client, lantern: UUID) -> None:
    two_pictures(clerk, lantern)
    page = clerk.get(reverse("admin:products_product_changelist"))
    assert f'<img class="thumbnail" src="{thumbnails([lantern])[lantern]}"' in text_of(page)


def test_a_picture_is_described_and_put_first(clerk: Client, lantern: UUID) -> None:
    two_pictures(clerk, lantern)
    back = ProductMedia.objects.get(alt="Back")
    prefix = f"p{back.pk.hex}"
    page = clerk.get(page_of(lantern))
    form = filled(page) | {
        "do": f"edit:{back.pk}",
        "version": str(page.context["product"].version),
        f"{prefix}-place": "1",
        f"{prefix}-alt": "From behind",
        f"{prefix}-alts": "de: Von hinten",
    }
    assert clerk.post(page_of(lantern), form).status_code == 302
    assert alts() == ["From behind", "Front"]
    assert ProductMedia.objects.get(pk=back.pk).alts == {"de": "Von hinten"}


def test_a_picture_is_taken_away(clerk: Client, lantern: UUID) -> None:
    two_pictures(clerk, lantern)
    front = ProductMedia.objects.get(alt="Front")
    version = clerk.get(page_of(lantern)).context["product"].version
    form = {"do": f"remove:{front.pk}", "version": str(version)}
    assert clerk.post(page_of(lantern), form).status_code == 302
    assert alts() == ["Back"]


def test_the_second_of_two_editors_is_told(clerk: Client, lantern: UUID, now: datetime) -> None:
    two_pictures(clerk, lantern)
    front = ProductMedia.objects.get(alt="Front")
    page = clerk.get(page_of(lantern))
    form = filled(page) | {
        "do": f"edit:{front.pk}",
        "version": str(page.context["product"].version),
        f"p{front.pk.hex}-alt": "Mine",
    }
    edit_product(product_id=lantern, version=None, now=now, name="Theirs")
    answer = clerk.post(page_of(lantern), form)
    assert "Somebody else changed this product while you did." in text_of(answer)
    assert alts() == ["Front", "Back"]


def test_what_is_no_picture_is_refused_at_its_field(clerk: Client, lantern: UUID) -> None:
    page = send(clerk, lantern, b"<svg></svg>")
    assert page.context["upload"].errors == {"file": ["Send a JPEG, PNG, WebP, GIF or AVIF file."]}
    assert alts() == []


def test_readers_look_at_pictures_only(clerk: Client, reader: Client, lantern: UUID) -> None:
    two_pictures(clerk, lantern)
    page = reader.get(page_of(lantern))
    assert "Add the picture" not in text_of(page)
    assert send(reader, lantern, pictures.picture()).status_code == 403
    assert alts() == ["Front", "Back"]
