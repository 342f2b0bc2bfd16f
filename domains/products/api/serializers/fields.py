"""Field types that several areas take."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta

from domains.products.rules.slugs import MAX_SLUG_LENGTH
from domains.products.rules.stock import MAX_QUANTITY
from infrastructure.http.types import Currency, Query

# Printable and without slashes, since it is a part of paths; letters in either case.
Sku = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[^\s/?#%]+( [^\s/?#%]+)*$(?!\s)",
        examples=["85123A"],
    ),
]
Slug = Annotated[str, Meta(min_length=1, max_length=MAX_SLUG_LENGTH)]
Quantity = Annotated[int, Meta(ge=0, le=MAX_QUANTITY)]


class InCurrency(Query, frozen=True, kw_only=True):
    currency: Currency | None = None


def given(body: msgspec.Struct) -> dict[str, Any]:
    """The fields that the caller sent, of a body whose fields are all optional."""
    return {
        name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET
    }
