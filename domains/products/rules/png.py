"""Whether the pixels of a PNG are all there.

Pillow leaves rows black where the compressed data ends properly but too early.

Portable Network Graphics (Third Edition), W3C: chunks 5.3, IHDR 11.2.1, interlacing 8.1, rows 7.2.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_SIGNATURE_LENGTH = 8
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# First column, first row, and the steps from one to the next, of each pass of Adam7.
_PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_STEP = 1 << 20


def has_all_pixels(content: bytes) -> bool:
    """Of a file whose chunks are right. No more is inflated than the pixels take, and none kept.

    Raises zlib.error for data that cannot be inflated, LookupError and struct.error for chunks that
    are none.
    """
    view = memoryview(content)
    missing = _length_of_pixels(view)
    inflating = zlib.decompressobj()
    for data in _pixel_data(view):
        rest: bytes | memoryview = data
        while rest and missing > 0:
            missing -= len(inflating.decompress(rest, min(_STEP, missing)))
            rest = inflating.unconsumed_tail
    while missing > 0 and (more := inflating.flush(_STEP)):
        missing -= len(more)
    return missing <= 0


def _length_of_pixels(content: memoryview) -> int:
    """In bytes, with the one before each row that says how it was filtered."""
    start = _SIGNATURE_LENGTH + 8
    width, height, depth, colour, _, _, interlaced = struct.unpack(
        ">IIBBBBB", content[start : start + 13]
    )
    bits = depth * _CHANNELS[colour]
    total = 0
    for left, top, across, down in _PASSES if interlaced else ((0, 0, 1, 1),):
        columns, rows = -((left - width) // across), -((top - height) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def _pixel_data(content: memoryview) -> Iterator[memoryview]:
    """The first run of IDAT chunks; what comes after another chunk is not decoded either."""
    position, is_within = _SIGNATURE_LENGTH, False
    while position + 8 <= len(content):
        length, name = struct.unpack(">I4s", content[position : position + 8])
        if name == b"IDAT":
            is_within = True
            yield content[position + 8 : position + 8 + length]
        elif is_within:
            return
        position += length + 12
