"""Field types that several areas take."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta

from domains.pricing.rules.codes import MAX_LENGTH
from infrastructure.http.types import NOT_BLANK, ONE_LINE, Currency
from infrastructure.money import Money

Instant = Annotated[datetime, Meta(tz=True)]
Name = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[a-z0-9][a-z0-9_-]*$(?!\s)")]
TaxClass = Annotated[str, Meta(min_length=1, max_length=64, pattern=NOT_BLANK)]
Region = Annotated[str, Meta(max_length=100, pattern=ONE_LINE)]
Postcode = Annotated[str, Meta(max_length=20, pattern=ONE_LINE)]
CouponCode = Annotated[
    str, Meta(min_length=1, max_length=MAX_LENGTH, pattern=ONE_LINE, examples=["WELCOME10"])
]
Position = Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]
Limit = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Percent = Annotated[
    str,
    Meta(pattern=r"^\d{1,3}(\.\d{1,4})?$(?![\s\S])", max_length=8, description="20 for 20 %."),
]
Amount = Annotated[
    str,
    Meta(
        pattern=r"^\d{1,16}(\.\d{1,4})?$(?![\s\S])",
        max_length=21,
        description="With at most the decimals of its currency.",
        examples=["4.95"],
    ),
]
Amounts = Annotated[dict[Currency, Amount], Meta(max_length=50, description="Amounts by currency.")]


def minor(amount: str, currency: str) -> int:
    """Raises InvalidMoney."""
    return Money.parse(amount, currency).amount_minor


def minors(amounts: Mapping[str, str]) -> dict[str, int]:
    return {currency: minor(amount, currency) for currency, amount in amounts.items()}


def texts(amounts_minor: Mapping[str, int]) -> dict[str, str]:
    return {
        currency: Money(amount, currency).amount_text for currency, amount in amounts_minor.items()
    }


def given(body: msgspec.Struct) -> dict[str, Any]:
    """The fields that the caller sent, of a body whose fields are all optional."""
    return {
        name: value
        for name in body.__struct_fields__
        if (value := getattr(body, name)) is not UNSET
    }
