"""What becomes of a picture that somebody sends: nothing of the file survives but what it shows.

The bytes say what it is, never its name. It is decoded whole within limits, turned the way it was
taken, brought to sRGB and written anew, so that metadata (where it was taken), whatever was hung on
to the file, and tricks on decoders are left behind.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image, ImageCms

from domains.products.errors import BrokenImage, TooManyPixels, UnsupportedImage
from domains.products.rules.png import has_all_pixels

MAX_MEDIA = 50
"""Pictures of one product."""
MAX_EDGE = 2560
"""The longer edge of what is kept, in pixels."""

# A progressive JPEG may have a pass over all its pixels in every few bytes: ordinary ones have ten.
_MAX_SCANS = 100
_SCAN = b"\xff\xda"
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_KINDS = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "GIF": re.compile(rb"GIF8[79]a"),
    "WEBP": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "AVIF": re.compile(rb".{4}ftypavi[fs]", re.DOTALL),
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is kept: JPEG, or PNG where parts of it are transparent. Sizes in pixels."""

    content: bytes
    suffix: str
    width: int
    height: int

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Size:
    """A smaller picture, in WebP."""

    content: bytes
    width: int
    height: int


def folder_of(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}"


def original_key(sha256: str, suffix: str) -> str:
    return f"{folder_of(sha256)}/original.{suffix}"


def size_key(sha256: str, width: int) -> str:
    return f"{folder_of(sha256)}/{width}.webp"


def kind_of(head: bytes) -> str | None:
    """What the first bytes of a file say that it is, of the kinds that are accepted."""
    return next((kind for kind, magic in _KINDS.items() if magic.match(head)), None)


def clean_picture(file: BinaryIO, *, max_pixels: int) -> Picture:
    """Make a picture of an untrusted file, of an animation its first frame.

    Raises UnsupportedImage for what is none of the kinds accepted (nor SVG, which is a program),
    TooManyPixels, and BrokenImage for what cannot be decoded to its end.
    """
    content = file.read()
    kind = kind_of(content[:32])
    if kind is None:
        raise UnsupportedImage("Send a JPEG, PNG, WebP, GIF or AVIF file.")
    if kind == "JPEG" and content.count(_SCAN) > _MAX_SCANS:
        raise BrokenImage("The file cannot be read as a picture.")
    try:
        image = _decoded(content, kind, max_pixels)
        image = _in_srgb(_turned(image))
        image.thumbnail((MAX_EDGE, MAX_EDGE), Image.Resampling.LANCZOS, reducing_gap=3.0)
        return _written(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many(max_pixels) from error
    except (TooManyPixels, MemoryError):
        raise
    except Exception as error:  # decoders raise whatever they stumble over
        raise BrokenImage("The file cannot be read as a picture.") from error


def widths_for(width: int, wanted: Sequence[int]) -> list[int]:
    """The widths to make of a picture: those wanted that are smaller, and at most its own."""
    smaller = {each for each in wanted if each < width}
    return sorted(smaller | {min(width, max(wanted))})


def sizes_of(content: bytes, wanted: Sequence[int]) -> Iterator[Size]:
    """The sizes of a picture that `clean_picture` made, the smallest first."""
    with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
        image.load()
        for width in widths_for(image.width, wanted):
            height = max(1, round(image.height * width / image.width))
            small = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
            small.info = {}
            yield Size(_encoded(small, "WEBP", quality=80, method=4), width, height)


def _decoded(content: bytes, kind: str, max_pixels: int) -> Image.Image:
    with Image.open(io.BytesIO(content), formats=(kind,)) as image:
        _require_few(image, max_pixels)
        image.verify()
    if kind == "PNG" and not has_all_pixels(content):
        raise BrokenImage("The file cannot be read as a picture.")
    image = Image.open(io.BytesIO(content), formats=(kind,))
    # A large JPEG is decoded at half its size, or a quarter, where that is still enough.
    image.draft(None, (MAX_EDGE, MAX_EDGE))
    image.load()
    _require_few(image, max_pixels)
    return image


def _require_few(image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise _too_many(max_pixels)


def _too_many(max_pixels: int) -> TooManyPixels:
    return TooManyPixels(f"A picture may have {max_pixels:,} pixels.")


def _turned(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # broken metadata is no reason to refuse a picture
        return image
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def _in_srgb(image: Image.Image) -> Image.Image:
    """In eight bits per channel of sRGB, with an alpha channel only where something shows through.

    https://www.w3.org/TR/css-color-4/#untagged: what has no profile is sRGB already.
    """
    profile = image.info.get("icc_profile")
    transparent = image.has_transparency_data
    if image.mode.startswith("I;16"):
        image = image.convert("I").point(lambda value: value * (1 / 257))
    if image.mode in ("P", "PA", "LA", "La", "RGBa", "1"):
        image = image.convert("RGBA" if transparent else "RGB")
    wanted = "RGBA" if transparent else "RGB"
    if profile:
        image = _through_profile(image, profile, wanted)
    image = image.convert(wanted)
    if wanted == "RGBA" and image.getchannel("A").getextrema()[0] == 255:
        image = image.convert("RGB")
    return image


def _through_profile(image: Image.Image, profile: bytes, wanted: str) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, source, target, outputMode=wanted)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a profile that is broken, or of another kind of picture, says nothing
    return image if converted is None else converted


def _written(image: Image.Image) -> Picture:
    # Encoders would copy comments and profiles from here.
    image.info = {}
    if image.mode == "RGBA":
        content, suffix = _encoded(image, "PNG"), "png"
    else:
        content = _encoded(image, "JPEG", quality=90, progressive=True, optimize=True)
        suffix = "jpg"
    return Picture(content, suffix, image.width, image.height)


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()
