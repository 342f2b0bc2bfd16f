"""Private files: what was brought for a long operation, and what one made.

Where they lie is a matter of settings (STORAGES): a folder, or a bucket. Nothing serves them by an
address of their own; a key is `<day>/<name that cannot be guessed><suffix>`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from tempfile import SpooledTemporaryFile, TemporaryFile
from typing import IO, Any, Protocol

from django.core.files import File
from django.core.files.storage import Storage, storages

from infrastructure.http.errors import BodyTooLarge

_CHUNK = 256 * 1024
_IN_MEMORY = 1024 * 1024


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(slots=True)
class NewFile:
    """A file in the making. `key` is where it will be once the block has ended well."""

    key: str
    file: IO[bytes]


class Files:
    """The files of one of settings.STORAGES."""

    def __init__(self, name: str) -> None:
        self.name = name

    def save(
        self,
        content: Readable | Iterable[bytes],
        *,
        suffix: str,
        now: datetime,
        limit: int | None = None,
    ) -> str:
        """Store what a stream gives and return its key, holding little of it in memory.

        limit: in bytes. Raises BodyTooLarge beyond it, and nothing is stored.
        """
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as spooled:
            size = 0
            for chunk in _chunks(content):
                size += len(chunk)
                if limit is not None and size > limit:
                    raise BodyTooLarge(f"It may have {limit:,} bytes.")
                spooled.write(chunk)
            return self._store(_new_key(suffix, now), spooled)

    @contextmanager
    def new(self, *, suffix: str, now: datetime) -> Iterator[NewFile]:
        """A file to write to; stored under its key when the block ends without an exception."""
        with TemporaryFile() as file:
            new = NewFile(_new_key(suffix, now), file)
            yield new
            new.key = self._store(new.key, file)

    def open(self, key: str) -> IO[bytes]:
        """The file for reading, seekable. Raises FileNotFoundError."""
        opened: IO[bytes] = self._storage.open(key, "rb")
        return opened

    def size(self, key: str) -> int:
        """Bytes. Raises FileNotFoundError."""
        return self._storage.size(key)

    def delete(self, key: str) -> None:
        """What is not there, or has no key, is no error."""
        if key:
            self._storage.delete(key)

    def purge(self, *, before: date) -> int:
        """Delete all files of the days before this one: uploads that came to nothing. Returns how
        many files."""
        storage, deleted = self._storage, 0
        for day in _folders(storage, ""):
            if day >= before.isoformat():
                continue
            for name in storage.listdir(day)[1]:
                storage.delete(f"{day}/{name}")
                deleted += 1
            # An empty folder; a bucket has none.
            storage.delete(day)
        return deleted

    @property
    def _storage(self) -> Storage:
        return storages[self.name]

    def _store(self, key: str, file: Any) -> str:
        file.seek(0)
        return self._storage.save(key, File(file, name=key))


imports = Files("imports")
exports = Files("exports")


def _new_key(suffix: str, now: datetime) -> str:
    return f"{now.date().isoformat()}/{secrets.token_urlsafe(24)}{suffix}"


def _chunks(content: Readable | Iterable[bytes]) -> Iterator[bytes]:
    read = getattr(content, "read", None)
    if read is None:
        yield from content  # type: ignore[misc]
        return
    while chunk := read(_CHUNK):
        yield chunk


def _folders(storage: Storage, path: str) -> list[str]:
    try:
        return sorted(storage.listdir(path)[0])
    except FileNotFoundError:
        return []
