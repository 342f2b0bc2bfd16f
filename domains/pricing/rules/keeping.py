"""A promotion as an order writes it down, so that it keeps what it got."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from domains.pricing.rules.quotes import Kept
from domains.pricing.rules.terms import PromotionTerms


def to_keep(given: Kept) -> dict[str, Any]:
    """Its terms as JSON, for `kept`. When it held and how often it was used stay behind: it has
    been let in. What is empty is left out."""
    terms = replace(given.terms, valid_from=None, valid_until=None, used=0)
    fields = msgspec.to_builtins(terms, order="sorted")
    fields["conditions"] = {name: asked for name, asked in fields["conditions"].items() if asked}
    return {name: value for name, value in fields.items() if value not in (None, [], {})}


def kept(
    terms: Mapping[str, Any], *, coupon: str | None, lines: Iterable[str] | None = None
) -> Kept:
    """What was written down, with the code that brought it and the lines it was for."""
    return Kept(
        terms=msgspec.convert(terms, PromotionTerms),
        coupon=coupon,
        lines=None if lines is None else frozenset(lines),
    )
