"""What is not as the customer saw it last."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Supply(StrEnum):
    """Whether a line can be had. SHORT: only some of it, or none; UNAVAILABLE: not for sale."""

    ENOUGH = "ENOUGH"
    SHORT = "SHORT"
    UNAVAILABLE = "UNAVAILABLE"


class ChangeCode(StrEnum):
    PRICE_CHANGED = "price_changed"
    CURRENCY_CHANGED = "currency_changed"
    SHORT = "short"
    UNAVAILABLE = "unavailable"
    AVAILABLE_AGAIN = "available_again"


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What was told of a line: the price of one in minor units, or None where it had none."""

    currency: str
    unit_price_minor: int | None
    supply: Supply

    @property
    def text(self) -> str:
        price = "-" if self.unit_price_minor is None else self.unit_price_minor
        return f"{self.currency} {price} {self.supply}"

    @classmethod
    def parse(cls, text: str) -> Self:
        currency, price, supply = text.split(" ")
        return cls(
            currency=currency,
            unit_price_minor=None if price == "-" else int(price),
            supply=Supply(supply),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """was, now: the price of one in minor units, where the code is about prices."""

    code: ChangeCode
    sku: str
    was_minor: int | None = None
    was_currency: str = ""
    now_minor: int | None = None
    now_currency: str = ""


def supply_of(*, is_sold: bool, available: int, quantity: int) -> Supply:
    if not is_sold:
        return Supply.UNAVAILABLE
    return Supply.ENOUGH if available >= quantity else Supply.SHORT


def differences(sku: str, was: Seen | None, now: Seen) -> list[Difference]:
    """What to tell of a line; nothing of one that nobody was told of yet."""
    if was is None:
        return []
    found = []
    if None not in (was.unit_price_minor, now.unit_price_minor):
        code = None
        if was.currency != now.currency:
            code = ChangeCode.CURRENCY_CHANGED
        elif was.unit_price_minor != now.unit_price_minor:
            code = ChangeCode.PRICE_CHANGED
        if code is not None:
            found.append(
                Difference(
                    code=code,
                    sku=sku,
                    was_minor=was.unit_price_minor,
                    was_currency=was.currency,
                    now_minor=now.unit_price_minor,
                    now_currency=now.currency,
                )
            )
    if was.supply is not now.supply:
        code = {
            Supply.ENOUGH: ChangeCode.AVAILABLE_AGAIN,
            Supply.SHORT: ChangeCode.SHORT,
            Supply.UNAVAILABLE: ChangeCode.UNAVAILABLE,
        }[now.supply]
        found.append(Difference(code=code, sku=sku))
    return found
