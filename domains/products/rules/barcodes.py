"""Numbers under bar codes."""

from __future__ import annotations

GTIN_LENGTHS = (8, 12, 13, 14)


def is_barcode(text: str) -> bool:
    """Whether a GTIN has the right check digit; whatever else somebody prints is taken as it is.

    GS1 General Specifications, 7.9: from the right, the digits before the last one weigh 3, 1,
    3, …, and the last one fills the sum up to a multiple of ten.
    """
    if len(text) not in GTIN_LENGTHS or not (text.isascii() and text.isdigit()):
        return True
    weighed = sum(
        int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(text[-2::-1])
    )
    return (weighed + int(text[-1])) % 10 == 0
