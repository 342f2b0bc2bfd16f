"""Pictures of products: what is stored when, and what a crash or a race leaves behind."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings

from domains.products.errors import (
    BrokenImage,
    MediaExists,
    MediaNotFound,
    ProductArchived,
    TooManyMedia,
    VariantNotFound,
)
from domains.products.models import MediaFile, Product, ProductMedia
from domains.products.queries import media as queries
from domains.products.rules import media as rules
from domains.products.services import media, products
from infrastructure import public_files
from infrastructure.database.contexts import alias_of
from infrastructure.public_files import StorageUnavailable
from tests.support.factories import products as factory
from tests.support.product_pictures import GRACE, add, in_colour, stored, told, use_folder

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings: LazySettings, tmp_path: Path) -> Path:
    return use_folder(settings, tmp_path / "media")


@pytest.fixture
def lantern(now: datetime) -> UUID:
    return factory.product(now=now, sku="85123A")


def shown(product_id: UUID) -> list[queries.StaffMedia]:
    return queries.media_of_product(product_id)


def test_an_uploaded_picture_is_shown_at_once_and_its_sizes_a_little_later(
    lantern: UUID, now: datetime, folder: Path
) -> None:
    media_id = add(lantern, now, alt="A lantern")
    [picture] = shown(lantern)
    assert (picture.shown.id, picture.shown.alt, picture.position) == (media_id, "A lantern", 0)
    assert (picture.shown.width, picture.shown.height, picture.state) == (400, 300, "PROCESSING")
    assert picture.shown.renditions == ()
    name = f"{picture.sha256[:2]}/{picture.sha256}/original.jpg"
    assert picture.shown.url == f"http://testserver/media/{name}"
    assert rules.Picture((folder / name).read_bytes(), "jpg", 0, 0).sha256 == picture.sha256
    assert told(lantern) == [["media"]]

    assert media.make_sizes(now=now) is True
    [picture] = shown(lantern)
    assert (picture.state, picture.failure) == ("READY", "")
    assert [(size.width, size.height) for size in picture.shown.renditions] == [
        (160, 120),
        (320, 240),
        (400, 300),
    ]
    assert stored(folder) == ["160.webp", "320.webp", "400.webp", "original.jpg"]
    assert told(lantern) == [["media"], ["media"]]
    assert media.make_sizes(now=now) is False


def test_pictures_are_in_the_order_that_staff_give_them(lantern: UUID, now: datetime) -> None:
    first, second, third = (add(lantern, now, in_colour(number)) for number in range(3))
    fourth = add(lantern, now, in_colour(3), position=1)
    assert [each.shown.id for each in shown(lantern)] == [first, fourth, second, third]
    media.edit_media(media_id=third, version=None, now=now, position=0)
    media.edit_media(media_id=first, version=None, now=now, position=49)
    assert [each.shown.id for each in shown(lantern)] == [third, fourth, second, first]
    media.remove_media(media_id=fourth, version=None, now=now)
    found = shown(lantern)
    assert [each.shown.id for each in found] == [third, second, first]
    assert [each.position for each in found] == [0, 1, 2]


def test_a_change_that_changes_nothing_is_told_to_nobody(lantern: UUID, now: datetime) -> None:
    media_id = add(lantern, now, alt="A lantern")
    media.edit_media(media_id=media_id, version=None, now=now, alt="A lantern", position=0)
    assert told(lantern) == [["media"]]
    media.edit_media(media_id=media_id, version=None, now=now, alts={"de": "Eine Laterne"})
    assert told(lantern) == [["media"], ["media"]]
    assert shown(lantern)[0].alts == {"de": "Eine Laterne"}
    media.edit_media(media_id=media_id, version=None, now=now, alts={"de": None})
    assert shown(lantern)[0].alts == {}


def test_a_picture_of_a_variant(lantern: UUID, now: datetime) -> None:
    add(lantern, now, variant="85123A")
    add(lantern, now)
    assert [each.shown.variant for each in shown(lantern)] == ["85123A", None]
    with pytest.raises(MediaExists):
        add(lantern, now)
    with pytest.raises(VariantNotFound):
        add(lantern, now, in_colour(1), variant="71053")
    assert len(shown(lantern)) == 2


def test_refusals_leave_the_product_as_it_was(lantern: UUID, now: datetime) -> None:
    version = Product.objects.get(pk=lantern).version
    with pytest.raises(BrokenImage):
        add(lantern, now, b"\xff\xd8\xff\xe0 and nothing")
    with pytest.raises(MediaNotFound):
        media.remove_media(media_id=lantern, version=None, now=now)
    assert Product.objects.get(pk=lantern).version == version
    assert MediaFile.objects.count() == 0
    products.archive_product(product_id=lantern, version=None, now=now)
    with pytest.raises(ProductArchived):
        add(lantern, now)
    assert shown(lantern) == []


def test_a_product_has_so_many_pictures_and_no_more(
    lantern: UUID, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domains.products.models.media.MAX_MEDIA", 2)
    add(lantern, now, in_colour(1))
    add(lantern, now, in_colour(2))
    with pytest.raises(TooManyMedia):
        add(lantern, now, in_colour(3))
    assert len(shown(lantern)) == 2


def test_equal_pictures_are_one_file(lantern: UUID, now: datetime, folder: Path) -> None:
    other = factory.product(now=now, sku="22423", name="Cake stand")
    add(lantern, now)
    add(other, now)
    assert MediaFile.objects.count() == 1
    assert stored(folder) == ["original.jpg"]
    media.make_sizes(now=now)
    assert [each.state for each in [*shown(lantern), *shown(other)]] == ["READY", "READY"]
    assert told(other) == [["media"], ["media"]]
    assert media.make_sizes(now=now) is False


def test_a_picture_that_another_product_shows_already_needs_no_new_sizes(
    lantern: UUID, now: datetime
) -> None:
    other = factory.product(now=now, sku="22423", name="Cake stand")
    add(lantern, now)
    media.make_sizes(now=now)
    add(other, now)
    assert len(shown(other)[0].shown.renditions) == 3
    assert media.make_sizes(now=now) is False


def test_with_the_store_away_an_upload_is_refused_and_nothing_half_written(
    lantern: UUID, now: datetime, settings: LazySettings, tmp_path: Path
) -> None:
    (tmp_path / "no-folder").write_text("")
    use_folder(settings, tmp_path / "no-folder" / "media")
    version = Product.objects.get(pk=lantern).version
    with pytest.raises(StorageUnavailable):
        add(lantern, now)
    assert (shown(lantern), told(lantern)) == ([], [])
    assert Product.objects.get(pk=lantern).version == version
    assert media.make_sizes(now=now) is False

    use_folder(settings, tmp_path / "media")
    add(lantern, now)
    assert media.make_sizes(now=now) is True
    assert shown(lantern)[0].state == "READY"


def test_a_store_that_is_away_costs_a_picture_no_attempt(
    lantern: UUID, now: datetime, settings: LazySettings, tmp_path: Path, folder: Path
) -> None:
    add(lantern, now)
    (tmp_path / "no-folder").write_text("")
    use_folder(settings, tmp_path / "no-folder" / "media")
    for hour in range(10):
        assert media.make_sizes(now=now + timedelta(hours=hour)) is True
    assert shown(lantern)[0].state == "PROCESSING"
    use_folder(settings, folder)
    assert media.make_sizes(now=now + timedelta(hours=10)) is True
    assert shown(lantern)[0].state == "READY"


def test_what_cannot_be_made_is_tried_again_later_and_given_up_in_the_end(
    lantern: UUID, now: datetime, folder: Path
) -> None:
    add(lantern, now)
    next(folder.rglob("original.jpg")).write_bytes(b"the disk has forgotten")
    at, attempts = now, 0
    while shown(lantern)[0].state == "PROCESSING":
        assert media.make_sizes(now=at) is True
        assert media.make_sizes(now=at) is False
        at, attempts = at + timedelta(hours=6), attempts + 1
    [picture] = shown(lantern)
    assert (attempts, picture.state) == (5, "FAILED")
    assert picture.failure.startswith("UnidentifiedImageError")
    assert queries.thumbnails([lantern]) == {}
    # Sending it again mends it.
    add(lantern, at, variant="85123A")
    assert media.make_sizes(now=at) is True
    assert [each.state for each in shown(lantern)] == ["READY", "READY"]


def test_an_original_that_is_missing_is_said_so(lantern: UUID, now: datetime, folder: Path) -> None:
    add(lantern, now)
    next(folder.rglob("original.jpg")).unlink()
    media.make_sizes(now=now)
    assert shown(lantern)[0].failure == "The original is missing."


def test_a_worker_that_died_is_followed_by_another(lantern: UUID, now: datetime) -> None:
    add(lantern, now)
    assert MediaFile.objects.lease(now=now) is not None  # and nothing was heard of it again
    assert media.make_sizes(now=now + timedelta(seconds=119)) is False
    assert media.make_sizes(now=now + timedelta(seconds=120)) is True
    assert shown(lantern)[0].state == "READY"


def test_a_picture_that_kills_every_worker_is_given_up(lantern: UUID, now: datetime) -> None:
    add(lantern, now)
    at = now
    for _ in range(5):
        assert MediaFile.objects.lease(now=at) is not None
        at += timedelta(minutes=3)
    assert media.make_sizes(now=at) is True
    [picture] = shown(lantern)
    assert picture.state == "FAILED"
    assert picture.failure == "Each attempt ended with the death of its worker."


def test_files_go_after_the_grace_period_and_not_before(
    lantern: UUID, now: datetime, folder: Path
) -> None:
    media_id = add(lantern, now - GRACE)
    media.make_sizes(now=now)
    assert media.sweep(now=now) == 0
    media.remove_media(media_id=media_id, version=None, now=now)
    assert media.sweep(now=now + timedelta(hours=71)) == 0
    assert len(stored(folder)) == 4
    assert media.sweep(now=now + GRACE) == 1
    assert (stored(folder), MediaFile.objects.count()) == ([], 0)


def test_a_file_that_another_product_shows_stays(
    lantern: UUID, now: datetime, folder: Path
) -> None:
    other = factory.product(now=now, sku="22423", name="Cake stand")
    media_id = add(lantern, now)
    add(other, now)
    media.remove_media(media_id=media_id, version=None, now=now)
    assert media.sweep(now=now + GRACE) == 0
    assert stored(folder) == ["original.jpg"]


def test_what_an_upload_left_that_came_to_nothing_is_swept(
    lantern: UUID, now: datetime, folder: Path
) -> None:
    with pytest.raises(VariantNotFound):
        add(lantern, now, variant="71053")
    assert stored(folder) == ["original.jpg"]
    assert media.make_sizes(now=now) is False
    assert media.sweep(now=now + GRACE) == 1
    assert (stored(folder), MediaFile.objects.count()) == ([], 0)


def test_a_sweep_that_died_half_way_is_finished_by_the_next_or_undone_by_an_upload(
    lantern: UUID, now: datetime, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media_id = add(lantern, now)
    media.make_sizes(now=now)
    media.remove_media(media_id=media_id, version=None, now=now)
    with monkeypatch.context() as patched:
        patched.setattr(MediaFile.objects, "forget", lambda file_id: 1 / 0, raising=False)
        with pytest.raises(ZeroDivisionError):
            media.sweep(now=now + GRACE)
    assert stored(folder) == []
    assert MediaFile.objects.get().state == "READY"
    add(lantern, now + GRACE)
    assert shown(lantern)[0].state == "PROCESSING"
    assert media.make_sizes(now=now + GRACE) is True
    assert len(stored(folder)) == 4


def test_with_the_store_away_nothing_is_swept(
    lantern: UUID, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    media.remove_media(media_id=add(lantern, now), version=None, now=now)

    def away(folder: str) -> int:
        raise StorageUnavailable

    monkeypatch.setattr(public_files, "delete_folder", away)
    assert media.sweep(now=now + GRACE) == 0
    assert MediaFile.objects.count() == 1


def test_thumbnails_of_a_list_are_one_statement(
    lantern: UUID, now: datetime, django_assert_num_queries: Any
) -> None:
    other = factory.product(now=now, sku="22423", name="Cake stand")
    bare = factory.product(now=now, sku="20725", name="Bag")
    add(lantern, now)
    media.make_sizes(now=now)
    add(other, now, in_colour(2))
    with django_assert_num_queries(1, using=alias_of("products")):
        found = queries.thumbnails([lantern, other, bare])
    assert found.keys() == {lantern, other}
    assert found[lantern].endswith("/160.webp")
    assert found[other].endswith("/original.jpg")


def test_pictures_of_a_product_are_one_statement(
    lantern: UUID, now: datetime, django_assert_num_queries: Any
) -> None:
    for number in range(5):
        add(lantern, now, in_colour(number))
    with django_assert_num_queries(1, using=alias_of("products")):
        assert len(shown(lantern)) == 5
    assert ProductMedia.objects.count() == 5
