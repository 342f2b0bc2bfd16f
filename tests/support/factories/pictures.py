"""Files that somebody might send as pictures, good and bad."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image


def picture(
    kind: str = "JPEG",
    *,
    width: int = 400,
    height: int = 300,
    colour: Any = (180, 40, 40),
    mode: str = "RGB",
    **options: Any,
) -> bytes:
    """A picture of one colour."""
    written = io.BytesIO()
    Image.new(mode, (width, height), colour).save(written, kind, **options)
    return written.getvalue()


def decoded(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image
