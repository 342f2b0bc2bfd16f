"""Public files in a folder that all replicas share."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.core.files.storage import FileSystemStorage


class FolderStorage(FileSystemStorage):
    """A file appears whole or not at all, and is on disk before `save` returns: whatever names it
    may be committed then."""

    faults = (OSError,)

    def __init__(self, location: str) -> None:
        super().__init__(location=location, base_url=None, allow_overwrite=True)

    def _save(self, name: str, content: Any) -> str:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
            try:
                for chunk in content.chunks():
                    file.write(chunk)
                file.flush()
                os.fchmod(file.fileno(), 0o644)
                os.fsync(file.fileno())
                os.replace(file.name, path)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(file.name)
                raise
        for folder in (path.parent, *path.parent.parents):
            _sync(folder)
            if folder == Path(self.location):
                break
        return name


def _sync(folder: Path) -> None:
    """A file is found again after a power failure only if its folder was written too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
