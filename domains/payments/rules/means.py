"""What a customer pays with; never the number of a card."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What a customer pays with: the gateway's token for it, or what they left there before.

    keep: have the gateway keep it for later. As one text, for whoever stores what was chosen:
    `tok_visa`, `keep:tok_visa`, `saved:<id>`.
    """

    token: str = field(default="", repr=False)
    saved_method: UUID | None = None
    keep: bool = False

    def __str__(self) -> str:
        if self.saved_method is not None:
            return f"{_SAVED}{self.saved_method}"
        return f"{_KEEP}{self.token}" if self.keep else self.token

    @classmethod
    def read(cls, text: str) -> Self:
        if text.startswith(_SAVED):
            try:
                return cls(saved_method=UUID(text.removeprefix(_SAVED)))
            except ValueError:
                return cls(token=text)
        token = text.removeprefix(_KEEP)
        return cls(token=token, keep=token != text)


_SAVED, _KEEP = "saved:", "keep:"
# ISO/IEC 7812: 12 to 19 digits, however they are grouped.
_DIGITS = re.compile(r"\d(?:[-._: ]?\d){11,18}")


def names_card_number(text: str) -> bool:
    """Whether what `Means` reads holds the number of a card; an id of ours does not."""
    return holds_card_number(Means.read(text).token)


def holds_card_number(text: str) -> bool:
    """Whether the digits in it pass the check of card numbers (Luhn, ISO/IEC 7812-1 annex B)."""
    return any(_passes_luhn(re.sub(r"\D", "", run)) for run in _DIGITS.findall(text))


def _passes_luhn(digits: str) -> bool:
    doubled = (int(d) * 2 for d in digits[-2::-2])
    return (sum(int(d) for d in digits[-1::-2]) + sum(d // 10 + d % 10 for d in doubled)) % 10 == 0
