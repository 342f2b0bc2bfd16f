from __future__ import annotations

import io
import struct
import zlib
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from domains.products.errors import BrokenImage, TooManyPixels, UnsupportedImage
from domains.products.rules import media, png
from tests.support.factories.pictures import decoded, picture

LIMIT = 1_000_000


def cleaned(content: bytes) -> media.Picture:
    return media.clean_picture(io.BytesIO(content), max_pixels=LIMIT)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
def test_every_accepted_kind_becomes_a_jpeg(kind: str) -> None:
    kept = cleaned(picture(kind))
    assert (kept.suffix, kept.width, kept.height) == ("jpg", 400, 300)
    assert decoded(kept.content).format == "JPEG"
    assert kept.sha256 == sha256(kept.content).hexdigest()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
def test_what_is_transparent_stays_so_as_png(kind: str) -> None:
    kept = cleaned(picture(kind, mode="RGBA", colour=(10, 20, 30, 0)))
    image = decoded(kept.content)
    assert (kept.suffix, image.format, image.mode) == ("png", "PNG", "RGBA")
    assert image.getchannel("A").getextrema() == (0, 0)


def test_an_alpha_channel_through_which_nothing_shows_is_dropped() -> None:
    assert cleaned(picture("PNG", mode="RGBA", colour=(10, 20, 30, 255))).suffix == "jpg"


def test_of_an_animation_the_first_frame_is_kept() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    written = io.BytesIO()
    frames[0].save(written, "GIF", save_all=True, append_images=frames[1:])
    image = decoded(cleaned(written.getvalue()).content)
    red, _, blue = image.getpixel((10, 10))  # type: ignore[misc]
    assert (red > 200, blue < 50, getattr(image, "n_frames", 1)) == (True, True, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"<html><script>alert(1)</script></html>",
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
        b"GIF87 is how it begins, and no more",
        b"%PDF-1.7",
        b"MZ\x90\x00",
        b"II*\x00\x08\x00\x00\x00",
        b"BM\x46\x00\x00\x00",
        b"RIFF\x24\x00\x00\x00WAVEfmt ",
        b"\x00\x00\x00\x18ftypmp42",
        b"x",
    ],
)
def test_what_is_no_picture_by_its_bytes_is_refused(content: bytes) -> None:
    with pytest.raises(UnsupportedImage):
        cleaned(content)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
