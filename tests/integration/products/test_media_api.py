"""Pictures over HTTP: how they are sent, refused, changed and fetched."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from domains.products.queries import media as queries
from domains.products.services import media
from infrastructure import clock
from infrastructure.database.contexts import alias_of
from tests.support.factories import pictures
from tests.support.factories import products as factory
from tests.support.product_pictures import use_folder

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings: LazySettings, tmp_path: Path) -> Path:
    return use_folder(settings, tmp_path / "media")


@pytest.fixture
def lantern(now: datetime) -> UUID:
    return factory.product(now=now, sku="85123A")


def send(
    client: Client,
    product: object,
    content: bytes | None = None,
    *,
    name: str = "lantern.jpg",
    headers: dict[str, str] | None = None,
    **fields: Any,
) -> Any:
    content = pictures.picture() if content is None else content
    file = SimpleUploadedFile(name, content, content_type="image/jpeg")
    return client.post(
        f"/api/v1/products/{product}/media", {"file": file, **fields}, headers=headers or {}
    )


def of(client: Client, product: object) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get(f"/api/v1/products/{product}/media").json()["items"]
    return items


def test_a_picture_is_uploaded_read_changed_and_removed(staff: Client, lantern: UUID) -> None:
    made = send(staff, lantern, alt="A lantern", variant="85123A")
    assert made.status_code == 201
    picture = made.json()
    assert made["Location"] == f"/api/v1/media/{picture['id']}"
    assert picture == {
        "id": picture["id"],
        "alt": "A lantern",
        "width": 400,
        "height": 300,
        "url": f"http://testserver/media/{picture['sha256'][:2]}/{picture['sha256']}/original.jpg",
        "renditions": [],
        "variant": "85123A",
        "product_id": str(lantern),
        "position": 0,
        "alts": {},
        "state": "PROCESSING",
        "failure": "",
        "byte_size": picture["byte_size"],
        "sha256": picture["sha256"],
        "created_at": picture["created_at"],
    }
    assert staff.get(made["Location"]).json() == picture

    changed = staff.patch(
        made["Location"],
        {"alt": "At night", "alts": {"de": "Bei Nacht"}, "variant": None},
        content_type="application/json",
        headers={"If-Match": made["ETag"]},
    )
    assert changed.status_code == 200
    told = {"alt": "At night", "alts": {"de": "Bei Nacht"}, "variant": None}
    assert changed.json() == {**picture, **told}
    stale = staff.delete(made["Location"], headers={"If-Match": made["ETag"]})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    assert staff.delete(made["Location"]).status_code == 204
    assert of(staff, lantern) == []
    gone = staff.get(made["Location"])
    assert (gone.status_code, gone.json()["code"]) == (404, "media_not_found")


def test_pictures_are_moved(staff: Client, lantern: UUID) -> None:
    ids = [
        send(staff, lantern, pictures.picture(colour=(shade, 0, 0))).json()["id"]
        for shade in (0, 90, 180)
    ]
    moved = staff.patch(f"/api/v1/media/{ids[2]}", {"position": 0}, content_type="application/json")
    assert moved.json()["position"] == 0
    assert [item["id"] for item in of(staff, lantern)] == [ids[2], ids[0], ids[1]]


def test_a_product_shows_its_pictures_in_one_statement(
    staff: Client, client: Client, lantern: UUID, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1, using=alias_of("products")):
        assert client.get(f"/api/v1/products/{lantern}").json()["media"] == []
    first = send(staff, lantern, alt="At night", variant="85123A").json()
    second = send(staff, lantern, pictures.picture(width=40, height=30)).json()
    path = f"/api/v1/media/{first['id']}"
    staff.patch(path, {"alts": {"de": "Bei Nacht"}}, content_type="application/json")
    while media.make_sizes(now=clock.now()):
        pass
    with django_assert_num_queries(1, using=alias_of("products")):
        shown = client.get(f"/api/v1/products/{lantern}").json()["media"]
    base = first["url"].removesuffix("/original.jpg")
    assert shown == [
        {
            "id": first["id"],
            "alt": "At night",
            "width": 400,
            "height": 300,
            "url": first["url"],
            "renditions": [
                {"width": 160, "height": 120, "url": f"{base}/160.webp"},
                {"width": 320, "height": 240, "url": f"{base}/320.webp"},
                {"width": 400, "height": 300, "url": f"{base}/400.webp"},
            ],
            "variant": "85123A",
        },
        {
            "id": second["id"],
            "alt": "",
            "width": 40,
            "height": 30,
            "url": second["url"],
            "renditions": [
                {"width": 40, "height": 30, "url": second["url"].replace("original.jpg", "40.webp")}
            ],
            "variant": None,
        },
    ]
    german = client.get(f"/api/v1/products/{lantern}?locale=de").json()["media"]
    assert [each["alt"] for each in german] == ["Bei Nacht", ""]


def test_a_product_that_gets_a_picture_has_another_etag(
    staff: Client, client: Client, lantern: UUID
) -> None:
    tags = [client.get(f"/api/v1/products/{lantern}")["ETag"]]
    send(staff, lantern)
    tags.append(client.get(f"/api/v1/products/{lantern}")["ETag"])
    media.make_sizes(now=clock.now())
    tags.append(client.get(f"/api/v1/products/{lantern}")["ETag"])
    assert len(set(tags)) == 3


def test_its_files_are_fetched_for_good(staff: Client, client: Client, lantern: UUID) -> None:
    send(staff, lantern)
    media.make_sizes(now=clock.now())
    [picture] = of(staff, lantern)
    assert [size["width"] for size in picture["renditions"]] == [160, 320, 400]
    for url, kind in [
        (picture["url"], "image/jpeg"),
        (picture["renditions"][0]["url"], "image/webp"),
    ]:
        path = url.removeprefix("http://testserver")
        fetched = client.get(path)
        assert fetched.status_code == 200
        assert fetched["Content-Type"] == kind
        assert fetched["Cache-Control"] == "public, max-age=31536000, immutable"
        assert fetched["X-Content-Type-Options"] == "nosniff"
        assert fetched["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert len(fetched.getvalue()) == int(fetched["Content-Length"])
        again = client.get(path, headers={"If-None-Match": fetched["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "media/",
        "media/../manage.py",
        "media/%2e%2e/%2e%2e/etc/passwd",
        f"media/ab/{'ab' * 32}/original.jpg",
        f"media/ab/{'ab' * 32}/../../secret.jpg",
        f"media/ab/{'ab' * 32}/original.html",
        f"media/ab/{'ab' * 32}/.new-x.jpg",
    ],
)
def test_nothing_else_is_served(client: Client, path: str) -> None:
    assert client.get(f"/{path}").status_code == 404
    assert client.post(f"/{path}").status_code in (404, 405)


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"<html><script>alert(1)</script></html>", 415, "unsupported_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", 415, "unsupported_image"),
        (b"\xff\xd8\xff\xe0<script>alert(1)</script>", 400, "broken_image"),
        (pictures.picture("PNG", width=6000, height=6000), 400, "too_many_pixels"),
        (b"", 400, "invalid_body"),
        (b"\xff\xd8\xff" + b"x" * 10_485_760, 413, "body_too_large"),
        (b"\xff\xd8\xff" + b"x" * 10_600_000, 413, "body_too_large"),
    ],
)
def test_what_is_no_fit_picture_is_refused_whatever_it_is_called(
    staff: Client, lantern: UUID, content: bytes, status: int, code: str
) -> None:
    refused = send(staff, lantern, content, name="lantern.jpg")
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert of(staff, lantern) == []


def test_a_name_and_a_type_that_a_client_claims_do_not_matter(
    staff: Client, lantern: UUID, folder: Path
) -> None:
    file = SimpleUploadedFile("../../shell.php", pictures.picture("PNG"), content_type="text/html")
    made = staff.post(f"/api/v1/products/{lantern}/media", {"file": file})
    assert made.status_code == 201
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["original.jpg"]


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({"colour": "red"}, ["/colour"]),
        ({"position": "first"}, ["/position"]),
        ({"position": "50"}, ["/position"]),
        ({"alt": "x" * 301}, ["/alt"]),
        ({"alt": ["a", "b"]}, ["/alt"]),
        ({"alt": "a\x00b"}, ["/alt"]),
        ({"alt": "a\x07b"}, ["/alt"]),
    ],
)
def test_wrong_fields_are_named(
    staff: Client, lantern: UUID, fields: dict[str, Any], pointers: list[str]
) -> None:
    refused = send(staff, lantern, **fields)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_body")
    assert [error["pointer"] for error in refused.json()["errors"]] == pointers
    assert of(staff, lantern) == []


def test_a_form_has_one_file_and_it_is_called_file(staff: Client, lantern: UUID) -> None:
    path = f"/api/v1/products/{lantern}/media"

    def one() -> SimpleUploadedFile:
        return SimpleUploadedFile("a.jpg", pictures.picture())

    for form, pointer, code in [
        ({"alt": "no file"}, "/file", "required"),
        ({"picture": one()}, "/picture", "unknown_field"),
        ({"file": [one(), one()]}, "/file", "repeated_field"),
    ]:
        refused = staff.post(path, form)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_body")
        [error] = refused.json()["errors"]
        assert (error["pointer"], error["code"]) == (pointer, code)
    assert of(staff, lantern) == []


def test_a_body_that_is_no_form_is_refused(staff: Client, lantern: UUID) -> None:
    path = f"/api/v1/products/{lantern}/media"
    for kind, content, status, code in [
        ("application/json", b"{}", 415, "unsupported_media_type"),
        ("image/jpeg", pictures.picture(), 415, "unsupported_media_type"),
        ("multipart/form-data", b"--x", 400, "bad_request"),
        ("multipart/form-data; boundary=x", b"nothing", 400, "invalid_body"),
    ]:
        refused = staff.generic("POST", path, content, content_type=kind)
        assert (refused.status_code, refused.json()["code"]) == (status, code)


def test_an_upload_that_is_repeated_is_made_once(staff: Client, lantern: UUID) -> None:
    key = {"Idempotency-Key": "picture-1"}
    first = send(staff, lantern, headers=key)
    again = send(staff, lantern, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotency-Replayed"] == "true"
    assert len(of(staff, lantern)) == 1
    for other in (
        send(staff, lantern, pictures.picture("PNG"), headers=key),
        send(staff, lantern, alt="other words", headers=key),
    ):
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_only_staff_of_the_catalogue_may(client: Client, customer: Client, lantern: UUID) -> None:
    assert send(client, lantern).status_code == 401
    assert send(customer, lantern).status_code == 403
    assert customer.get(f"/api/v1/products/{lantern}/media").status_code == 403


def test_a_product_that_does_not_exist_has_no_pictures(staff: Client) -> None:
    nowhere = "0198c7a1-b2c3-7d4e-8f90-a1b2c3d4e5f6"
    for answer in (send(staff, nowhere), staff.get(f"/api/v1/products/{nowhere}/media")):
        assert (answer.status_code, answer.json()["code"]) == (404, "product_not_found")


def test_a_locale_that_the_shop_does_not_have_is_refused(staff: Client, lantern: UUID) -> None:
    path = f"/api/v1/media/{send(staff, lantern).json()['id']}"
    refused = staff.patch(path, {"alts": {"xx": "?"}}, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (400, "unknown_locale")
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/alts/xx"]


def test_with_the_store_away_an_upload_says_so(
    staff: Client, lantern: UUID, settings: LazySettings, tmp_path: Path
) -> None:
    (tmp_path / "no-folder").write_text("")
    use_folder(settings, tmp_path / "no-folder" / "media")
    refused = send(staff, lantern)
    assert (refused.status_code, refused.json()["code"]) == (503, "storage_unavailable")
    assert refused["Retry-After"] == "5"
    assert of(staff, lantern) == []


def test_pages_for_staff_may_show_pictures_from_where_they_are(client: Client) -> None:
    policy = client.get("/api/docs/").headers["Content-Security-Policy"]
    assert "img-src 'self' http://testserver data:;" in policy


def test_a_list_of_pictures_is_one_statement(
    staff: Client, lantern: UUID, django_assert_num_queries: Any
) -> None:
    for shade in range(4):
        send(staff, lantern, pictures.picture(colour=(shade * 40, 0, 0)))
    with django_assert_num_queries(1, using=alias_of("products")):
        assert len(queries.media_of_product(lantern)) == 4
