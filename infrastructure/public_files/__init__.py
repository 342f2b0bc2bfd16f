"""Files that anybody may fetch, named by their content, and so never changed.

Where they lie is a matter of settings (STORAGES): a folder, or a bucket. They are fetched from
MEDIA_PUBLIC_URL (the application, a proxy or a CDN), never through a signed address.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, cast

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from infrastructure.errors import DomainError

STORAGE = "media"
CACHE_CONTROL = "public, max-age=31536000, immutable"
TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}


class StorageUnavailable(DomainError):
    """The store of files does not answer. Nothing was changed; try again."""

    code, status, title = "storage_unavailable", 503, "Files cannot be stored at the moment"

    def __init__(self, detail: str = "Try again in a moment.") -> None:
        super().__init__(detail, headers={"Retry-After": "5"})


class _Store(Protocol):
    """What the two kinds of storage have in common, beside what Django demands."""

    faults: tuple[type[Exception], ...]
    """What its operations raise where the store is away, full or refuses us."""

    def save(self, name: str, content: Any) -> str: ...
    def open(self, name: str, mode: str = "rb") -> Any: ...
    def exists(self, name: str) -> bool: ...
    def delete(self, name: str) -> None: ...
    def listdir(self, path: str) -> tuple[list[str], list[str]]: ...


def url_of(key: str) -> str:
    return f"{settings.MEDIA_PUBLIC_URL}{key}"


def put(key: str, content: bytes) -> None:
    """Store a file whole, or not at all; one of the same name is replaced by its equal.

    Raises StorageUnavailable.
    """
    with _store() as store:
        store.save(key, ContentFile(content))


def read(key: str) -> bytes:
    """Raises FileNotFoundError, StorageUnavailable."""
    with _store() as store, store.open(key) as file:
        content: bytes = file.read()
        return content


def exists(key: str) -> bool:
    """Raises StorageUnavailable."""
    with _store() as store:
        return store.exists(key)


def delete_folder(folder: str) -> int:
    """Delete all files of a folder; none are no error. How many there were.

    Raises StorageUnavailable.
    """
    with _store() as store:
        try:
            names = store.listdir(folder)[1]
        except FileNotFoundError:
            return 0
        for name in names:
            store.delete(f"{folder}/{name}")
        # An empty folder; a bucket has none.
        store.delete(folder)
        return len(names)


@contextmanager
def _store() -> Iterator[_Store]:
    store = cast("_Store", storages[STORAGE])
    try:
        yield store
    except FileNotFoundError:
        raise
    except store.faults as error:
        raise StorageUnavailable from error