def test_a_truncated_picture_is_refused(kind: str) -> None:
    image = Image.effect_noise((200, 200), 80)
    written = io.BytesIO()
    image.convert("RGB").save(written, kind)
    content = written.getvalue()
    with pytest.raises(BrokenImage):
        cleaned(content[: len(content) // 2])


@pytest.mark.parametrize(
    "head", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x24\x00\x00\x00WEBP"]
)
def test_a_beginning_alone_is_no_picture(head: bytes) -> None:
    with pytest.raises(BrokenImage):
        cleaned(head + b"<script>alert(1)</script>" * 10)


def png_that_claims(width: int, height: int) -> bytes:
    """A file of some bytes that would be decoded to gigabytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(100_000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("edge", [1001, 9_500, 20_000, 2**31 - 1])
def test_a_bomb_is_refused_by_what_it_claims_to_be(edge: int) -> None:
    with pytest.raises(TooManyPixels):
        cleaned(png_that_claims(edge, edge))


def test_a_jpeg_of_thousands_of_passes_is_refused_before_it_is_decoded() -> None:
    content = picture("JPEG", progressive=True)
    scan = content[content.rindex(b"\xff\xda") : -2]
    with pytest.raises(BrokenImage):
        cleaned(content[:-2] + scan * 200 + content[-2:])


def test_what_hangs_on_behind_a_picture_is_left_behind() -> None:
    archive = b"PK\x03\x04 <script>alert(1)</script> <?php system($_GET[0]); ?>"
    for kind in ("JPEG", "PNG", "GIF", "WEBP"):
        kept = cleaned(picture(kind) + archive)
        assert b"script" not in kept.content
        assert b"PK\x03\x04" not in kept.content


def test_no_metadata_survives() -> None:
    exif = Image.Exif()
    exif[0x010E] = "my kitchen"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    content = picture("JPEG", exif=exif, comment=b"secret", xmp=b"<x:xmpmeta>secret</x:xmpmeta>")
    assert b"my kitchen" in content
    assert b"secret" in content
    kept = cleaned(content).content
    image = decoded(kept)
    assert dict(image.getexif()) == {}
    assert image.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"} | {
        "progressive",
        "progression",
    }
    assert b"my kitchen" not in kept
    assert b"secret" not in kept


def test_text_of_a_png_does_not_survive() -> None:
    told = PngInfo()
    told.add_text("Author", "somebody")
    told.add_itxt("XML:com.adobe.xmp", "<secret/>")
    content = picture("PNG", mode="RGBA", colour=(1, 2, 3, 9), pnginfo=told)
    kept = cleaned(content).content
    assert b"somebody" in content
    assert b"somebody" not in kept
    assert b"secret" not in kept


@pytest.mark.parametrize(
    ("orientation", "size"), [(1, (400, 300)), (6, (300, 400)), (8, (300, 400))]
)
def test_a_picture_is_turned_the_way_it_was_taken(orientation: int, size: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    kept = cleaned(picture("JPEG", exif=exif))
    assert (kept.width, kept.height) == size


def test_turning_goes_the_right_way_round() -> None:
    image = Image.new("RGB", (64, 32), "white")
    image.paste("black", (0, 0, 32, 32))
    exif = Image.Exif()
    exif[0x0112] = 6  # the top of the scene is on the right of what is stored
    written = io.BytesIO()
    image.save(written, "JPEG", exif=exif)
    turned = decoded(cleaned(written.getvalue()).content).convert("L")
    assert turned.size == (32, 64)
    assert turned.getpixel((16, 10)) < 20  # type: ignore[operator]
    assert turned.getpixel((16, 54)) > 235  # type: ignore[operator]


def test_colours_are_brought_to_srgb() -> None:
    other = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    kept = cleaned(picture("JPEG", icc_profile=srgb))
    assert "icc_profile" not in decoded(kept.content).info
    # A profile of another kind of picture, and one that is none, change nothing.
    for profile in (other.tobytes(), b"no profile"):
        assert cleaned(picture("JPEG", icc_profile=profile)).content == cleaned(picture()).content


def test_sixteen_bits_of_grey_become_eight() -> None:
    image = Image.new("I;16", (10, 10), 0x8080)
    written = io.BytesIO()
    image.save(written, "PNG")
    assert decoded(cleaned(written.getvalue()).content).getpixel((5, 5)) == (128, 128, 128)


def test_a_large_picture_is_kept_smaller() -> None:
    kept = media.clean_picture(io.BytesIO(picture(width=6000, height=3000)), max_pixels=25_000_000)
    assert (kept.width, kept.height) == (2560, 1280)


def test_equal_pictures_are_equal_files_whatever_they_were_called_or_said() -> None:
    assert cleaned(picture(comment=b"one")).sha256 == cleaned(picture(comment=b"two")).sha256


def test_sizes_are_webp_and_never_larger_than_the_picture() -> None:
    kept = cleaned(picture())
    sizes = list(media.sizes_of(kept.content, [160, 320, 640, 1280]))
    assert [(size.width, size.height) for size in sizes] == [(160, 120), (320, 240), (400, 300)]
    assert {decoded(size.content).format for size in sizes} == {"WEBP"}
    assert [decoded(size.content).size for size in sizes] == [(160, 120), (320, 240), (400, 300)]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (100, [100]),
        (160, [160]),
        (161, [160, 161]),
        (1280, [160, 640, 1280]),
        (2000, [160, 640, 1280]),
    ],
)
def test_which_widths_are_made(width: int, expected: list[int]) -> None:
    assert media.widths_for(width, [640, 160, 1280]) == expected


def test_names_follow_from_the_content() -> None:
    digest = "ab" * 32
    assert media.original_key(digest, "jpg") == f"ab/{digest}/original.jpg"
    assert media.size_key(digest, 320) == f"ab/{digest}/320.webp"


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "AVIF"]),
    places=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=20),
)
def test_a_file_with_any_bytes_changed_is_a_picture_or_refused(
    kind: str, places: list[tuple[int, int]]
) -> None:
    content = bytearray(picture(kind, width=60, height=40))
    for place, value in places:
        content[place % len(content)] = value
    try:
        kept = cleaned(bytes(content))
    except (UnsupportedImage, BrokenImage, TooManyPixels):
        return
    assert decoded(kept.content).size == (kept.width, kept.height)


def _png(rows: int, *, mode: str = "RGB", interlaced: bool = False, chunk: int = 50) -> bytes:
    """A PNG of 20 x 30 pixels, all of its chunks right, of which so many rows are there."""
    colour, bits = {"1": (0, 1), "L": (0, 8), "RGB": (2, 24), "RGBA": (6, 32)}[mode]
    header = struct.pack(">IIBBBBB", 20, 30, min(bits, 8), colour, 0, 0, interlaced)
    packed = zlib.compress((b"\0" + b"\x55" * ((20 * bits + 7) // 8)) * rows, 1)
    parts = [packed[at : at + chunk] for at in range(0, len(packed), chunk)]
    chunks = [(b"IHDR", header), *((b"IDAT", part) for part in parts), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


@pytest.mark.parametrize("chunk", [1, 7, 10_000])
@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA"])
def test_a_png_whose_pixels_end_early_is_broken(mode: str, chunk: int) -> None:
    kept = cleaned(_png(30, mode=mode, chunk=chunk))
    assert (kept.width, kept.height) == (20, 30)
    for rows in (0, 15, 29):
        with pytest.raises(BrokenImage):
            cleaned(_png(rows, mode=mode, chunk=chunk))


def test_a_large_png_whose_pixels_end_early_is_broken() -> None:
    whole = picture("PNG", width=2000, height=1000, colour=(9, 9, 9))
    start = whole.index(b"IHDR")
    header = whole[start : start + 8] + struct.pack(">I", 1001) + whole[start + 12 : start + 17]
    taller = whole[:start] + header + struct.pack(">I", zlib.crc32(header)) + whole[start + 21 :]
    assert media.clean_picture(io.BytesIO(whole), max_pixels=10**7).height == 1000
    with pytest.raises(BrokenImage):
        media.clean_picture(io.BytesIO(taller), max_pixels=10**7)


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(["1", "L", "P", "RGB", "RGBA"]))
@settings(max_examples=50, deadline=None)
def test_every_whole_png_has_all_pixels(width: int, height: int, mode: str) -> None:
    assert png.has_all_pixels(picture("PNG", width=width, height=height, mode=mode, colour=0))


def test_the_passes_of_an_interlaced_png_are_counted() -> None:
    # By 8.1 of the standard: of 20 x 30 pixels in passes of 3x4, 2x4, 5x4, 5x8, 10x7, 10x15, 20x15.
    rows = [(3, 4), (2, 4), (5, 4), (5, 8), (10, 7), (10, 15), (20, 15)]
    needed = sum(height * (1 + 3 * width) for width, height in rows)
    for length, whole in ((needed, True), (needed - 1, False)):
        content = bytearray(_png(0, interlaced=True))
        data = zlib.compress(b"\0" * length)
        at = content.index(b"IDAT") - 4
        chunk = struct.pack(">I", len(data)) + b"IDAT" + data + b"\0\0\0\0"
        assert png.has_all_pixels(bytes(content[:at]) + chunk) is whole
