"""Pictures for some of the demo goods: simple motifs, drawn here and the same every time."""

from __future__ import annotations

import io
from collections.abc import Callable
from zlib import crc32

from PIL import Image, ImageDraw, ImageFilter

EDGE = 480

Draw = ImageDraw.ImageDraw
Colour = tuple[int, int, int]

# Background and motif, in pairs that go together.
_COLOURS: list[tuple[Colour, Colour]] = [
    ((243, 233, 220), (192, 98, 74)),
    ((226, 236, 233), (58, 110, 104)),
    ((238, 228, 240), (120, 82, 138)),
    ((232, 236, 244), (62, 88, 142)),
    ((246, 238, 214), (178, 132, 42)),
    ((246, 226, 228), (176, 62, 88)),
]


def picture_of(name: str) -> bytes:
    """A PNG that goes with the name of a good."""
    ground, colour = _COLOURS[crc32(name.encode()) % len(_COLOURS)]
    image = Image.linear_gradient("L").resize((EDGE, EDGE))
    light: Colour = tuple(min(255, part + 9) for part in ground)  # type: ignore[assignment]
    image = Image.composite(
        Image.new("RGB", image.size, ground), Image.new("RGB", image.size, light), image
    )
    shadow = Image.new("L", image.size)
    ImageDraw.Draw(shadow).ellipse((110, 384, 370, 420), fill=70)
    dark: Colour = tuple(part // 2 for part in ground)  # type: ignore[assignment]
    image.paste(dark, mask=shadow.filter(ImageFilter.GaussianBlur(12)))
    _motif_of(name)(ImageDraw.Draw(image), colour, light)
    written = io.BytesIO()
    image.save(written, "PNG", compress_level=1)
    return written.getvalue()


def has_motif(name: str) -> bool:
    return _motif_of(name) is not _vase


def _motif_of(name: str) -> Callable[[Draw, Colour, Colour], None]:
    words = name.lower()
    for word, motif in _MOTIFS.items():
        if word in words:
            return motif
    return _vase


def _lantern(draw: Draw, colour: Colour, light: Colour) -> None:
    draw.arc((200, 60, 280, 150), 180, 360, fill=colour, width=8)
    draw.polygon([(160, 150), (320, 150), (290, 105), (190, 105)], fill=colour)
    draw.rounded_rectangle((160, 150, 320, 390), 10, fill=colour)
    draw.rounded_rectangle((182, 172, 298, 368), 6, fill=light)
    draw.rectangle((222, 290, 258, 368), fill=(250, 246, 236))
    draw.ellipse((228, 236, 252, 288), fill=(242, 178, 74))


def _heart(draw: Draw, colour: Colour, light: Colour) -> None:
    draw.line((240, 40, 240, 170), fill=colour, width=4)
    draw.ellipse((110, 120, 250, 260), fill=colour)
    draw.ellipse((230, 120, 370, 260), fill=colour)
    draw.polygon([(122, 228), (358, 228), (240, 390)], fill=colour)
    draw.ellipse((150, 160, 190, 200), fill=light)


def _mug(draw: Draw, colour: Colour, light: Colour) -> None:
    draw.ellipse((280, 200, 390, 330), outline=colour, width=24)
    draw.rounded_rectangle((120, 160, 320, 390), 24, fill=colour)
    draw.rectangle((120, 230, 320, 262), fill=light)


def _bag(draw: Draw, colour: Colour, light: Colour) -> None:
    draw.arc((180, 90, 300, 270), 180, 360, fill=colour, width=14)
    draw.polygon([(120, 180), (360, 180), (388, 400), (92, 400)], fill=colour)
    for x in range(128, 350, 50):
        draw.ellipse((x, 260, x + 24, 284), fill=light)


def _box(draw: Draw, colour: Colour, light: Colour) -> None:
    draw.rounded_rectangle((110, 200, 370, 400), 8, fill=colour)
    draw.rounded_rectangle((96, 160, 384, 216), 8, fill=colour, outline=light, width=3)
    draw.rectangle((222, 160, 258, 400), fill=light)


def _vase(draw: Draw, colour: Colour, light: Colour) -> None:
    for x, y in ((190, 110), (240, 80), (290, 110)):
        draw.line((240, 250, x, y), fill=(88, 118, 78), width=6)
        draw.ellipse((x - 26, y - 26, x + 26, y + 26), fill=colour)
        draw.ellipse((x - 9, y - 9, x + 9, y + 9), fill=light)
    draw.polygon(
        [(200, 230), (280, 230), (310, 330), (270, 400), (210, 400), (170, 330)], fill=colour
    )


_MOTIFS: dict[str, Callable[[Draw, Colour, Colour], None]] = {
    "lantern": _lantern,
    "light": _lantern,
    "heart": _heart,
    "mug": _mug,
    "cup": _mug,
    "jug": _mug,
    "bag": _bag,
    "shopper": _bag,
    "box": _box,
    "tin": _box,
}
