"""Pictures whose sizes are made, or cannot be, while lists show them: what lists know of them is
what making the lists anew finds, and nobody is disturbed for what nobody sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.db import connections
from django.test.utils import CaptureQueriesContext

from domains.products.models import ListingCard, MediaFile
from domains.products.models.listing import ListingQuerySet
from domains.products.models.media import MAX_ATTEMPTS
from domains.products.services import listing, media, products, shown, variants
from infrastructure.database.contexts import alias_of
from infrastructure.database.threads import in_threads
from infrastructure.public_files import StorageUnavailable
from tests.support.factories import products as factory
from tests.support.listing import contents, made_anew
from tests.support.meeting import LOCKS, meet
from tests.support.product_pictures import add, in_colour, use_folder

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def folder(settings: LazySettings, tmp_path: Path) -> Path:
    return use_folder(settings, tmp_path / "media")


@pytest.fixture
def lantern(now: datetime) -> UUID:
    return factory.product(now=now, sku="A", name="Lantern")


def spoil(folder: Path) -> None:
    next(folder.rglob("original.jpg")).write_bytes(b"the disk has forgotten")


def fail(file: MediaFile, now: datetime, *, times: int) -> datetime:
    """Try so many times to make the sizes of a file that is spoiled. When it is due again."""
    for _ in range(times):
        assert media.make_sizes(file_id=file.id, now=now) is True
        now += DAY
    return now


def pictured() -> list[int | None]:
    """How many sizes each product is listed with, None without a picture."""
    images = ListingCard.objects.order_by("product_id").values_list("image", flat=True)
    return [None if image is None else len(image[6]) for image in images]


def is_as_made_anew() -> bool:
    kept = contents()
    return kept == made_anew()


def away(*_: Any) -> None:
    raise StorageUnavailable("The store is away.")


@pytest.mark.parametrize("reason", ["away", "failed once"])
def test_an_attempt_that_changes_nothing_shown_lists_nothing_and_tells_nobody(
    lantern: UUID, now: datetime, folder: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    add(lantern, now)
    if reason == "away":
        monkeypatch.setattr(media, "_make_sizes", away)
    else:
        spoil(folder)
    hints: list[tuple[str, ...]] = []
    monkeypatch.setattr(shown, "hint", lambda *some: hints.append(some))
    with CaptureQueriesContext(connections[alias_of("products")]) as statements:
        assert media.make_sizes(now=now) is True
    assert hints == []
    assert not [one["sql"] for one in statements if "products_listing" in one["sql"]]
    assert MediaFile.objects.get().state == "PROCESSING"
    if reason == "away":
        assert not [one["sql"] for one in statements if "products_product " in one["sql"]]


def test_products_that_show_one_picture_are_listed_so_many_at_a_time(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [factory.product(now=now, sku=f"S{number}") for number in range(5)]
    for product_id in ids:
        add(product_id, now)
    listed: list[Sequence[UUID]] = []
    refresh = ListingQuerySet.refresh

    def noted(self: ListingQuerySet, product_ids: Sequence[UUID]) -> Any:
        listed.append(product_ids)
        return refresh(self, product_ids)

    monkeypatch.setattr(ListingQuerySet, "refresh", noted)
    monkeypatch.setattr(listing, "BATCH", 2)
    assert media.make_sizes(now=now) is True
    in_turn = sorted(ids)
    assert listed == [in_turn[:2], in_turn[2:4], in_turn[4:]]
    assert pictured() == [3] * 5
    assert is_as_made_anew()


def test_a_picture_that_failed_and_is_sent_again_is_listed_wherever_it_is_shown(
    lantern: UUID, now: datetime, folder: Path
) -> None:
    other = factory.product(now=now, sku="B")
    add(lantern, now)
    spoil(folder)
    now = fail(MediaFile.objects.get(), now, times=MAX_ATTEMPTS)
    assert pictured() == [None, None]
    add(other, now)
    assert MediaFile.objects.get().state == "PROCESSING"
    assert pictured() == [0, 0]
    assert is_as_made_anew()
    assert media.make_sizes(now=now) is True
    assert pictured() == [3, 3]
    assert is_as_made_anew()


def rename(product_id: UUID, now: datetime) -> None:
    products.edit_product(product_id=product_id, version=None, name="Lamp", now=now)


def edit_variant(_: UUID, now: datetime) -> None:
    variants.edit_variant(sku="A", version=None, options={"Size": "L"}, now=now)


def put_another_first(product_id: UUID, now: datetime) -> None:
    add(product_id, now, in_colour(1), position=0)


@pytest.mark.parametrize("edit", [rename, edit_variant, put_another_first])
@pytest.mark.parametrize("fails", [True, False])
def test_a_picture_is_finished_or_fails_while_its_product_is_edited(
    lantern: UUID,
    now: datetime,
    folder: Path,
    edit: Callable[[UUID, datetime], None],
    fails: bool,
) -> None:
    add(lantern, now)
    original = MediaFile.objects.get()
    if fails:
        spoil(folder)
        now = fail(original, now, times=MAX_ATTEMPTS - 1)

    meet(
        lambda: media.make_sizes(file_id=original.id, now=now),
        lambda: edit(lantern, now),
        # Not at the lease of the file, which is a transaction of its own.
        after=rf"^(?!.*SKIP LOCKED).*({LOCKS}|UPDATE \S*products_mediafile)",
    )

    original.refresh_from_db()
    assert original.state == ("FAILED" if fails else "READY")
    first = None if fails else 3
    assert pictured() == [0 if edit is put_another_first else first]
    assert is_as_made_anew()


def test_many_pictures_are_finished_or_fail_while_their_products_are_edited(
    now: datetime, folder: Path
) -> None:
    ids = [factory.product(now=now, sku=f"S{number}") for number in range(4)]
    for product_id in ids:
        add(product_id, now)
        add(product_id, now, in_colour(1), position=0)
    spoiled = MediaFile.objects.get(width=400)
    next(folder.rglob(f"{spoiled.sha256}/original.jpg")).write_bytes(b"the disk has forgotten")
    now = fail(spoiled, now, times=MAX_ATTEMPTS - 1)

    def work(number: int) -> None:
        product_id = ids[number % 4]
        match number // 4 % 3:
            case 0:
                name = f"Lamp {number}"
                products.edit_product(product_id=product_id, version=None, name=name, now=now)
            case 1:
                media.make_sizes(now=now)
            case 2:
                sku = f"S{number % 4}"
                variants.edit_variant(sku=sku, version=None, options={"No": f"{number}"}, now=now)

    in_threads(work, range(36), threads=6)
    states = MediaFile.objects.order_by("width").values_list("state", flat=True)
    assert list(states) == ["READY", "FAILED"]
    assert pictured() == [1] * 4
    assert is_as_made_anew()
