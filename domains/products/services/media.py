"""Commands of pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from threading import BoundedSemaphore
from typing import Any, BinaryIO, Unpack
from uuid import UUID

import structlog
from django.conf import settings

from domains.products.errors import MediaNotFound, ProductNotFound
from domains.products.models import MediaFile, Product, ProductMedia
from domains.products.models.media import MediaChanges
from domains.products.rules import media as rules
from domains.products.services.listing import refresh_products
from domains.products.services.writing import ATTEMPTS, known_locales
from infrastructure import public_files
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import atomic
from infrastructure.http.errors import Unavailable
from infrastructure.http.idempotency import IdempotencyKey, duplicates
from infrastructure.public_files import StorageUnavailable
from infrastructure.work import hint_after_commit

# Less than a proxy waits for an answer.
DECODING_WAIT_SECONDS = 15.0

log = structlog.get_logger(__name__)


def add_media(
    *,
    product_id: UUID,
    file: BinaryIO,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
    **fields: Unpack[MediaChanges],
) -> UUID:
    """Show a picture on a product. The original can be fetched at once, its sizes a little later.

    The file is written before the row that names it is; what a crash leaves between the two is
    swept. Raises ProductNotFound, ProductArchived, VariantNotFound, TooManyMedia, MediaExists,
    UnsupportedImage, BrokenImage, TooManyPixels, StorageUnavailable; Duplicate for a key that was
    used before.
    """
    if not Product.objects.filter(pk=product_id).exists():
        raise _no_product(product_id)
    with _decoding():
        picture = rules.clean_picture(file, max_pixels=settings.MEDIA_MAX_PIXELS)
    file_id = MediaFile.objects.claim(picture, now=now)
    public_files.put(rules.original_key(picture.sha256, picture.suffix), picture.content)
    with atomic("products"), duplicates():
        product = _locked(product_id)
        media = product.add_media(file_id=file_id, now=now, **fields)
        product.save(also=[] if idempotency is None else [idempotency.record(media.id, now)])
        had_failed = MediaFile.objects.written(file_id, now=now)
        hint_after_commit("products", "products.make_sizes", file_id=str(file_id))
        refresh_products([product_id])
    if had_failed:
        _list_all_showing(file_id)
    return media.id


def edit_media(
    *, media_id: UUID, version: int | None, now: datetime, **changes: Unpack[MediaChanges]
) -> None:
    """Change what is given. `version`: of the product, None for whatever it is.

    Raises MediaNotFound, ProductArchived, VariantNotFound, MediaExists, UnknownLocale,
    ConcurrentModification.
    """
    known_locales(changes.get("alts", {}), at="alts")
    with atomic("products"):
        product = _locked(_product_of(media_id))
        product.require_version(version)
        if product.edit_media(media_id, now=now, **changes):
            product.save()
            refresh_products([product.id])


def remove_media(*, media_id: UUID, version: int | None, now: datetime) -> None:
    """Show a picture no more. Its file goes after the grace period, if nobody shows it then.

    Raises MediaNotFound, ProductArchived, ConcurrentModification.
    """
    with atomic("products"):
        product = _locked(_product_of(media_id))
        product.require_version(version)
        file_id = product.remove_media(media_id, now=now)
        product.save()
        MediaFile.objects.released(file_id, now=now)
        refresh_products([product.id])


def make_sizes(*, file_id: UUID | None = None, now: datetime) -> bool:
    """Make the sizes of one picture that is due, of this one if it is named. Whether one was due.

    It is leased, so that two workers never make the same at once, and one that was killed is
    followed by another. Names follow from the content: what was made twice is the same twice.
    """
    file = MediaFile.objects.lease(now=now, file_id=file_id)
    if file is None:
        return False
    if file.is_given_up:
        reason = "Each attempt ended with the death of its worker."
        _write(file, lambda: file.fail(reason, now=now))
        return True
    try:
        sizes = _make_sizes(file)
    except StorageUnavailable as error:
        log.warning("picture_postponed", file=file.sha256, exc_info=error)
        _write(file, lambda: file.postpone(now=now), shown=False)
    except Exception as error:
        log.exception("picture_failed", file=file.sha256, exc_info=error)
        reason = "The original is missing." if isinstance(error, FileNotFoundError) else repr(error)
        _write(file, lambda: file.fail(reason, now=now))
    else:
        _write(file, lambda: file.finish(sizes), tell=now)
    return True


def sweep(*, now: datetime, at_most: int = 1000) -> int:
    """Delete the files that no product has shown for the grace period. Returns how many pictures.

    The row is locked while its files go, so that whoever sends the same picture again waits, and
    then begins anew; it goes last, so that a crash leaves a row to sweep and no file unknown.
    """
    before = now - timedelta(hours=settings.MEDIA_GRACE_HOURS)
    swept = 0
    try:
        while swept < at_most:
            with atomic("products"):
                file = MediaFile.objects.take_unused(before=before)
                if file is None:
                    break
                public_files.delete_folder(rules.folder_of(file.sha256))
                MediaFile.objects.forget(file.id)
            swept += 1
    except StorageUnavailable as error:
        log.warning("sweep_of_pictures_postponed", exc_info=error)
    return swept


def _make_sizes(file: MediaFile) -> list[tuple[int, int]]:
    content = public_files.read(rules.original_key(file.sha256, file.suffix))
    made = []
    for size in rules.sizes_of(content, settings.MEDIA_WIDTHS):
        public_files.put(rules.size_key(file.sha256, size.width), size.content)
        made.append((size.width, size.height))
    return made


def _write(
    file: MediaFile,
    change: Callable[[], None],
    *,
    shown: bool = True,
    tell: datetime | None = None,
) -> None:
    """Save a change of a file, and let the products that show it follow in the same transaction.

    They are locked before the file, as by everybody who changes their pictures. Whoever claimed the
    file meanwhile has a new version of it; the change holds for that too.
    shown: whether it may change what they show. tell: its sizes were made at this instant.
    """
    for attempt in range(ATTEMPTS):
        try:
            with atomic("products"):
                products = list(_showing(file.id).locked()) if shown else []
                was_shown = file.is_shown
                change()
                file.save()
                ids = [product.id for product in products]
                if shown and _showing(file.id).exclude(pk__in=ids).exists():
                    raise ConcurrentModification(f"Another product shows {file} as well.")
                if tell is not None:
                    for product in products:
                        product.tell_media_sized(now=tell)
                    Product.objects.save_all(products)
                if tell is not None or file.is_shown != was_shown:
                    refresh_products(ids)
            return
        except ConcurrentModification:
            if attempt == ATTEMPTS - 1:
                raise
            file.refresh_from_db()


def _list_all_showing(file_id: UUID) -> None:
    """Apart from the command, whose own product is locked already and may not be the first.

    Who dies before has left it to the worker, who lists them however the sizes turn out.
    """
    with atomic("products"):
        refresh_products([product.id for product in _showing(file_id).locked()])


def _showing(file_id: UUID) -> Any:
    showing = ProductMedia.objects.filter(file_id=file_id).values("product_id")
    return Product.objects.filter(pk__in=showing).exclude(status=Product.Status.ARCHIVED)


def _locked(product_id: UUID) -> Product:
    """Pictures are often sent several at a time: each waits for the one before."""
    products = Product.objects.select_for_update(no_key=True, of=("self",))
    product = products.filter(pk=product_id).first()
    if product is None:
        raise _no_product(product_id)
    return product


def _product_of(media_id: UUID) -> UUID:
    product_id = (
        ProductMedia.objects.filter(pk=media_id).values_list("product_id", flat=True).first()
    )
    if product_id is None:
        raise MediaNotFound(f"There is no picture {media_id}.")
    return product_id


def _no_product(product_id: UUID) -> ProductNotFound:
    return ProductNotFound(f"There is no product {product_id}.")


@contextmanager
def _decoding() -> Iterator[None]:
    """Decoding takes memory, so few do it at once. Raises Unavailable after a while of waiting."""
    if not _decoders().acquire(timeout=DECODING_WAIT_SECONDS):
        raise Unavailable("Too many pictures are sent at once.", retry_after_s=5)
    try:
        yield
    finally:
        _decoders().release()


@cache
def _decoders() -> BoundedSemaphore:
    return BoundedSemaphore(settings.MEDIA_DECODE_CONCURRENCY)
