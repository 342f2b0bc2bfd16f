"""What is kept: the bytes of an answer, and what decides how long they may be shown."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

# Below it, compressing saves less than one packet.
SMALLEST_COMPRESSED = 1_000
_LEVEL = 6
# What an entry weighs beside its bytes: headers, tags, its places in the tables.
_OVERHEAD = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a load found out. Instants are seconds since 1970.

    tags: whatever the body shows or depends on; an invalidation of any of them drops it.
    version: of the resource, where clients send it back in If-Match.
    changes_at: when the body becomes untrue by itself, such as the next price boundary.
    headers: further ones of the answer that depend on nothing but the body.
    """

    body: bytes
    tags: frozenset[str]
    version: int | None = None
    changes_at: float | None = None
    headers: tuple[tuple[str, str], ...] = ()


class Entry(msgspec.Struct, kw_only=True, array_like=True, weakref=False):
    """A kept answer. Immutable but for `gzipped`, `claimed_until` and `prepared`.

    mark: the state of the shared tags before the load; None where it could not be asked.
    position: the commit position (LSN) that was read before the load; None where none is known.
    """

    key: str
    body: bytes
    tag: str
    tags: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    loaded_at: float
    refresh_at: float
    expires_at: float
    changes_at: float | None
    mark: int | None
    position: int | None
    gzipped: bytes | None = None

    @property
    def size(self) -> int:
        """What it may weigh in memory, a compressed copy included that nobody asked for yet."""
        return 2 * len(self.body) + _OVERHEAD


def new_entry(
    key: str,
    loaded: Loaded,
    *,
    loaded_at: float,
    seconds: float,
    refresh_after: float,
    mark: int | None,
    position: int | None,
) -> Entry:
    """An entry that lives for `seconds`, but never past `loaded.changes_at`.

    refresh_after: the part of its life, 0 to 1, after which one reader loads it anew.
    """
    expires_at = loaded_at + seconds
    if loaded.changes_at is not None:
        expires_at = min(expires_at, loaded.changes_at)
    digest = blake2b(loaded.body, digest_size=8).hexdigest()
    return Entry(
        key=key,
        body=loaded.body,
        # All of it comes from the bytes; the version leads where If-Match has to find it.
        tag=f"b{digest}" if loaded.version is None else f"v{loaded.version}-{digest}",
        tags=tuple(sorted(loaded.tags)),
        headers=loaded.headers,
        loaded_at=loaded_at,
        refresh_at=loaded_at + (expires_at - loaded_at) * refresh_after,
        expires_at=expires_at,
        changes_at=loaded.changes_at,
        mark=mark,
        position=position,
    )


def compressed(entry: Entry) -> bytes | None:
    """The gzip of the body, made once when somebody first asks; None where it does not pay."""
    if entry.gzipped is None and len(entry.body) >= SMALLEST_COMPRESSED:
        # Two threads may do this at once, with the same outcome.
        entry.gzipped = gzip.compress(entry.body, _LEVEL, mtime=0)
    return entry.gzipped


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Entry)


def to_bytes(entry: Entry) -> bytes:
    return _encoder.encode(entry)


def from_bytes(data: bytes) -> Entry | None:
    """None for what another release may have written."""
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError:
        return None
