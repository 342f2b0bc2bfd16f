"""What travels on the channel: which tags were invalidated, and when."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec


class Invalidation(msgspec.Struct, frozen=True, array_like=True):
    """at: seconds since 1970, by the clock of the sender."""

    at: float
    tags: list[str]


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Invalidation)


def written(tags: Sequence[str]) -> bytes:
    return _encode(Invalidation(at=time.time(), tags=list(tags)))


def read(data: bytes) -> Invalidation:
    """Raises msgspec.MsgspecError."""
    return _decoder.decode(data)
