"""A promotion as an order writes it down, so that it keeps what it got."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from domains.pricing.rules.quotes import AppliedDiscount, Kept
from domains.pricing.rules.terms import PromotionTerms


def to_keep(discount: AppliedDiscount) -> dict[str, Any]:
    """As JSON, for `kept`. When it held and how often it was used stay behind: it has been let in.
    What is empty is left out."""
    terms = replace(discount.terms, valid_from=None, valid_until=None, used=0)
    fields = msgspec.to_builtins(terms, order="sorted")
    fields["conditions"] = {name: asked for name, asked in fields["conditions"].items() if asked}
    return {name: value for name, value in fields.items() if value not in (None, [], {})}


def kept(terms: Mapping[str, Any], *, coupon: str | None) -> Kept:
    """What was written down, with the code that brought it."""
    return Kept(terms=msgspec.convert(terms, PromotionTerms), coupon=coupon)
