"""Files that are brought to be imported: received, looked at, and given to an operation."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Protocol, cast
from uuid import UUID

from domains.products.errors import NotTried, UnreadableFile
from domains.products.rules.imports import reading
from domains.products.rules.imports.reading import FORMATS
from domains.products.services.imports.terms import Mode
from infrastructure import clock
from infrastructure.http.idempotency import IdempotencyKey
from infrastructure.operations import services as operations
from infrastructure.operations.models import Operation
from infrastructure.operations.running import OnProgress
from infrastructure.storage import imports

KIND = "products.import"

_CHUNK = 256 * 1024


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Received:
    """A file that lies in the storage. key: where; sha256, byte_size: of its content, unpacked."""

    key: str
    kind: str
    file_format: str
    sha256: str
    byte_size: int

    def discard(self) -> None:
        _discard(self.key)


def receive(
    content: Readable,
    *,
    kind: str,
    file_format: str,
    is_gzip: bool = False,
    limit: int | None = None,
    now: datetime,
) -> Received:
    """Store a file as it comes, in little memory, and look at its header.

    limit: in bytes, of what is unpacked. Raises UnreadableFile for what is no gzip, InvalidHeader,
    and BodyTooLarge; then nothing is kept.
    """
    assert file_format in FORMATS
    found = _Digest(_unpacked(content) if is_gzip else _chunks(content))
    key = imports.save(found, suffix=f".{file_format}", now=now, limit=limit)
    received = Received(key, kind, file_format, found.sha256, found.byte_size)
    try:
        with imports.open(key) as file:
            reading.check(cast(BinaryIO, file), kind, file_format)
    except BaseException:
        received.discard()
        raise
    return received


def start(
    received: Received,
    *,
    mode: Mode,
    dry_run: bool,
    actor_id: UUID | None,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
) -> Operation:
    """Let a worker import it. Raises Duplicate for a key that was used before."""
    return operations.start(
        KIND,
        params=_params(received, mode),
        input_file=received.key,
        dry_run=dry_run,
        actor_id=actor_id,
        now=now,
        idempotency=idempotency,
    )


def confirm(tried: Operation, *, actor_id: UUID, now: datetime) -> Operation:
    """Really import what a finished dry run has tried, from a copy of its file: the trial may be
    forgotten with its own while this one waits. Whoever asks again gets the import that there is.

    Raises NotTried, also where its file is gone; OperationNotFound if it has just been forgotten.
    """
    is_over = tried.state == Operation.State.SUCCEEDED
    if tried.kind != KIND or not tried.dry_run or not is_over:
        raise NotTried("Only what a finished trial has looked at can be imported like this.")
    begun = operations.find(tried.followed_by) if tried.followed_by is not None else None
    if begun is not None:
        return begun
    copied = _copied(tried.input_file, now)
    try:
        begun = operations.follow(tried, input_file=copied, actor_id=actor_id, now=now)
    except BaseException:
        _discard(copied)
        raise
    if begun.input_file != copied:
        _discard(copied)
    return begun


def _copied(key: str, now: datetime) -> str:
    """Raises NotTried."""
    try:
        with imports.open(key) as file:
            return imports.save(file, suffix=PurePosixPath(key).suffix, now=now)
    except FileNotFoundError as error:
        raise NotTried("Its file is not kept any more. Bring it again.") from error


def run_now(
    received: Received,
    *,
    mode: Mode,
    dry_run: bool,
    actor_id: UUID | None = None,
    on_progress: OnProgress | None = None,
    idempotency: IdempotencyKey | None = None,
) -> Operation:
    """Import it here. What became of it is in the operation, not raised.

    Raises Duplicate for a key that was used before.
    """
    return operations.run_now(
        KIND,
        params=_params(received, mode),
        input_file=received.key,
        dry_run=dry_run,
        actor_id=actor_id,
        clock=clock.now,
        on_progress=on_progress,
        idempotency=idempotency,
    )


def _params(received: Received, mode: Mode) -> dict[str, Any]:
    return {"kind": received.kind, "format": received.file_format, "mode": mode}


def _discard(key: str) -> None:
    with suppress(OSError):
        imports.delete(key)


class _Digest:
    """Chunks on their way, counted and hashed."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._hash = hashlib.sha256()
        self.byte_size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._hash.update(chunk)
            self.byte_size += len(chunk)
            yield chunk

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def _chunks(content: Readable) -> Iterator[bytes]:
    while chunk := content.read(_CHUNK):
        yield chunk


def _unpacked(content: Readable) -> Iterator[bytes]:
    """Never more than a chunk at a time, however much it was packed. Raises UnreadableFile."""
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        for packed in _chunks(content):
            while packed:
                if unpacker.eof:  # a gzip file may have several members
                    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
                yield unpacker.decompress(packed, _CHUNK)
                packed = unpacker.unconsumed_tail or unpacker.unused_data
    except zlib.error as error:
        raise UnreadableFile("It is not packed with gzip.") from error
    if not unpacker.eof:
        raise UnreadableFile("The gzip file ends too early.")
