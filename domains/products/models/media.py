"""Pictures: their files, each kept once, and where products show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from uuid import UUID

from django.db import models

from domains.products.errors import MediaExists, MediaNotFound, TooManyMedia, VariantNotFound
from domains.products.rules.media import MAX_MEDIA, Picture
from infrastructure.aggregates import AggregateQuerySet, AggregateRoot, Owned, OwnedModel
from infrastructure.ids import new_id

MAX_ATTEMPTS = 5
# Longer than making all sizes of the largest picture takes; then another worker may have a try.
LEASE = timedelta(minutes=2)
STORAGE_RETRY = timedelta(seconds=30)


class MediaFileQuerySet(AggregateQuerySet):
    def claim(self, picture: Picture, *, now: datetime) -> UUID:
        """The row of a picture's file, which from now on nobody sweeps for the grace period.

        One that no product shows is begun anew: its files may be half swept away. Waits for a
        sweep that is under way.
        """
        [(file_id,)] = self.command(
            _CLAIM,
            [
                new_id(),
                picture.sha256,
                picture.suffix,
                picture.width,
                picture.height,
                len(picture.content),
                now,
                now,
            ],
        )
        return UUID(str(file_id))

    def written(self, file_id: UUID, *, now: datetime) -> bool:
        """The original is in the store, so that its sizes can be made. Whether they had failed, and
        the products that show it did so to nobody."""
        return self.command(_WRITTEN, [file_id, now]) == [("FAILED",)]

    def released(self, file_id: UUID, *, now: datetime) -> None:
        """A product shows it no more; the grace period begins."""
        self.command(_RELEASED, [now, file_id])

    def lease(self, *, now: datetime, file_id: UUID | None = None) -> MediaFile | None:
        """One that is due, for a while in the caller's hands only; None where nothing is due."""
        found = self.command(_LEASE, [now + LEASE, now, file_id, file_id])
        return self.get(pk=found[0][0]) if found else None

    def take_unused(self, *, before: datetime) -> MediaFile | None:
        """One that no product shows, locked until the transaction ends: who claims it waits."""
        found = self.command(_UNUSED, [before])
        # Somebody who claimed it in time may have shown it since the statement began.
        if found and not ProductMedia.objects.filter(file_id=found[0][0]).exists():
            file: MediaFile = self.get(pk=found[0][0])
            return file
        return None

    def forget(self, file_id: UUID) -> None:
        self.command("DELETE FROM products_mediafile WHERE id = %s RETURNING id", [file_id])


class MediaFile(AggregateRoot):
    """A picture as it was cleaned on arrival, and the sizes made of it. Equal ones are one file.

    sha256: of the original; the name of its folder in the store.
    renditions: `[width, height]` of every size.
    due_at: when a worker shall look at it, unless another one has done so; null where it is done.
    attempts: how often one has tried. touched_at: when it was last claimed or released.
    """

    class State(models.TextChoices):
        UPLOADING = "UPLOADING"
        PROCESSING = "PROCESSING"
        READY = "READY"
        FAILED = "FAILED"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    sha256 = models.CharField(max_length=64)
    suffix = models.CharField(max_length=4)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    byte_size = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.UPLOADING)
    renditions: Any = models.JSONField(default=list)
    attempts = models.PositiveSmallIntegerField(default=0)
    failure = models.CharField(max_length=200, blank=True)
    due_at = models.DateTimeField(null=True)
    touched_at = models.DateTimeField()
    created_at = models.DateTimeField()

    objects = MediaFileQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sha256"], name="products_mediafile_sha256_unique"),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(due_at__isnull=False),
                name="products_mediafile_due",
            ),
            models.Index(fields=["touched_at"], name="products_mediafile_touched"),
        ]

    def __str__(self) -> str:
        return f"{self.sha256[:12]}.{self.suffix}"

    # Commands

    def finish(self, renditions: Sequence[tuple[int, int]]) -> None:
        """All sizes are in the store."""
        self.state = self.State.READY.value
        self.renditions = [list(size) for size in renditions]
        self.failure = ""
        self.due_at = None

    def fail(self, reason: str, *, now: datetime) -> None:
        """An attempt failed: another one follows, later each time, or none after the last."""
        self.failure = reason[:200]
        if self.attempts >= MAX_ATTEMPTS:
            self.state = self.State.FAILED.value
            self.due_at = None
        else:
            self.due_at = now + timedelta(seconds=10 * 4**self.attempts)

    def postpone(self, *, now: datetime) -> None:
        """The store was away, which says nothing about the picture: it was no attempt."""
        self.attempts -= 1
        self.due_at = now + STORAGE_RETRY

    # Questions

    @property
    def is_shown(self) -> bool:
        """Whether products show it to buyers: until its sizes have failed for good."""
        return self.state != self.State.FAILED

    @property
    def is_given_up(self) -> bool:
        """Whether every attempt has ended with the death of its worker."""
        return self.attempts > MAX_ATTEMPTS


class MediaChanges(TypedDict, total=False):
    """What can be changed of a picture of a product. alts: by locale, None takes one away.
    variant: a SKU of the product, None for all of them. position: 0 is the first."""

    alt: str
    alts: Mapping[str, str | None]
    variant: str | None
    position: int


class Illustrated(AggregateRoot):
    """What a product knows of its pictures; a base of `Product` alone."""

    media = Owned("media_rows")

    if TYPE_CHECKING:
        variants: list[Any]

        def _refuse_archived(self) -> None: ...
        def _changed(self, changed: Sequence[str], now: datetime) -> None: ...

    class Meta:
        abstract = True

    # Commands

    def add_media(
        self, *, file_id: UUID, now: datetime, **fields: Unpack[MediaChanges]
    ) -> ProductMedia:
        """Show a picture, behind the others unless it has a position.

        Raises ProductArchived, TooManyMedia, VariantNotFound, MediaExists.
        """
        self._refuse_archived()
        if len(self.media) >= MAX_MEDIA:
            raise TooManyMedia(f"{self} has {len(self.media)} pictures.")
        media = ProductMedia(file_id=file_id, created_at=now)
        self._arrange([*self.media, media], media, {"position": len(self.media), **fields})
        self._changed(["media"], now)
        return media

    def edit_media(self, media_id: UUID, *, now: datetime, **changes: Unpack[MediaChanges]) -> bool:
        """Change what is given. Whether anything is different now.

        Raises ProductArchived, MediaNotFound, VariantNotFound, MediaExists.
        """
        self._refuse_archived()
        before = [media.told for media in self.media]
        self._arrange(list(self.media), self._picture(media_id), changes)
        if before == [media.told for media in self.media]:
            return False
        self._changed(["media"], now)
        return True

    def remove_media(self, media_id: UUID, *, now: datetime) -> UUID:
        """Show a picture no more. The id of its file. Raises ProductArchived, MediaNotFound."""
        self._refuse_archived()
        media = self._picture(media_id)
        self.media = _numbered([other for other in self.media if other is not media])
        self._changed(["media"], now)
        return media.file_id

    def tell_media_sized(self, *, now: datetime) -> None:
        """The sizes of a picture that it shows were made."""
        self._changed(["media"], now)

    def _arrange(
        self, rows: list[ProductMedia], media: ProductMedia, changes: MediaChanges
    ) -> None:
        media.alt = changes.get("alt", media.alt)
        told = {**media.alts, **changes.get("alts", {})}
        media.alts = {locale: text for locale, text in told.items() if text}
        if "variant" in changes:
            media.variant_id = self._variant_id(changes["variant"])
        for other in rows:
            same = (other.file_id, other.variant_id) == (media.file_id, media.variant_id)
            if same and other is not media:
                raise MediaExists(f"{self} shows this picture already.")
        if "position" in changes:
            rows.remove(media)
            rows.insert(changes["position"], media)
        self.media = _numbered(rows)

    def _variant_id(self, sku: str | None) -> UUID | None:
        if sku is None:
            return None
        found = [variant.pk for variant in self.variants if variant.sku == sku]
        if not found:
            raise VariantNotFound(f"{self} has no SKU {sku}.")
        variant_id: UUID = found[0]
        return variant_id

    def _picture(self, media_id: UUID) -> ProductMedia:
        for media in self.media:
            if media.pk == media_id:
                found: ProductMedia = media
                return found
        raise MediaNotFound(f"There is no picture {media_id}.")


class ProductMedia(OwnedModel):
    """That a product shows a picture. alts: what it shows, per locale; else `alt` says it."""

    product = models.ForeignKey(
        "products.Product", on_delete=models.PROTECT, related_name="media_rows"
    )
    file = models.ForeignKey(MediaFile, on_delete=models.PROTECT, related_name="+")
    variant = models.ForeignKey(
        "products.Variant", null=True, on_delete=models.PROTECT, related_name="+"
    )
    position = models.PositiveSmallIntegerField(default=0)
    alt = models.CharField(max_length=300, blank=True)
    alts: Any = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta(OwnedModel.Meta):
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.alt or str(self.pk)

    @property
    def told(self) -> tuple[Any, ...]:
        return self.pk, self.alt, self.alts, self.variant_id


def _numbered(rows: list[ProductMedia]) -> list[ProductMedia]:
    for position, media in enumerate(rows):
        media.position = position
    return rows


_SHOWN = "EXISTS (SELECT 1 FROM products_productmedia m WHERE m.file_id = f.id)"

_CLAIM = f"""
INSERT INTO products_mediafile AS f
    (id, sha256, suffix, width, height, byte_size, state, renditions, attempts, failure,
     touched_at, created_at, version, events_recorded)
VALUES (%s, %s, %s, %s, %s, %s, 'UPLOADING', '[]', 0, '', %s, %s, 1, 0)
ON CONFLICT (sha256) DO UPDATE SET
    touched_at = greatest(f.touched_at, excluded.touched_at),
    version = f.version + 1,
    state = CASE WHEN {_SHOWN} THEN f.state ELSE 'UPLOADING' END,
    renditions = CASE WHEN {_SHOWN} THEN f.renditions ELSE '[]' END,
    due_at = CASE WHEN {_SHOWN} THEN f.due_at END
RETURNING id
"""

_WRITTEN = """
WITH known AS (SELECT id, state FROM products_mediafile WHERE id = %s FOR NO KEY UPDATE)
UPDATE products_mediafile f
SET state = 'PROCESSING', due_at = %s, attempts = 0, failure = '', version = f.version + 1
FROM known WHERE f.id = known.id AND known.state IN ('UPLOADING', 'FAILED')
RETURNING known.state
"""

_RELEASED = """
UPDATE products_mediafile SET touched_at = greatest(touched_at, %s), version = version + 1
WHERE id = %s
RETURNING id
"""

_LEASE = """
UPDATE products_mediafile
SET due_at = %s, attempts = attempts + 1, version = version + 1
WHERE id = (
    SELECT id FROM products_mediafile
    WHERE due_at <= %s AND (%s::uuid IS NULL OR id = %s::uuid)
    ORDER BY due_at LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING id
"""

_UNUSED = f"""
SELECT f.id FROM products_mediafile f
WHERE f.touched_at < %s AND NOT {_SHOWN}
ORDER BY f.touched_at LIMIT 1
FOR UPDATE SKIP LOCKED
"""
